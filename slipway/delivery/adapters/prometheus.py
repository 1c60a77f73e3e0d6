"""Prometheus: the same three measurements by query, for services that are scraped."""

from __future__ import annotations

import math
from datetime import datetime

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour
from slipway.errors import OperationError

TIMEOUT_SECONDS = 10.0


class PrometheusQueries(BaseModel):
    """PromQL with the places `{colour}` and `{window}` (as in `[{window}]`); each must give one number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: str
    errors: str
    p99_seconds: str


class _Result(BaseModel):
    value: tuple[float, str]


class _Data(BaseModel):
    result_type: str = Field(alias="resultType")
    result: list[_Result]


class _Answer(BaseModel):
    status: str
    error: str = ""
    data: _Data | None = None


class PrometheusMetrics:
    """Implements `ports.Metrics` over `/api/v1/query`."""

    def __init__(self, url: str, queries: PrometheusQueries, client: httpx.Client | None = None) -> None:
        self._queries = queries
        self._client = client or httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`."""
        return Comparison(
            source="prometheus",
            candidate=self._sample(candidate, since, until),
            live=self._sample(live, since, until) if live else None,
        )

    def _sample(self, colour: Colour, since: datetime, until: datetime) -> Sample:
        window = f"{max(1, math.ceil((until - since).total_seconds()))}s"
        values = {
            name: self._number(query.replace("{colour}", colour).replace("{window}", window), until)
            for name, query in self._queries.model_dump().items()
        }
        return Sample(
            requests=round(values["requests"] or 0),
            errors=round(values["errors"] or 0),
            p99_seconds=values["p99_seconds"],
        )

    def _number(self, query: str, at: datetime) -> float | None:
        """The query's one number; None without a series, or when it is not a number."""
        try:
            response = self._client.get("/api/v1/query", params={"query": query, "time": at.timestamp()})
            answer = _Answer.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            raise OperationError(
                f"Prometheus cannot be read: {error}", remedy="check its address and that it answers"
            ) from error
        if answer.status != "success" or answer.data is None:
            raise OperationError(f"Prometheus refuses the query {query!r}: {answer.error}")
        if len(answer.data.result) > 1:
            raise OperationError(
                f"the query {query!r} gives {len(answer.data.result)} series, want one number",
                remedy="aggregate it with sum()",
            )
        number = float(answer.data.result[0].value[1]) if answer.data.result else math.nan
        return number if math.isfinite(number) else None
