"""The dashboard's pages over a simulated company: what they show, what they hide, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from slipway import delivery
from slipway.delivery.dashboard import Overview, build_app
from slipway.delivery.dashboard.charts import CHARTS, render_chart
from slipway.delivery.dashboard.overview import period_of
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.series import Point, Series
from slipway.delivery.reporting import read_status
from slipway.delivery.simulation.rehearsal import Rehearsal
from slipway.delivery.simulation.world import Behaviour
from slipway.errors import OperationError

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def series(*requests: int, errors: int = 0, period: int = 60) -> Series:
    """A period for each number of requests."""
    points = (
        Point(
            at=NOON + timedelta(seconds=number * period),
            requests=count,
            errors=errors,
            p99_seconds=0.2 if count else None,
        )
        for number, count in enumerate(requests)
    )
    return Series(period_seconds=period, points=tuple(points))


class Counted:
    """A source of series that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime, int]] = []

    def series(self, since: datetime, until: datetime, period_seconds: int) -> Mapping[Colour, Series]:
        """The same traffic at any time."""
        self.asked.append((since, until, period_seconds))
        return {Colour.BLUE: series(60, 120), Colour.GREEN: series(0, 0)}


class Browser:
    """Asks the dashboard, without a network."""

    def __init__(self, overview: Overview) -> None:
        self._app = build_app(overview, hosts=["localhost"])

    def get(self, path: str, host: str = "localhost") -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.get(path)

        return asyncio.run(ask())


@pytest.fixture
def company() -> Rehearsal:
    """Two releases in dev, the second one bad; one in staging."""
    rehearsal = Rehearsal()
    rehearsal.environment("dev")
    rehearsal.environment("staging", promoteFrom="dev")
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    delivery.promote(rehearsal.context("staging"), "dev")
    rehearsal.check_out("1.1.0")
    dev = rehearsal.environment("dev")
    plan = delivery.release(rehearsal.context("dev"), dry_run=True).plan
    assert plan is not None
    assert plan.release is not None
    dev.behaviour[plan.release.id] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    return rehearsal


@pytest.fixture
def source() -> Counted:
    return Counted()


@pytest.fixture
def overview(company: Rehearsal, source: Counted) -> Overview:
    return Overview(
        company.ledger, lambda: read_status(company.ledger, None), lambda _target: source, company.clock.now
    )


@pytest.fixture
def page(overview: Overview) -> Browser:
    return Browser(overview)


def test_page_shows_every_environment_with_its_versions_and_traffic(page: Browser) -> None:
    answer = page.get("/")
    assert answer.status_code == 200
    text = answer.text
    assert text.index('id="dev-orders"') < text.index('id="staging-orders"')
    assert text.count('<span class="badge">live</span>') == 2
    assert "1.0.0" in text
    assert "is on hold" in text
    assert "errors-above-limit" in text
    for path in ("/static/style.css", "/static/live.js"):
        assert path in text
        assert page.get(path).status_code == 200
    fragment = page.get("/places").text
    assert "<html" not in fragment
    assert fragment.count("<section") == text.count("<section") == 2


def test_rollout_under_way_is_shown_with_its_step_and_journal(company: Rehearsal, page: Browser) -> None:
    place = company.environment("dev").place
    ended = company.ledger.rollout(place)
    assert ended is not None
    under_way = replace(ended, phase=ended.path[-3], step=1, ended_at=None)
    lease = company.ledger.acquire(place, company.context("dev").owner, "release", company.clock.now())
    assert lease is not None
    company.ledger.write_rollout(place, under_way, lease)
    text = page.get("/places").text
    assert "step 2 of 3 (10 % → 50 % → 100 %)" in text
    assert ended.journal[-1].text in text


def test_rollout_has_a_page_with_its_journal_and_numbers(company: Rehearsal, page: Browser) -> None:
    (bad, good) = company.ledger.history(company.environment("dev").place, 10)
    text = page.get(f"/rollouts/dev/orders/{bad.id}").text
    assert "rolled-back" in text
    assert bad.reason_text.split(":")[0] in text
    assert text.count("<tr>") >= len(bad.journal)
    assert page.get(f"/rollouts/dev/orders/{good.id}").status_code == 200
    missing = page.get("/rollouts/dev/orders/none")
    assert (missing.status_code, "has no rollout none" in missing.text) == (404, True)


def test_what_others_wrote_is_shown_and_never_obeyed(company: Rehearsal, page: Browser) -> None:
    company.check_out("<script>alert(1)</script>")
    delivery.release(company.context("dev"))
    text = page.get("/").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    policy = page.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_data_is_what_status_prints(page: Browser) -> None:
    places = page.get("/status.json").json()
    assert [place["environment"] for place in places] == ["dev", "staging"]
    assert places[0]["colours"]["green"]["running"]["version"] == "1.0.0"


@pytest.mark.parametrize("name", CHARTS)
def test_chart_is_a_drawing_that_loads_nothing(page: Browser, source: Counted, name: str) -> None:
    answer = page.get(f"/charts/dev/orders/{name}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    assert CHARTS[name].title in answer.text
    assert "<script" not in answer.text
    assert 'href="http' not in answer.text
    (asked,) = source.asked
    assert asked[1] - asked[0] == timedelta(seconds=120 * asked[2])


def test_many_who_look_cost_one_reading(page: Browser, source: Counted) -> None:
    for name in CHARTS:
        for _ in range(3):
            page.get(f"/charts/dev/orders/{name}.svg")
    assert len(source.asked) == 1


def test_charts_are_drawn_of_nothing_too() -> None:
    for chart in CHARTS.values():
        assert b"no requests" in render_chart(chart, {})
        assert b"<path" in render_chart(chart, {Colour.BLUE: series(0, 0), Colour.GREEN: series(5, 5)})


def test_ratio_and_rate_are_per_period() -> None:
    (point,) = series(10, errors=20, period=5).points  # refused connections count as errors, and as no request
    assert [CHARTS[name].value(point, 5) for name in ("requests", "errors", "latency")] == [2.0, 100.0, 200.0]
    (quiet,) = series(0).points
    assert [CHARTS[name].value(quiet, 5) for name in ("requests", "errors", "latency")] == [0.0, None, None]


@pytest.mark.parametrize(("window", "period"), [(3, 5), (6, 5), (29, 10), (59, 30), (60, 60), (300, 60)])
def test_period_is_one_that_cloudwatch_knows(overview: Overview, window: float, period: int) -> None:
    place = overview.place("dev", "orders")
    last = place.history[0]
    settings = last.settings.model_copy(update={"metric_window_seconds": window})
    assert period_of(replace(place, history=(replace(last, settings=settings),))) == period
    assert period_of(replace(place, history=())) == 60


@pytest.mark.parametrize(
    ("path", "status"),
    [("/charts/dev/orders/nothing.svg", 404), ("/charts/prod/orders/requests.svg", 404), ("/nowhere", 404)],
)
def test_what_is_not_there_is_not_found(page: Browser, path: str, status: int) -> None:
    assert page.get(path).status_code == status


def test_failure_is_said_on_the_page(company: Rehearsal, source: Counted) -> None:
    def fail() -> Any:
        raise OperationError("cannot read the ledger: no credentials", remedy="sign in")

    overview = Overview(company.ledger, fail, lambda _target: source, company.clock.now)
    page = Browser(overview)
    assert "cannot read the ledger: no credentials" in page.get("/").text
    assert page.get("/status.json").status_code == 502


def test_foreign_name_gets_nothing(page: Browser) -> None:
    assert page.get("/", host="evil.example").status_code == 400
