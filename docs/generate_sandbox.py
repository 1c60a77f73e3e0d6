"""Writes sandbox.md from the table of rules and their tests: python -m docs.generate_sandbox (a test says when it is due)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parent / "sandbox.md"
ROWS = Path(__file__).parents[1] / "tests" / "unit" / "sandbox_rows.yaml"
HEAD = """# What the sandbox enforces, and what not

Generated from [its table of rules and tests](../tests/unit/sandbox_rows.yaml) by `python -m docs.generate_sandbox`; change it there.

What passes here and fails on AWS is a fault of the sandbox, or stands here as *not enforced*. *Enforced* names the test files that
hold a rule; *refused* is what AWS has and the sandbox says no to, instead of serving something else.
[Security](security.md#the-sandbox) says who may do what, [faults on request](faults.md) how calls fail, and
[a program of your own](your-own-program.md) which resources there are.
"""
Row = Mapping[str, Any]


def load_rows() -> dict[str, list[Row]]:
    """The rules by their subject."""
    return yaml.safe_load(ROWS.read_text())


def render() -> str:
    """The page."""
    return HEAD + "".join(_section(subject, rows) for subject, rows in load_rows().items())


def _section(subject: str, rows: Sequence[Row]) -> str:
    lines = [f"\n## {subject}\n", "| rule | on the sandbox |", "|---|---|"]
    lines += [f"| {row['rule']} | {_state(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _state(row: Row) -> str:
    if "not" in row:
        return f"**not enforced**. {row['not']}"
    files = dict.fromkeys(test.partition("::")[0] for test in row["tests"])
    links = ", ".join(f"[{_name(file)}](../tests/{file})" for file in files)
    return f"{'refused' if row.get('refused') else 'enforced'}: {links}"


def _name(file: str) -> str:
    kind, name = file.partition("/")[0], file.rpartition("/")[2]
    return f"{kind} {name.removeprefix('test_').removesuffix('.py').replace('_', ' ')}"


if __name__ == "__main__":
    PAGE.write_text(render())
