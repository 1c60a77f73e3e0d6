"""The example of docs/testing-delivery.md passes as it stands, and names what exists."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from slipway.delivery.testing.rehearsal import Rehearsal

PAGE = (Path(__file__).parents[3] / "docs/testing-delivery.md").read_text()


def test_example_passes() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "testing-delivery.md", "exec"), names)  # noqa: S102 - our own page
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_knobs_exist() -> None:
    knobs = re.findall(r"`([a-z_]+)(?:\[.*?\])?`", PAGE[PAGE.index("| what you change") : PAGE.index("Afterwards")])
    known = {field.name for field in fields(Rehearsal().environment("dev"))}
    assert len(knobs) > 7
    assert [knob for knob in knobs if knob not in known] == []
