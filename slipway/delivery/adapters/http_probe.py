"""Requests of our own: the smoke test, and synthetic requests that give a candidate numbers while nobody visits it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime

import httpx

from slipway.delivery.adapters.http import http_client
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.errors import OperationError

TIMEOUT_SECONDS = 5.0
STREAK = 3
"""Passes in a row that a smoke test needs: one good answer may come from the only good pod."""
PAUSE_SECONDS = 0.2
MAXIMUM_SYNTHETIC_REQUESTS = 20
"""Per analysis: evidence, not load."""
ENOUGH_FAILURES = 3
"""A candidate that hangs would keep the judge waiting for all the others."""


class HttpProbe:
    """Implements `ports.Probe` and, over the test route, `ports.Metrics`."""

    source, synthetic = "probe", True

    def __init__(
        self,
        target: Target,
        test_headers: Callable[[], Mapping[str, str]],
        client: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`test_headers`: what sends a request over the test route; asked at each look, since an `up` may have made it anew."""
        self._url = target.load_balancer.url
        self._test_headers = test_headers
        self._settings = target.rollout
        # Connections are not kept: each request is to be balanced anew, over all targets.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = client or http_client(
            timeout=TIMEOUT_SECONDS,
            to_service=self._url.startswith("https:"),
            limits=limits,
            follow_redirects=False,
        )
        self._sleep = sleep

    def smoke(self, *, live: bool, colour: Colour, release: str, deadline_seconds: float) -> None:
        """See `Probe.smoke`."""
        headers: Mapping[str, str] = {} if live else self._test_headers()
        deadline = time.monotonic() + deadline_seconds
        streak, last = 0, ""
        while streak < STREAK:
            last = self._fault(headers, colour, release)
            streak = 0 if last else streak + 1
            if streak == STREAK:
                return
            if time.monotonic() >= deadline:
                raise OperationError(
                    f"the smoke test did not pass within {deadline_seconds:g} s: {last or 'too few passes in a row'}",
                    where=self._url if live else f"{self._url}, over the test route",
                )
            self._sleep(PAUSE_SECONDS)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`. The time is now: the requests are made here, and are those of this look alone."""
        del candidate, live, since, until
        paths, made, headers = self._settings.smoke_paths, Sample(slow=0), self._test_headers()
        for number in range(synthetic_requests(self._settings)):
            began = time.monotonic()
            try:
                answer = self._client.get(f"{self._url}{paths[number % len(paths)]}", headers=headers)
                failed = answer.status_code >= 500
            except httpx.HTTPError:
                failed = True
            slow = time.monotonic() - began > self._settings.max_p99_seconds
            made = made.plus(Sample(requests=1, errors=int(failed), slow=int(slow)))
            if made.errors == ENOUGH_FAILURES:
                break
        return Comparison(source=self.source, candidate=made, synthetic=True)

    def _fault(self, headers: Mapping[str, str], colour: Colour, release: str) -> str:
        """What is wrong with the first path that is not right; "" when all are."""
        for path in self._settings.smoke_paths:
            try:
                response = self._client.get(f"{self._url}{path}", headers=headers)
            except httpx.HTTPError as error:
                return f"GET {path}: {type(error).__name__}: {error}"
            if not response.is_success:
                return f"GET {path} answered {response.status_code}"
            wrong = _wrong_identity(response, colour, release)
            if wrong:
                return f"GET {path} {wrong}"
        return ""


def synthetic_requests(settings: RolloutSettings) -> int:
    """So many per analysis that the minimum is reached within one bake, were there no others."""
    judged = settings.bake_seconds - settings.metric_period_seconds  # before a period is over, nothing is asked
    analyses = max(1, int(judged / settings.analysis_interval_seconds))
    return min(math.ceil(settings.minimum_requests / analyses), MAXIMUM_SYNTHETIC_REQUESTS)


def _wrong_identity(response: httpx.Response, colour: Colour, release: str) -> str:
    """A page that names a release and a colour must name the right ones, or the test has asked somebody else."""
    if "json" not in response.headers.get("content-type", ""):
        return ""
    try:
        body = response.json()
    except ValueError:
        return "answered JSON that cannot be read"
    if not isinstance(body, dict):
        return ""
    wanted = {"release": release, "colour": str(colour)}
    wrong = [
        f"{key} {body[key]!r} instead of {value!r}"
        for key, value in wanted.items()
        if key in body and body[key] != value
    ]
    return f"comes from {', '.join(wrong)}" if wrong else ""
