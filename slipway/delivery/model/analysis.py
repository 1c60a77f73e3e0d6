"""Measurements of the candidate and of the live colour, and what was concluded from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import WrapSerializer

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.model.colour import Colour

MOST = 2**53
"""A float counts exactly up to here."""


class VerdictKind(StrEnum):
    """What the analysis says."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    NO_DATA = "no-data"
    """Too few requests to judge; the metric's policy decides at the end of the bake."""
    UNDECIDED = "undecided"
    """Nothing speaks against the release, and the evidence for it is not enough to end the last step."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one source counted of one colour, all over the same time."""

    requests: int = 0
    errors: int = 0
    """Answers 5xx, and requests that the target never answered."""
    slow: int | None = None
    """Answers slower than the limit; None: no answer times were measured."""

    def plus(self, other: Sample) -> Sample:
        """Both together."""
        return Sample(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            slow=None if self.slow is None and other.slow is None else (self.slow or 0) + (other.slow or 0),
        )

    def minus(self, other: Sample) -> Sample:
        """What is left without `other`; sources that count late never make it negative."""
        requests = max(self.requests - other.requests, 0)
        slow = None if self.slow is None else min(max(self.slow - (other.slow or 0), 0), requests)
        return Sample(requests=requests, errors=min(max(self.errors - other.errors, 0), requests), slow=slow)

    def at_most(self, later: Sample) -> Sample:
        """Without what a later count of the same time, and more, does not have any more."""
        slow = self.slow if later.slow is None else min(self.slow or 0, later.slow)
        return Sample(requests=min(self.requests, later.requests), errors=min(self.errors, later.errors), slow=slow)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Candidate and live colour, measured by one source over the same time."""

    source: str
    """`cloudwatch`, `prometheus`, `probe`: named in the verdict."""
    candidate: Sample
    live: Sample | None = None
    """None: there is no live colour, or the source does not see it."""
    synthetic: bool = False
    """The requests are our own, made for this measurement."""
    counts_synthetic: bool = False
    """The source counts our own requests among the users'; they are subtracted."""
    fault: str = ""
    """Why the source could not be read this time; the counts are those of the time before."""
    analysis: bool = False
    """The source is an entry of `rollout.analysis` that counts: no requests, but bad ones among all."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What an entry of `rollout.analysis` is asked about."""

    colour: Colour
    release: str
    since: datetime
    """When the step began to bake."""
    until: datetime

    @property
    def window_seconds(self) -> int:
        """The time that is asked about, in whole seconds."""
        return max(1, math.ceil((self.until - self.since).total_seconds()))

    @property
    def span(self) -> tuple[int, int]:
        """Its beginning and its end, in whole seconds since 1970."""
        return math.floor(self.since.timestamp()), math.ceil(self.until.timestamp())


@dataclass(frozen=True, kw_only=True)
class Question:
    """One entry about one colour."""

    entry: AnalysisEntry
    subject: Subject


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered: a value, or counts. Nothing of all: there is no data."""

    value: float | None = None
    bad: int | None = None
    total: int | None = None
    fault: str = ""
    """Why there is no answer."""
    silent: bool = False
    """It was asked, and says by `fault` that it has nothing to say."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The values of an entry of `rollout.analysis`."""

    name: str
    candidate: float | None = None
    """None: no data."""
    live: float | None = None
    """None: no data, or it is not compared."""
    beyond: int = 0
    """So many looks of the step in a row, with this one, found the candidate beyond the limit. A look without an answer is left out."""
    fault: str = ""


def _without_defaults(values: Any) -> Any:
    """Of what a measurement keeps of each source and entry: but for counts, defaults are nothing. A rollout keeps a hundred of them."""
    if isinstance(values, dict):
        found = cast("dict[str, Any]", values)
        kept = {key: value for key, value in found.items() if not (value is None or value is False or value == "")}
        return {key: _without_defaults(value) for key, value in kept.items()}
    if isinstance(values, (list, tuple)):
        return [_without_defaults(value) for value in cast("Sequence[Any]", values)]
    return values


_Brief = WrapSerializer(lambda values, handler: _without_defaults(handler(values)))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Everything that one judgement of a step was made from: all requests since the step began."""

    at: datetime
    since: datetime
    """When the step began to bake."""
    step: int
    seconds: float
    """How much of the step is covered; the metric store's delay is left out."""
    stretch: int
    """Which part of the step this is in: the test starts once more with each."""
    comparisons: Annotated[tuple[Comparison, ...], _Brief]
    readings: Annotated[tuple[Reading, ...], _Brief] = ()
    verdict: VerdictKind = VerdictKind.NO_DATA
    """What was concluded."""
