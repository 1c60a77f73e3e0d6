"""What a migration must not do while its tables are in use: squawk's rules, and ours for what squawk does not know.

docs/migrations.md has every rule with an example that is refused and a rewrite that passes; the tests read that page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.delivery.migrations.squawk import Node, read_sql
from slipway.delivery.model.release import MigrationPhase

NOT_ASKED = {
    "ban-char-field", "ban-concurrent-index-creation-in-transaction", "ban-drop-constraint", "ban-drop-not-null",
    "ban-uncommitted-transaction", "identifier-too-long", "prefer-bigint-over-int", "prefer-bigint-over-smallint",
    "prefer-identity", "prefer-text-field", "prefer-timestamp-tz", "require-enum-value-ordering", "require-lock-timeout",
    "require-statement-timeout", "transaction-nesting",
}  # fmt: skip
"""Squawk's rules for style, what only loosens a schema, timeouts (the Job sets them), and CONCURRENTLY
in a transaction, which `concurrently-in-transaction` finds for every statement, not for CREATE INDEX alone."""
OLD_RELEASE = ("ban-", "renaming-")
"""How rules begin that are about the old release, which a contract migration need not mind."""
TABLE_LOCKS = {"LOCK": "LOCK_KW", "CLUSTER": "CLUSTER_KW", "VACUUM": "FULL_KW", "REFRESH": "REFRESH_KW"}
"""Statements that lock a table against reading, with the word that makes them do so."""
VALUES = {"INT_NUMBER", "FLOAT_NUMBER", "STRING", "POSITIONAL_PARAM"}

OURS = {
    "sql-unseen": "cannot be checked without a database: write the SQL out, or use backfill()",
    "whole-table-write": "writes the whole table in one transaction, and users wait for its rows: use backfill(), or name rows in WHERE",
    "table-lock": "locks the table against its users until it is done",
    "ban-truncate": "deletes all rows, which the old release still needs",
    "concurrently-in-transaction": "put CONCURRENTLY under `with op.get_context().autocommit_block():`",
    "concurrently-under-lock-timeout": "CONCURRENTLY waits for other transactions; lock_timeout would end it half done: "
    "SET lock_timeout = 0 before it and RESET lock_timeout after it",
    "concurrently-not-repeatable": "the INVALID index of a failed attempt is in the way: DROP INDEX CONCURRENTLY IF EXISTS before it",
    "no-lock-timeout": "every query on the table queues behind it while it waits: RESET lock_timeout first",
    "split-migration": "is committed before what follows outside the transaction, and a retry cannot repeat it: make it two migrations",
}
"""Our own rules and their advice."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One migration as Alembic would run it."""

    id: str
    file: str
    phase: Any
    """As the file says; None: it says nothing."""
    allowed: list[str]
    """`lint_allow` of the file: rules that it may break; the reason belongs into a comment above it."""
    chunks: list[tuple[int, str]]
    """Line of the file, and SQL that comes from there, in the order in which it runs, BEGIN and COMMIT included."""
    unseen: list[tuple[int, str]]
    """Line of the file, and what SQL without a database cannot show."""


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One dangerous operation."""

    line: int
    """In the migration's file."""
    rule: str
    text: str


def lint_migrations(migrations: Sequence[Migration]) -> list[list[Finding]]:
    """Findings of each migration; those that it allows by name are left out."""
    readings = read_sql(["\n".join(text for _, text in migration.chunks) for migration in migrations])
    return [
        sorted({item for item in _lint(migration, *reading) if item.rule not in migration.allowed})
        for migration, reading in zip(migrations, readings, strict=True)
    ]


