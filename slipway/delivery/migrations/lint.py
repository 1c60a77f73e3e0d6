"""What a migration must not do while its tables are in use: squawk's rules, and ours for what squawk does not know.

docs/migrations.md has every rule with an example that is refused and a rewrite that passes; the tests read that page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slipway.delivery.migrations.rendered import Migration
from slipway.delivery.migrations.squawk import Node, Reading, SquawkWarning, read_sql
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
TABLE_LOCKS = {"LOCK": (), "CLUSTER": (), "VACUUM": ("FULL_KW",), "REFRESH": ("MATERIALIZED_KW",)}
"""Statements that lock a table against reading, with the word that makes them do so."""
VALUES = {"INT_NUMBER", "FLOAT_NUMBER", "STRING", "POSITIONAL_PARAM"}

UNSEEN = "cannot be checked without a database: write the SQL out, or use backfill()"
WHOLE_TABLE = (
    "writes the whole table in one transaction, and users wait for its rows: use backfill(), or name the rows in WHERE"
)
TABLE_LOCK = "locks the table against its users until it is done"
TRUNCATE = 'deletes all rows, which the old release still needs; move it to a migration with phase = "contract"'
IN_TRANSACTION = (
    "CONCURRENTLY cannot run inside a transaction: put it under `with op.get_context().autocommit_block():`"
)
UNDER_LOCK_TIMEOUT = (
    "CONCURRENTLY waits for other transactions; lock_timeout would end it half done, with an INVALID index: "
    "SET lock_timeout = 0 before it and RESET lock_timeout after it"
)
NO_LOCK_TIMEOUT = (
    "without lock_timeout, every query on the table queues behind it while it waits: RESET lock_timeout first"
)
NOT_REPEATABLE = "an INVALID index of a failed attempt would be in the way: DROP INDEX CONCURRENTLY IF EXISTS before it"
SPLIT = "is committed before what follows outside the transaction; if that fails, a retry cannot repeat it: make it two migrations"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One dangerous operation."""

    rule: str
    line: int
    """In the migration's file."""
    text: str


def lint_migrations(migrations: Sequence[Migration]) -> list[list[Finding]]:
    """Findings of each migration; those that it allows by name are left out."""
    readings = read_sql(["\n".join(chunk.text for chunk in migration.chunks) for migration in migrations])
    return [
        sorted(
            {item for item in _lint(migration, reading) if item.rule not in migration.allowed},
            key=lambda item: (item.line, item.rule),
        )
        for migration, reading in zip(migrations, readings, strict=True)
    ]


def _lint(migration: Migration, reading: Reading) -> Iterator[Finding]:
    expand = migration.phase == MigrationPhase.EXPAND
    lines = [chunk.line for chunk in migration.chunks for _ in chunk.text.split("\n")]
    for chunk in migration.unseen:
        yield Finding(rule="sql-unseen", line=chunk.line, text=f"{chunk.text}: {UNSEEN}")
    for warning in reading.warnings:
        statement = next((item for item in reversed(reading.statements) if item.line <= warning.line), None)
        if _matters(warning, statement, expand=expand):
            text = " ".join(filter(None, (warning.message, warning.help)))
            yield Finding(rule=warning.rule_name, line=lines[warning.line], text=text)
    for rule, statement, text in _lint_tree(reading.statements):
        if expand or rule != "ban-truncate":
            yield Finding(rule=rule, line=lines[statement.line], text=text)


def _matters(warning: SquawkWarning, statement: Node | None, *, expand: bool) -> bool:
    rule = warning.rule_name
    if rule in NOT_ASKED:
        return False
    if rule == "prefer-robust-stmts":  # IF NOT EXISTS would keep an INVALID index: `concurrently-not-repeatable` has it
        return statement is None or statement.kind != "CREATE_INDEX"
    if (
        rule == "ban-new-write-restriction"
        and statement
        and statement.has("REFERENCES_CLAUSE", "REFERENCES_KW", "ADD_COLUMN")
    ):
        return False  # a reference or column that the old release does not write
    return expand or not rule.startswith(OLD_RELEASE)


