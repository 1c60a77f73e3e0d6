"""The README's stack file is one that the program takes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from infra.settings import parse_settings

ROOT = Path(__file__).parents[3]


def test_stack_file_of_the_readme_is_short_and_accepted() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    config = yaml.safe_load(text)["config"]
    raw = {
        key.removeprefix("slipway:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if key.startswith("slipway:")
    }
    assert len(raw) == len(config) - 1, "all but aws:region are ours"
    assert parse_settings(raw, environment="dev").service.name == "orders"
