"""Each way in that was found has the tests that keep it closed, and they exist; whether they fail without the mend is not proven here."""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parents[1]
ROWS: dict[str, dict[str, Any]] = yaml.safe_load((TESTS / "unit/security_rows.yaml").read_text())
KINDS = ("C1", "C2", "C3", "C4", "H1", "M1", "M6", "M7", "pipelines", "inputs", "orders", "dashboard", "supply")


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_way_in_has_tests_or_is_open() -> None:
    assert {row.split()[0].rstrip(",") for row in ROWS} == {*KINDS}
    assert [
        row for row, found in ROWS.items() if [*found] not in (["tests"], ["open"]) or not all(found.values())
    ] == []


@pytest.mark.parametrize("name", sorted({name for row in ROWS.values() for name in row.get("tests", ())}))
def test_test_that_a_row_names_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert function in functions(TESTS / file)
