"""Prometheus, and whatever answers `/api/v1/query` as it does."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field, ValidationError

from slipway.contract.analysis import PrometheusEntry
from slipway.delivery.adapters.analysis.filling import fill, words
from slipway.delivery.adapters.analysis.secret_values import ReadSecret, header_of
from slipway.delivery.adapters.analysis.web import ask_json, without
from slipway.delivery.model.analysis import Answer, Subject
from slipway.errors import OperationError


class _Result(BaseModel):
    value: tuple[float, str]


class _Data(BaseModel):
    result_type: str = Field(alias="resultType")
    result: list[_Result] | tuple[float, str]


class _Reply(BaseModel):
    status: str
    error: str = ""
    warnings: list[str] = []
    """What it could not read: the numbers are of the rest."""
    data: _Data | None = None


class Prometheus:
    """Answers entries of type `prometheus`."""

    def __init__(self, read_secret: ReadSecret) -> None:
        self._read_secret = read_secret

    def answer(self, entry: PrometheusEntry, subject: Subject) -> Answer:
        """See `Provider.answer`. A query without a series gives no data, but for bad ones, where it is none."""
        headers = header_of(entry.secret_header, self._read_secret, entry.timeout_seconds)
        found = {**words(subject), "window": f"{subject.window_seconds}s"}
        numbers = [
            self._number(entry, fill(query, found, quote_promql), subject.until.timestamp(), headers)
            for query in entry.queries
        ]
        if not entry.counts:
            return Answer(value=numbers[0])
        bad, total = numbers
        return Answer() if total is None else Answer(bad=round(bad or 0), total=round(total))

    def _number(self, entry: PrometheusEntry, query: str, at: float, headers: dict[str, str]) -> float | None:
        document = ask_json(
            "POST",
            f"{entry.url.rstrip('/')}/api/v1/query",
            timeout_seconds=entry.timeout_seconds,
            headers={},
            masked=headers,
            data={"query": query, "time": str(at)},
        )
        try:
            reply = _Reply.model_validate(document)
        except ValidationError:
            raise OperationError(f"{entry.url} does not answer as Prometheus does") from None
        if reply.status != "success" or reply.data is None:
            raise OperationError(without(headers, f"Prometheus refuses the query {query!r}: {reply.error}"))
        if reply.warnings:
            raise OperationError(without(headers, f"Prometheus warns of the query {query!r}: {reply.warnings[0]}"))
        return _one(reply.data, query)


def quote_promql(word: str) -> str:
    """Within a string of PromQL, of either quote. Source: Prometheus' documentation, "String literals": Go's escapes."""
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'").replace("\n", "\\n")


def _one(data: _Data, query: str) -> float | None:
    if isinstance(data.result, tuple):
        number = float(data.result[1])
    elif len(data.result) > 1:
        raise OperationError(f"the query {query!r} gives {len(data.result)} series, want one: aggregate it with sum()")
    else:
        number = float(data.result[0].value[1]) if data.result else math.nan
    if math.isinf(number):
        raise OperationError(f"the query {query!r} gives {number}: it divides by zero")
    return None if math.isnan(number) else number