def _lint_tree(statements: Sequence[Node]) -> Iterator[tuple[str, Node, str]]:
    """Our own rules."""
    made = {statement.name("TABLE_NAME") for statement in statements if statement.kind == "CREATE_TABLE"}
    for statement in statements:
        if any(_is_whole_table(node) and node.name("RELATION_NAME") not in made for node in statement.walk()):
            yield "whole-table-write", statement, WHOLE_TABLE
        words = TABLE_LOCKS.get(statement.kind)
        if words is not None and (not words or statement.has(*words)) and not _is_concurrent(statement):
            yield "table-lock", statement, TABLE_LOCK
        if statement.kind == "TRUNCATE":
            yield "ban-truncate", statement, TRUNCATE
        if statement.kind in {"DO", "CALL"}:
            yield "sql-unseen", statement, f"{statement.kind}: {UNSEEN}"
    yield from _lint_order(list(_order(statements)))


def _is_whole_table(node: Node) -> bool:
    """An UPDATE or DELETE whose WHERE, if any, compares with no value: `WHERE currency IS NULL` is most of a table."""
    return node.kind in {"UPDATE", "DELETE", "MERGE"} and not any(
        child.kind == "WHERE_CLAUSE" and child.has(*VALUES) for child in node.children
    )


def _is_concurrent(statement: Node) -> bool:
    return statement.has("CONCURRENTLY_KW")


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A statement that takes locks, and how it would run."""

    statement: Node
    in_transaction: bool
    limited: bool
    """By lock_timeout."""


def _order(statements: Sequence[Node]) -> Iterator[_Step]:
    """The Job starts each migration with a lock_timeout, outside a transaction."""
    in_transaction, limited, limited_here = False, True, True
    for statement in statements:
        if statement.kind == "BEGIN":
            in_transaction = True
        elif statement.kind in {"COMMIT_TRANSACTION", "ROLLBACK_TRANSACTION"}:
            in_transaction, limited_here = False, True
        elif statement.kind in {"SET", "RESET"} and statement.name("CONFIG_PARAMETER_REF") in {"lock_timeout", ""}:
            numbers = [re.sub(r"\D", "", node.text) for node in statement.walk() if node.kind in VALUES]
            if statement.has("LOCAL_SCOPE"):
                limited_here = numbers != ["0"]
            else:
                limited = numbers != ["0"]
        elif statement.kind not in {"SELECT", "SET", "RESET"}:
            yield _Step(statement=statement, in_transaction=in_transaction, limited=limited and limited_here)
    if not limited:
        yield _Step(statement=statements[-1], in_transaction=False, limited=False)


def _lint_order(steps: Sequence[_Step]) -> Iterator[tuple[str, Node, str]]:
    dropped: set[str] = set()
    last_outside = max((index for index, step in enumerate(steps) if not step.in_transaction), default=-1)
    for index, step in enumerate(steps):
        statement = step.statement
        if statement.kind == "DROP_INDEX" and statement.has("IF_EXISTS"):
            dropped.add(statement.name("INDEX_REF"))
        if not _is_concurrent(statement):
            if not step.limited:
                yield "no-lock-timeout", statement, NO_LOCK_TIMEOUT
            if step.in_transaction and index < last_outside:
                yield "split-migration", statement, SPLIT
        elif step.in_transaction:
            yield "concurrently-in-transaction", statement, IN_TRANSACTION
        elif step.limited:
            yield "concurrently-under-lock-timeout", statement, UNDER_LOCK_TIMEOUT
        if statement.kind == "CREATE_INDEX" and _is_concurrent(statement) and statement.name("INDEX") not in dropped:
            yield "concurrently-not-repeatable", statement, NOT_REPEATABLE