def _lint(migration: Migration, warnings: Sequence[Any], statements: Sequence[Node]) -> Iterator[Finding]:
    expand = migration.phase == MigrationPhase.EXPAND
    lines = [line for line, text in migration.chunks for _ in text.split("\n")]
    for line, text in migration.unseen:
        yield Finding(line=line, rule="sql-unseen", text=f"{text}: {OURS['sql-unseen']}")
    for warning in warnings:
        rule: str = warning["rule_name"]
        at: tuple[int, int] = (warning["line"], warning["column"])
        statement = next((item for item in reversed(statements) if item.at <= at), None)
        if _matters(rule, statement, expand=expand):
            text = " ".join(filter(None, (warning["message"], warning["help"])))
            yield Finding(line=lines[at[0]], rule=rule, text=text)
    for rule, statement in (*_lint_statements(statements), *_lint_order(statements)):
        if expand or not rule.startswith(OLD_RELEASE):
            yield Finding(line=lines[statement.at[0]], rule=rule, text=OURS[rule])


def _matters(rule: str, statement: Node | None, *, expand: bool) -> bool:
    if rule == "prefer-robust-stmts":  # IF NOT EXISTS would keep an INVALID index: `concurrently-not-repeatable` has it
        return statement is None or statement.kind != "CREATE_INDEX"
    if rule == "ban-new-write-restriction" and statement and statement.has("REFERENCES_KW", "ADD_COLUMN"):
        return False  # a reference or column that the old release does not write
    return rule not in NOT_ASKED and (expand or not rule.startswith(OLD_RELEASE))


def _lint_statements(statements: Sequence[Node]) -> Iterator[tuple[str, Node]]:
    made = {statement.name("TABLE_NAME") for statement in statements if statement.kind == "CREATE_TABLE"}
    for statement in statements:
        if any(_is_whole_table(node) and node.name("RELATION_NAME") not in made for node in statement.walk()):
            yield "whole-table-write", statement
        word = TABLE_LOCKS.get(statement.kind)
        if word and statement.has(word) and not statement.has("CONCURRENTLY_KW"):
            yield "table-lock", statement
        if statement.kind == "TRUNCATE":
            yield "ban-truncate", statement
        if statement.kind in {"DO", "CALL"}:
            yield "sql-unseen", statement


def _is_whole_table(node: Node) -> bool:
    """An UPDATE or DELETE whose WHERE, if any, compares with no value: `WHERE currency IS NULL` is most of a table."""
    return node.kind in {"UPDATE", "DELETE", "MERGE"} and not any(
        child.kind == "WHERE_CLAUSE" and child.has(*VALUES) for child in node.children
    )


def _lint_order(statements: Sequence[Node]) -> Iterator[tuple[str, Node]]:
    """What depends on the statements before: transaction, lock_timeout (the Job sets one), dropped indexes."""
    in_transaction, limited = False, True
    committed: list[Node] = []
    dropped: set[str] = set()
    for statement in statements:
        if statement.kind == "BEGIN":
            in_transaction = True
        elif statement.kind in {"COMMIT_TRANSACTION", "ROLLBACK_TRANSACTION"}:
            in_transaction = False
        elif statement.kind in {"SET", "RESET"}:
            if statement.name("CONFIG_PARAMETER_REF") in {"lock_timeout", ""}:
                numbers = [re.sub(r"\D", "", node.text) for node in statement.walk() if node.kind in VALUES]
                limited = numbers != ["0"]
        elif statement.kind != "SELECT":
            yield from _lint_one(statement, dropped, in_transaction=in_transaction, limited=limited)
            if not in_transaction:
                yield from (("split-migration", earlier) for earlier in committed)
            committed = [*committed, statement] if in_transaction else []
    if not limited:
        yield "no-lock-timeout", statements[-1]


def _lint_one(statement: Node, dropped: set[str], *, in_transaction: bool, limited: bool) -> Iterator[tuple[str, Node]]:
    if statement.kind == "DROP_INDEX" and statement.has("IF_EXISTS"):
        dropped.add(statement.name("INDEX_REF"))
    if not statement.has("CONCURRENTLY_KW") or statement.kind == "REFRESH":  # it leaves nothing behind
        if not limited:
            yield "no-lock-timeout", statement
        return
    if in_transaction:
        yield "concurrently-in-transaction", statement
    elif limited:
        yield "concurrently-under-lock-timeout", statement
    if statement.kind == "CREATE_INDEX" and statement.name("INDEX") not in dropped:
        yield "concurrently-not-repeatable", statement
