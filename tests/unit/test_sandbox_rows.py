"""Each rule that the sandbox's page calls enforced has tests, and they exist; whether they hold it is not proven here."""

import ast
from functools import cache
from pathlib import Path

import pytest

from docs.generate_sandbox import load_rows

TESTS = Path(__file__).parents[1]
ROWS = [row for rows in load_rows().values() for row in rows]


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_each_rule_stands_once_and_has_tests_or_is_not_enforced() -> None:
    rules = [row["rule"] for row in ROWS]
    assert len(set(rules)) == len(rules)
    kinds = [{"rule", "tests"}, {"rule", "tests", "refused"}, {"rule", "not"}]
    assert [row["rule"] for row in ROWS if set(row) not in kinds or not all(row.values())] == []


@pytest.mark.parametrize("name", sorted({name for row in ROWS for name in row.get("tests", ())}))
def test_test_that_a_rule_names_exists(name: str) -> None:
    file, _, function = name.partition("::")
    assert function in functions(TESTS / file)
