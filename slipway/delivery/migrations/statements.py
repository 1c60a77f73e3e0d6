"""Our own rules about one statement, and the advice of all our rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from slipway.delivery.migrations.squawk import Node

ADVICE = {
    "sql-unseen": "cannot be checked without a database: write the SQL out, or use backfill()",
    "whole-table-write": "may write or lock every row in one transaction, and users wait for them: use backfill(), or name rows in WHERE",
    "table-lock": "locks the table against its users until it is done",
    "ban-truncate": "deletes all rows, which the old release still needs",
    "ban-changed-behaviour": "changes what the old release's statements do: leave it to a contract migration",
    "adding-field-with-default": "a serial column rewrites the table under a lock: a sequence, a column, its default and a backfill do not",
    "constraint-missing-not-valid": "reads the whole table under a lock: add the constraint by itself, with NOT VALID",
    "concurrently-in-transaction": "cannot run in a transaction, nor in one string with other statements: "
    "put it alone into an op.execute() under `with op.get_context().autocommit_block():`",
    "concurrently-under-lock-timeout": "CONCURRENTLY waits for other transactions; lock_timeout would end it half done: "
    "SET lock_timeout = 0 before it and RESET lock_timeout after it",
    "concurrently-not-repeatable": "the INVALID index of a failed attempt is in the way: DROP INDEX CONCURRENTLY IF EXISTS before it",
    "no-lock-timeout": "every query on the table queues behind it while it waits: RESET lock_timeout first",
    "backfill-alone": "may run more than once, after the release: a migration of phase backfill holds one backfill(), and nothing else",
    "backfill-overwrites": "overwrites what the new release has written meanwhile: say in WHERE which rows are not filled yet",
    "split-migration": "is committed before what follows outside the transaction, and a retry cannot repeat it: make it two migrations",
}
RULES = {
    "LOCK": "table-lock", "CLUSTER": "table-lock", "SET_TABLESPACE": "table-lock", "SET_ACCESS_METHOD": "table-lock",
    "SET_LOGGED": "table-lock", "SET_UNLOGGED": "table-lock", "TRUNCATE": "ban-truncate",
    "DO": "sql-unseen", "CALL": "sql-unseen",
    "CREATE_RULE": "ban-changed-behaviour", "DROP_RULE": "ban-changed-behaviour", "DISABLE_RULE": "ban-changed-behaviour",
    "DROP_TRIGGER": "ban-changed-behaviour", "DISABLE_TRIGGER": "ban-changed-behaviour",
    "DROP_POLICY": "ban-changed-behaviour", "ENABLE_RLS": "ban-changed-behaviour", "FORCE_RLS": "ban-changed-behaviour",
}  # fmt: skip
"""What a statement is, or what a direct part of it is, and the rule that it breaks."""
VALUES = ("INT_NUMBER", "FLOAT_NUMBER", "STRING", "POSITIONAL_PARAM")
COLUMNS = {"NAME_REF", "FIELD_EXPR"}
LOWER, UPPER = {"R_ANGLE", "GTEQ"}, {"L_ANGLE", "LTEQ"}
SERIAL = {"serial", "serial2", "serial4", "serial8", "bigserial", "smallserial"}
STABLE = {"now", "statement_timestamp", "transaction_timestamp", "date_trunc", "timezone"}
"""Functions with one value for all rows of a statement."""


def lint_statement(statement: Node, made: set[str]) -> Iterator[str]:
    """Rules that `statement` breaks by itself. `made`: tables that nobody uses yet."""
    if any(_writes_whole_table(node, made) for node in statement.walk()):
        yield "whole-table-write"
    if concerns_only(statement, made):
        return
    yield from {RULES[node.kind] for node in (statement, *statement.children) if node.kind in RULES}
    full = "FULL_KW" if statement.kind == "VACUUM" else "REFRESH_KW"
    if statement.has(full) and not statement.has("CONCURRENTLY_KW"):
        yield "table-lock"
    for column in (node for node in statement.children if node.kind == "ADD_COLUMN"):
        if column.has("CHECK_CONSTRAINT"):
            yield "constraint-missing-not-valid"
        if column.name("PATH_TYPE") in SERIAL:
            yield "adding-field-with-default"


def lint_backfill(statements: Sequence[Node]) -> Iterator[tuple[str, Node]]:
    """Rules of a migration of phase backfill, and the statement that breaks each: one batched statement, safe to run on a row again."""
    in_transaction, seen = False, 0
    for statement in statements:
        if statement.kind in {"BEGIN", "COMMIT_TRANSACTION"}:
            in_transaction = statement.kind == "BEGIN"
            continue
        seen += 1
        if in_transaction or seen > 1 or statement.kind not in {"UPDATE", "DELETE", "INSERT"}:
            yield "backfill-alone", statement
        elif statement.kind == "UPDATE" and not _leaves_filled_rows(statement):
            yield "backfill-overwrites", statement


def _leaves_filled_rows(update: Node) -> bool:
    """Whether WHERE says more than which keys the batch has."""
    where = update.child("WHERE_CLAUSE")
    terms = [] if where is None else list(_conjuncts(where.children[-1]))
    ranges = [term for term in terms if len(term.children) == 3 and term.children[1].kind in LOWER | UPPER]
    queries = [node for node in update.walk() if node.kind == "SELECT"]
    return len(terms) > len(ranges) and all(query.child("WHERE_CLAUSE") for query in queries)


def concerns_only(statement: Node, made: set[str]) -> bool:
    """Whether the tables that `statement` changes are among those that nobody uses yet."""
    tables = statement.names("TABLE_NAME_REF", "RELATION_NAME_REF", "VIEW_REF")
    changed = tables[:1] if statement.kind in {"ALTER_TABLE", "CREATE_INDEX"} else tables
    return bool(tables) and made.issuperset(changed)


def is_constant(statement: Node, at: tuple[int, int]) -> bool:
    """Whether the default at this place has one value for all rows, which PostgreSQL keeps in its catalogue."""
    defaults = (node.children[-1] for node in statement.walk() if node.kind == "DEFAULT_CONSTRAINT")
    value = next((node for node in defaults if node.at == at), None)
    return value is not None and all(
        node.name("NAME_REF") in STABLE for node in value.walk() if node.kind == "CALL_EXPR"
    )


def _writes_whole_table(node: Node, made: set[str]) -> bool:
    table = node.child("RELATION_NAME") or node.child("TABLE_RELATION_NAME") or node.child("RELATION_NAME_REF")
    if table and made.issuperset(table.names("TABLE_NAME_REF", "RELATION_NAME_REF")):
        return False
    if node.kind == "INSERT":  # of rows that are there already
        source, conflict = node.child("SELECT"), node.child("ON_CONFLICT_CLAUSE")
        updates = conflict is not None and conflict.has("CONFLICT_DO_UPDATE_SET")
        return source is not None and updates and not _is_limited(source)
    if node.kind == "SELECT":
        return node.child("LOCKING_CLAUSE") is not None and not _is_limited(node)
    return node.kind in {"UPDATE", "DELETE", "MERGE"} and not _is_limited(node)


def _is_limited(node: Node) -> bool:
    """Whether a statement concerns rows that it names, or a number of rows."""
    limit, where, source = (node.child(kind) for kind in ("LIMIT_CLAUSE", "WHERE_CLAUSE", "FROM_CLAUSE"))
    if limit and limit.has(*VALUES):
        return True
    if where and source and source.has("VALUES") and not source.has("RELATION_NAME_REF"):
        return where.has("EQ") and not where.has("OR_KW")  # joined with a list
    return where is not None and _names_rows(where.children[-1])


def _names_rows(condition: Node) -> bool:
    """Whether a column equals a value or lies between two: `WHERE currency IS NULL` is most of a table, and so is `id > 0`."""
    parts = condition.children
    if condition.kind == "PAREN_EXPR":
        return _names_rows(parts[1])
    if condition.child("OR_KW"):
        return _names_rows(parts[0]) and _names_rows(parts[2])
    terms = list(_conjuncts(condition))
    if len(terms) > 1:
        bounds: defaultdict[str, set[str]] = defaultdict(set)
        for first, operator, *last in (term.children for term in terms if len(term.children) == 3):
            if operator.kind in LOWER | UPPER and _is_value(last[0]):
                bounds[first.name(first.kind)].add("lower" if operator.kind in LOWER else "upper")
        return any(map(_names_rows, terms)) or any(len(sides) == 2 for sides in bounds.values())
    if condition.kind == "BETWEEN_EXPR":
        return condition.child("NOT_KW") is None and condition.has(*VALUES)
    if len(parts) != 3 or parts[1].kind not in {"EQ", "IN_KW"}:
        return False
    column, value = (parts[0], parts[2]) if parts[2].has(*VALUES) else (parts[2], parts[0])
    return column.has(*COLUMNS) and _is_value(value)


def _is_value(node: Node) -> bool:
    """Whether this is written out, or a query for some rows, and names no column."""
    if queries := [part for part in node.walk() if part.kind == "SELECT"]:
        return all(map(_is_limited, queries))
    owners = (owner for owner in node.walk() if owner.kind != "CALL_EXPR")  # whose NAME_REF is the function
    return node.has(*VALUES) and not COLUMNS.intersection(part.kind for owner in owners for part in owner.children)


def _conjuncts(condition: Node) -> Iterator[Node]:
    if condition.kind == "BIN_EXPR" and condition.child("AND_KW"):
        yield from _conjuncts(condition.children[0])
        yield from _conjuncts(condition.children[2])
    else:
        yield condition
