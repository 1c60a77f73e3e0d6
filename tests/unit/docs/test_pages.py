"""The pages say what the code does, and their links lead somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from components import ColourRelease, PodSettings
from components.hosting import OFFERED
from docs import generate_components, generate_costs, generate_sandbox, generate_settings
from docs.generate_components import args_type, attributes
from infra.settings import parse_settings
from slipway.cli.delivery.options import ForceOption
from slipway.sandbox.providers.services import registry

ROOT = Path(__file__).parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
SERVED_ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_files_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "generator",
    [generate_components, generate_costs, generate_sandbox, generate_settings],
    ids=lambda module: module.__name__,
)
def test_generated_page_is_current(generator: Any) -> None:
    assert generator.PAGE.read_text() == generator.render(), f"run python -m {generator.__name__}"


@pytest.mark.parametrize(
    "owner", [*map(args_type, OFFERED), ColourRelease, PodSettings], ids=lambda owner: owner.__name__
)
def test_every_argument_has_a_docstring(owner: type) -> None:
    assert [each.name for each in attributes(owner) if not each.doc] == []


@pytest.mark.parametrize(("path", "model"), [*generate_settings.sections()], ids=str)
def test_every_setting_has_a_docstring(path: str, model: Any) -> None:
    docs = generate_settings.meanings(model)
    assert [f"{path}.{name}" for name in model.model_fields if not docs.get(name)] == []


def by_module(tokens: Iterable[str]) -> set[tuple[str, str]]:
    """`aws:s3/bucket:Bucket` as `s3` and `Bucket`."""
    return {(token.split(":")[1].split("/")[0], token.split(":")[2]) for token in tokens}


def test_page_for_programs_of_ones_own_lists_what_is_served() -> None:
    rows = SERVED_ROW.findall((ROOT / "docs" / "your-own-program.md").read_text())
    names = [
        {(module, name.strip(" `")) for module, *cells in rows for name in cells[column].split(",") if name.strip()}
        for column in (0, 1)
    ]
    assert names == [by_module(registry.all_resources()), by_module(registry.all_functions())]


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


def test_help_of_force_names_the_gates_that_the_table_says_it_does_not_open() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|.*\| (yes|no)[^|]* \|$", page, re.MULTILINE)
    opened = {gate: answer == "yes" for gates, answer in rows for gate in re.findall(r"[a-z-]+", gates)}
    (option,) = get_args(ForceOption)[1:]
    named = {*re.findall(r"[a-z-]+", option.help)}
    assert len(opened) > 15
    assert {gate for gate in opened if gate in named} == {gate for gate, opens in opened.items() if not opens}
