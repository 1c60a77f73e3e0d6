"""PostgreSQL, in a transaction that only reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import LiteralString, cast

from slipway.contract.analysis import COMMON_PLACEHOLDERS, SqlEntry
from slipway.delivery.adapters.analysis.filling import fill, words
from slipway.delivery.adapters.analysis.secret_values import ReadSecret
from slipway.delivery.model.analysis import Answer, Subject
from slipway.errors import OperationError

LONGEST_MESSAGE = 160


class Sql:
    """Answers entries of type `sql`."""

    def __init__(self, read_secret: ReadSecret) -> None:
        self._read_secret = read_secret

    def answer(self, entry: SqlEntry, subject: Subject) -> Answer:
        """See `Provider.answer`."""
        since, until = subject.span
        parameters = {**words(subject), "window": subject.window_seconds, "since": since, "until": until}
        query = fill(entry.query.replace("%", "%%"), {name: f"%({name})s" for name in COMMON_PLACEHOLDERS}, str)
        password = self._read_secret(entry.password, entry.timeout_seconds)
        row = _one_row(entry, query, parameters, password)
        if len(row) != (2 if entry.counts else 1):
            raise OperationError(
                f"the query gives {len(row)} columns, want {'bad and total' if entry.counts else 'one'}"
            )
        numbers = [_number(value) for value in row]
        if any(number is None for number in numbers):
            return Answer()
        return (
            Answer(bad=round(numbers[0] or 0), total=round(numbers[1] or 0))
            if entry.counts
            else Answer(value=numbers[0])
        )


def _one_row(entry: SqlEntry, query: str, parameters: dict[str, str | int], password: str) -> Sequence[object]:
    """The only row; no values where there is none. No message has the password, nor a value of the database."""
    import psycopg  # noqa: PLC0415 - 0.1 s, and few stack files have such entries

    milliseconds = max(int(entry.timeout_seconds * 500), 1)  # the other half is for the secret and the connection
    try:
        with psycopg.connect(
            host=entry.host,
            port=entry.port,
            dbname=entry.database,
            user=entry.user,
            password=password,
            sslmode=entry.tls,
            sslrootcert="system" if entry.tls == "verify-full" else None,
            connect_timeout=max(math.ceil(entry.timeout_seconds), 2),
            options=f"-c default_transaction_read_only=on -c statement_timeout={milliseconds}",
        ) as connection:
            # The query is the stack file's, whole; what is put into it is bound.
            rows = connection.execute(cast("LiteralString", query), parameters).fetchmany(2)
    except psycopg.Error as error:
        message = error.diag.message_primary or type(error).__name__
        text = " ".join(message.replace(password, "***").split())[:LONGEST_MESSAGE]
        raise OperationError(f"PostgreSQL at {entry.host}: {text}") from None
    if len(rows) > 1:
        raise OperationError("the query gives more than one row")
    return rows[0] if rows else (None,) * (2 if entry.counts else 1)


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise OperationError("the query gives no number")
