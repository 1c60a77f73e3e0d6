"""Prometheus: the same three measurements by query, for services that are scraped."""

from __future__ import annotations

import math
from datetime import datetime
from typing import cast

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slipway.delivery.adapters.http import http_client
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour
from slipway.errors import OperationError

TIMEOUT_SECONDS = 10.0


class PrometheusQueries(BaseModel):
    """PromQL with the places `{colour}` and `{window}` (as in `[{window}]`); each must give one number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: str
    errors: str
    slow: str
    """Requests slower than `maxP99Seconds`: those of a histogram less those of its bucket."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_percentile(cls, values: object) -> object:
        if isinstance(values, dict) and "p99_seconds" in values:
            raise ValueError(
                "`p99_seconds` is not judged any more; give `slow`, the number of requests above rollout.maxP99Seconds, as"
                ' sum(increase(seconds_count{…}[{window}])) - sum(increase(seconds_bucket{…,le="1.0"}[{window}]))'
            )
        return cast("object", values)


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

    source = "prometheus"

    def __init__(self, url: str, queries: PrometheusQueries, client: httpx.Client | None = None) -> None:
        self._queries = queries
        self._client = client or http_client(base_url=url, timeout=TIMEOUT_SECONDS)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`."""
        return Comparison(
            source=self.source,
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
            slow=None if values["slow"] is None else round(values["slow"]),
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
