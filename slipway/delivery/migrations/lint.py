"""What a migration must not do while its tables are in use: squawk's rules, and ours for what squawk does not know.

docs/migrations.md has every rule with an example that is refused and a rewrite that passes; the tests read that page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.delivery.migrations.ordering import lint_order
from slipway.delivery.migrations.squawk import Node, read_sql
from slipway.delivery.migrations.statements import ADVICE, concerns_only, is_constant, lint_backfill, lint_statement
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
MAYBE_MADE = re.compile(r'(CREATE(?:\s+\w+)?\s+TABLE\s+IF\s+NOT\s+EXISTS\s+"?)', re.IGNORECASE)
MAKING = {"CREATE_TABLE", "CREATE_TABLE_AS", "SELECT_INTO", "CREATE_MATERIALIZED_VIEW"}


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
    # A table that may have been there is one in use. Squawk would call it new: under another name, it does not.
    texts = [MAYBE_MADE.sub(r"\1maybe_", "\n".join(text for _, text in item.chunks)) for item in migrations]
    return [
        sorted({item for item in _lint(migration, *reading) if _holds(item.rule, migration)})
        for migration, reading in zip(migrations, read_sql(texts), strict=True)
    ]


def _holds(rule: str, migration: Migration) -> bool:
    contract = migration.phase == MigrationPhase.CONTRACT
    return rule not in migration.allowed and not (contract and rule.startswith(OLD_RELEASE))


def _lint(migration: Migration, warnings: Sequence[Any], statements: Sequence[Node]) -> Iterator[Finding]:
    sources = [
        (line, number) for number, (line, text) in enumerate(migration.chunks) for _ in range(text.count("\n") + 1)
    ]
    for line, text in migration.unseen:
        yield Finding(line=line, rule="sql-unseen", text=f"{text}: {ADVICE['sql-unseen']}")
    made = list(_made_before(statements))
    for warning in warnings:
        rule: str = warning["rule_name"]
        at: tuple[int, int] = (warning["line"], warning["column"])
        number = next((n for n in reversed(range(len(statements))) if statements[n].at <= at), None)
        if number is None or _matters(rule, statements[number], made[number], at):
            text = " ".join(filter(None, (warning["message"], warning["help"])))
            yield Finding(line=sources[at[0]][0], rule=rule, text=text)
    ours = [(rule, item) for item, new in zip(statements, made, strict=True) for rule in lint_statement(item, new)]
    ours += lint_order(statements, [sources[item.at[0]][1] for item in statements])
    if migration.phase == MigrationPhase.BACKFILL:
        ours += lint_backfill(statements)
    yield from (Finding(line=sources[statement.at[0]][0], rule=rule, text=ADVICE[rule]) for rule, statement in ours)


def _made_before(statements: Sequence[Node]) -> Iterator[set[str]]:
    """For each statement, the tables that statements before it have made. Nobody uses them yet."""
    made: set[str] = set()
    for statement in statements:
        yield set(made)
        if statement.kind in MAKING and not statement.has("IF_NOT_EXISTS"):
            made.update(statement.names("TABLE_NAME", "VIEW")[:1])
        renamed = statement.child("TABLE_RENAME_TO")
        before = statement.name("TABLE_NAME_REF")
        if renamed and before in made:
            made.add("".join([*before.rpartition(".")[:2], renamed.name("TABLE_NAME")]))


def _matters(rule: str, statement: Node, made: set[str], at: tuple[int, int]) -> bool:
    if rule == "prefer-robust-stmts":
        # IF NOT EXISTS would keep an INVALID index: `concurrently-not-repeatable` has it. DETACH … CONCURRENTLY has no form that repeats.
        detach = statement.kind == "ALTER_TABLE" and statement.has("CONCURRENTLY_KW")
        return statement.kind != "CREATE_INDEX" and not detach
    if rule == "syntax-error":
        return True
    if rule == "ban-new-write-restriction" and statement.has("REFERENCES_KW", "ADD_COLUMN"):
        return False  # a reference or column that the old release does not write
    if rule == "renaming-object" and statement.kind == "ALTER_INDEX":
        return False  # no release names an index
    if rule == "adding-field-with-default" and is_constant(statement, at):
        return False
    return rule not in NOT_ASKED and not concerns_only(statement, made)
