"""The dashboard's pages over a simulated company: what they show, what they hide, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.dashboard import Overview, build_app
from slipway.delivery.dashboard.charts import CHARTS, render_chart
from slipway.delivery.dashboard.overview import period_of
from slipway.delivery.dashboard.wording import waits
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.fitness import Fitness, FitnessNote, digest_of
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import OperationError
from tests.company import Counted, overview_of, owing_releases, series, start_releases

SETTINGS = RolloutSettings()


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


@pytest.fixture(scope="module")
def company() -> Rehearsal:
    return start_releases()


@pytest.fixture
def source() -> Counted:
    return Counted()


@pytest.fixture
def overview(company: Rehearsal, source: Counted) -> Overview:
    return overview_of(company, source)


@pytest.fixture
def page(overview: Overview) -> Browser:
    return Browser(overview)


def test_page_shows_every_environment_and_the_rollout_under_way(page: Browser) -> None:
    text = page.get("/").text
    for path in ("/static/style.css", "/static/live.js"):
        assert path in text
        assert page.get(path).status_code == 200
    words = " ".join(re.sub(r"<[^>]*>", " ", text).split())
    for shown in (
        f"dev 1.1.0 {'c' * 12} release 1.3.0: baking staging 1.1.0 {'c' * 12} prod 1.0.0 {'c' * 12} 1.1.0 waits: slipway promote",
        "dev orders http",
        "release 1.3.0: baking since",
        "10 % done 50 % current 100 % coming",
        "Next: 100 % in 1:29",
        "simulation: errors 0.00 % of 25 0.00 % of 25 1.00 % pass simulation: slower than 1 s 0.00 % of 25",
        "Verdict: pass",
        "set the load balancer to",
        "is rejected: errors-above-limit",
        "blue 1.1.0 green 1.3.0 limit",
        "release 1.2.0: rolled back",
        "staging orders http",
        "prod orders http",
    ):
        _, found, words = words.partition(shown)
        assert found, shown


MORE_MEMORY = ColourSettings(template='{"memory": "1Gi"}')


@pytest.mark.parametrize("by", [1, 2], ids=["staging", "prod"])
def test_what_waits_is_rejected_or_told_with_its_command(overview: Overview, by: int) -> None:
    places = list(overview.places())
    ready = places[1].running
    assert ready is not None
    note = FitnessNote(release=ready.release, because="slow", by="ada", at=overview.now())
    record = Fitness(environment=places[by].environment, digest=digest_of(ready.image), rejected=note)
    places[by] = replace(places[by], rejected=(record,))
    places[2] = replace(places[2], pending_contract=("0002", "0003"))
    assert list(waits(places[2], places)) == ["1.1.0 waits: rejected", "0002, 0003 wait: slipway contract prod"]
    assert list(waits(replace(places[2], live=places[1].live, colours=places[1].colours), places))[1:] == []
    others = {
        colour: replace(each, running=each.running and replace(each.running, settings=MORE_MEMORY))
        for colour, each in places[1].colours.items()
    }
    assert list(waits(replace(places[2], live=places[1].live, colours=others), places))[1:] == []


def test_rollout_has_a_page_with_its_journal_and_numbers(company: Rehearsal, page: Browser) -> None:
    (bad, good, *_) = company.ledger.history(company.environment("dev").place, 10)
    text = page.get(f"/rollouts/dev/orders/{bad.id}").text
    assert "rolled back" in text
    assert bad.reason_text.split(":")[0] in text
    assert text.count("<tr>") >= len(bad.journal)
    assert '<li class="failed">10 %' in text
    assert '<b class="bad">fail</b>' in text
    assert "until the traffic was back" in text
    assert not re.search(">waiting-for-targets|simulation\\.candidate|weights_back", text)
    assert page.get(f"/rollouts/dev/orders/{good.id}").status_code == 200
    missing = page.get("/rollouts/dev/orders/none")
    assert (missing.status_code, "has no rollout none" in missing.text) == (404, True)


def test_what_others_wrote_is_shown_and_never_obeyed(source: Counted) -> None:
    text = Browser(overview_of(start_releases("<script>alert(1)</script>"), source)).get("/").text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text


def test_what_is_owed_is_shown_with_its_age_its_error_and_the_command(source: Counted) -> None:
    company = owing_releases()
    company.clock.sleep(7200)
    page = Browser(overview_of(company, source))
    words = " ".join(re.sub(r"<[^>]*>", " ", page.get("/").text).split())
    assert "owed: up for 2 h, tried 2 times: quota [exceeded]; slipway resume dev tries again" in words
    (owed,) = page.get("/status.json").json()[0]["owed"]
    assert (owed["debt"], owed["attempts"], owed["problem"]) == ("up", 2, "quota [exceeded]")
    company.environment("dev").up_fault = ""
    delivery.resume(company.context("dev"))
    assert "owed" not in Browser(overview_of(company, source)).get("/").text


def test_data_is_what_status_prints(page: Browser) -> None:
    places = page.get("/status.json").json()
    assert [place["environment"] for place in places] == ["dev", "staging", "prod"]
    assert places[0]["colours"]["green"]["running"]["version"] == "1.3.0"


@pytest.mark.parametrize("name", CHARTS)
def test_chart_is_a_drawing_that_loads_nothing(page: Browser, source: Counted, name: str) -> None:
    answer = page.get(f"/charts/dev/orders/{name}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    assert CHARTS[name].title in answer.text
    assert 'href="http' not in answer.text
    (asked,) = source.asked
    assert asked[1] - asked[0] == timedelta(seconds=120 * asked[2])


def test_many_who_look_cost_one_reading(page: Browser, source: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.delivery.dashboard.overview.time", SimpleNamespace(monotonic=lambda: 0.0))
    for name in CHARTS:
        for _ in range(3):
            page.get(f"/charts/dev/orders/{name}.svg")
    assert len(source.asked) == 1


def test_charts_are_drawn_of_nothing_too() -> None:
    for chart in CHARTS.values():
        assert b"no requests" in render_chart(chart, {}, None)
        assert b"<path" in render_chart(chart, {Colour.BLUE: series(0, 0), Colour.GREEN: series(5, 5)}, SETTINGS)


def test_axis_has_numbers_as_people_write_them() -> None:
    drawn = render_chart(CHARTS["requests"], {Colour.GREEN: series(30_000, 90_000)}, SETTINGS).decode()
    assert "e+0" not in drawn
    assert ">1,600<" in drawn


@pytest.mark.parametrize(("errors", "red"), [(0, False), (10, True)])
def test_chart_shows_the_limit_and_is_red_above_it(errors: int, red: bool) -> None:
    drawn = render_chart(CHARTS["errors"], {Colour.GREEN: series(100, 100, errors=errors)}, SETTINGS).decode()
    assert "errors, in percent (limit 1)" in drawn
    assert "series serie-2" in drawn
    assert (".title{fill:#d4453c !important}" in drawn) is red


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
    assert period_of(replace(place, rollout=None, history=(replace(last, settings=settings),))) == period
    assert period_of(replace(place, rollout=None, history=())) == 60


@pytest.mark.parametrize(
    ("path", "status"),
    [("/charts/dev/orders/nothing.svg", 404), ("/charts/none/orders/requests.svg", 404), ("/nowhere", 404)],
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
