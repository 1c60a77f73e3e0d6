"""A lint over Alembic's operations: what an expand migration must not do while the old release still runs, or to a big table.

It reads the syntax tree of `upgrade()`, never runs it. What it cannot see (SQL built at run time) it says so about.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from slipway.delivery.model.release import MigrationPhase

ALLOW_ATTRIBUTE = "lint_allow"
"""A module attribute that lists rule names this migration may break; its reason belongs into a comment beside it."""

DESTRUCTIVE = {
    "drop_table": "drops a table",
    "drop_column": "drops a column",
    "rename_table": "renames a table",
    "drop_constraint": "",  # loosens: harmless for whoever still writes
}
DANGEROUS_SQL = (
    (re.compile(r"\bdrop\s+(table|column|view|schema|type)\b", re.I), "destructive-sql", "drops something in raw SQL"),
    (re.compile(r"\brename\s+(to|column)\b", re.I), "destructive-sql", "renames something in raw SQL"),
    (
        re.compile(r"\btruncate\b|\bdelete\s+from\b(?!.*\bwhere\b)", re.I | re.S),
        "destructive-sql",
        "deletes all rows in raw SQL",
    ),
    (
        re.compile(r"\balter\s+(column\s+)?\S+\s+(set\s+data\s+)?type\b", re.I),
        "alter-type",
        "changes a column's type in raw SQL",
    ),
    (re.compile(r"\bset\s+not\s+null\b", re.I), "not-null", "sets NOT NULL in raw SQL"),
    (
        re.compile(r"\bcreate\s+(unique\s+)?index\s+(?!concurrently)", re.I),
        "index-lock",
        "creates an index in raw SQL without CONCURRENTLY",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One dangerous operation."""

    rule: str
    line: int
    text: str


def lint_revision(source: str, phase: MigrationPhase, tables_made: set[str]) -> tuple[Finding, ...]:
    """Findings of one migration file. `tables_made` collects the tables that the migrations so far have made in this very file.

    Contract migrations may take things away; they still must not lock a big table for the time of an index build.
    """
    tree = ast.parse(source)
    allowed = _allowed(tree)
    upgrade = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"), None)
    if upgrade is None:
        return (Finding(rule="no-upgrade", line=1, text="there is no upgrade()"),)
    # A table made by this migration is empty: whatever is done to it locks nobody out.
    tables_made.clear()
    tables_made.update(
        table
        for call in _calls(upgrade)
        if _operation(call) == "create_table" and (table := _text(_argument(call, 0, "")))
    )
    findings = [finding for call in _calls(upgrade) for finding in _lint_call(call, tables_made)]
    only_locks = {"index-lock", "sql-unseen"}
    return tuple(
        item
        for item in findings
        if item.rule not in allowed and (phase is MigrationPhase.EXPAND or item.rule in only_locks)
    )


def _lint_call(call: ast.Call, tables_made: set[str]) -> Iterator[Finding]:
    operation, line = _operation(call), call.lineno
    if operation == "execute":
        yield from _lint_sql(call)
        return
    if operation is None or _table(call, operation) in tables_made:
        return
    if DESTRUCTIVE.get(operation):
        yield Finding(
            rule=operation.replace("_", "-"),
            line=line,
            text=f"{DESTRUCTIVE[operation]}: the old release still needs it; {CONTRACT}",
        )
    elif operation == "alter_column":
        yield from _lint_alter(call)
    elif operation == "add_column" and _adds_mandatory(call):
        text = "adds a NOT NULL column without server_default: the old release's inserts would fail; give it one, or make it nullable"
        yield Finding(rule="not-null", line=line, text=text)
    elif operation == "create_index" and not _is_true(call, "postgresql_concurrently"):
        text = "creates an index without postgresql_concurrently=True: writes wait until it is built"
        yield Finding(rule="index-lock", line=line, text=text)
    elif operation in {
        "create_unique_constraint",
        "create_check_constraint",
        "create_foreign_key",
        "create_primary_key",
    }:
        text = f"{operation} checks every row under a lock and refuses what the old release may still write; {CONTRACT}"
        yield Finding(rule="constraint", line=line, text=text)


CONTRACT = 'move it to a migration with phase = "contract"'


def _lint_alter(call: ast.Call) -> Iterator[Finding]:
    line = call.lineno
    if _keyword(call, "new_column_name") is not None:
        yield Finding(
            rule="rename-column",
            line=line,
            text=f"renames a column: the old release still uses the old name; {CONTRACT}",
        )
    if _keyword(call, "type_") is not None:
        yield Finding(
            rule="alter-type",
            line=line,
            text=f"changes a column's type: the table is rewritten under a lock; {CONTRACT}",
        )
    nullable = _keyword(call, "nullable")
    if isinstance(nullable, ast.Constant) and nullable.value is False:
        yield Finding(
            rule="not-null", line=line, text=f"sets NOT NULL: the old release may still write NULL; {CONTRACT}"
        )


def _lint_sql(call: ast.Call) -> Iterator[Finding]:
    text = _sql(call)
    if text is None:
        text = f'SQL built at run time cannot be checked; write it out, or set {ALLOW_ATTRIBUTE} = ["sql-unseen"]'
        yield Finding(rule="sql-unseen", line=call.lineno, text=text)
        return
    for pattern, rule, what in DANGEROUS_SQL:
        if pattern.search(text):
            yield Finding(
                rule=rule,
                line=call.lineno,
                text=f"{what}; {CONTRACT if rule != 'index-lock' else 'create it concurrently'}",
            )


def _adds_mandatory(call: ast.Call) -> bool:
    column = _argument(call, 1, "column")
    if not isinstance(column, ast.Call):
        return False
    nullable, default = _keyword(column, "nullable"), _keyword(column, "server_default")
    mandatory = isinstance(nullable, ast.Constant) and nullable.value is False
    generated = any(isinstance(item, ast.Call) and _name(item.func) in {"Identity", "Computed"} for item in column.args)
    return (
        mandatory
        and not generated
        and (default is None or (isinstance(default, ast.Constant) and default.value is None))
    )


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (item for item in ast.walk(node) if isinstance(item, ast.Call))


def _operation(call: ast.Call) -> str | None:
    """The operation's name for `op.<name>(…)` and for `<name>(…)` on a batch (`with op.batch_alter_table(…) as batch`)."""
    function = call.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, (ast.Name, ast.Call)):
        return None
    return (
        function.attr
        if not isinstance(function.value, ast.Name) or function.value.id not in {"sa", "sqlalchemy", "postgresql"}
        else None
    )


def _table(call: ast.Call, operation: str) -> str | None:
    position = 1 if operation in {"create_index", "drop_constraint"} or operation.startswith("create_") else 0
    return _text(_argument(call, position, "table_name"))


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    return call.args[position] if len(call.args) > position else _keyword(call, name)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((item.value for item in call.keywords if item.arg == name), None)


def _is_true(call: ast.Call, name: str) -> bool:
    value = _keyword(call, name)
    return isinstance(value, ast.Constant) and value.value is True


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _sql(call: ast.Call) -> str | None:
    """The literal SQL of `op.execute("…")` or `op.execute(sa.text("…"))`."""
    argument = _argument(call, 0, "sqltext")
    if isinstance(argument, ast.Call) and _name(argument.func) == "text" and argument.args:
        argument = argument.args[0]
    return _text(argument)


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _allowed(tree: ast.Module) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == ALLOW_ATTRIBUTE for target in node.targets
        ):
            values = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple, ast.Set)) else []
            return {text for value in values if (text := _text(value))}
    return set()
