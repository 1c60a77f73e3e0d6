"""The table of what AWS refuses, drops or punishes has all rows, and the tests that it names exist."""

import ast
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parents[2]
FOLDER = TESTS / "integration/components"
ROWS: dict[int, dict[str, Any]] = yaml.safe_load((FOLDER / "aws_truth.yaml").read_text())


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_row_has_tests_or_a_reason() -> None:
    assert [*ROWS] == [*range(1, 52)]
    assert {kind for row in ROWS.values() for kind in row} <= {"tests", "none", "open"}
    assert [number for number, row in ROWS.items() if len(row) != 1 or not all(row.values())] == []


@pytest.mark.parametrize("row", [number for number, row in ROWS.items() if "tests" in row])
def test_tests_of_a_row_exist(row: int) -> None:
    for name in ROWS[row]["tests"]:
        file, _, function = name.rpartition("::")
        assert function in functions(TESTS / file if file else FOLDER / "test_aws_truth.py"), name


def test_every_test_of_the_review_is_in_the_table() -> None:
    named = {name for row in ROWS.values() for name in row.get("tests", ())}
    assert {name for name in functions(FOLDER / "test_aws_truth.py") if name.startswith("test_")} <= named
