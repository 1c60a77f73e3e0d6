"""Our own rules about the order of statements: transaction, lock_timeout (the Job sets one), indexes that were dropped before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from slipway.delivery.migrations.squawk import Node
from slipway.delivery.migrations.statements import VALUES

LONGEST_LOCK_TIMEOUT_MILLISECONDS = 5000
LOCK_TIMEOUT = re.compile(r"'?(\d+) *(ms|s)?'?")


def lint_order(statements: Sequence[Node], strings: Sequence[int]) -> Iterator[tuple[str, Node]]:
    """Rules, and the statement that breaks each. `strings`: the number of the string that a statement is sent in."""
    in_transaction, limited = False, True
    committed: list[Node] = []
    dropped: set[str] = set()
    sent = Counter(strings)
    for statement, string in zip(statements, strings, strict=True):
        if statement.kind == "BEGIN":
            in_transaction = True
        elif statement.kind in {"COMMIT_TRANSACTION", "ROLLBACK_TRANSACTION"}:
            in_transaction = False
        elif statement.kind in {"SET", "RESET"}:
            local = statement.has("LOCAL_KW") and not in_transaction  # has no effect
            if statement.name("CONFIG_PARAMETER_REF") in {"lock_timeout", ""} and not local:
                limited = _is_limit(statement)
        elif _changes_lock_timeout(statement):
            yield "no-lock-timeout", statement
        elif statement.kind != "SELECT":
            together = in_transaction or sent[string] > 1
            yield from ((rule, statement) for rule in _lint_one(statement, dropped, together=together, limited=limited))
            if not in_transaction:
                yield from (("split-migration", earlier) for earlier in committed)
            committed = [*committed, statement] if in_transaction else []
    if not limited:
        yield "no-lock-timeout", statements[-1]


def _lint_one(statement: Node, dropped: set[str], *, together: bool, limited: bool) -> Iterator[str]:
    concurrently = statement.has("CONCURRENTLY_KW") and statement.kind != "REFRESH"  # REFRESH leaves nothing behind
    if statement.kind == "DROP_INDEX" and statement.has("IF_EXISTS"):
        dropped.update(_index(name) for name in statement.names("INDEX_REF"))
    if together and (concurrently or statement.kind == "VACUUM"):
        yield "concurrently-in-transaction"
    elif concurrently and limited:
        yield "concurrently-under-lock-timeout"
    elif not concurrently and not limited:
        yield "no-lock-timeout"
    if concurrently and statement.kind == "CREATE_INDEX" and _index(statement.name("INDEX")) not in dropped:
        yield "concurrently-not-repeatable"


def _index(name: str) -> str:
    """Without the schema: DROP INDEX says it, CREATE INDEX must not."""
    return name.rpartition(".")[2]


def _is_limit(statement: Node) -> bool:
    values = [node.text for node in statement.walk() if node.kind in VALUES]
    found = LOCK_TIMEOUT.fullmatch(values[0]) if values else None
    milliseconds = int(found[1]) * (1000 if found[2] == "s" else 1) if found else 0
    return not values or 0 < milliseconds <= LONGEST_LOCK_TIMEOUT_MILLISECONDS


def _changes_lock_timeout(statement: Node) -> bool:
    """By another way than SET: set_config(), ALTER ROLE, ALTER DATABASE."""
    return any("lock_timeout" in node.text for node in statement.walk())
