"""The dashboard in Chromium: on a phone, in the dark, under a foreign name, and while what it shows changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slipway.delivery.dashboard import Overview
from tests.browser import Page
from tests.company import Counted, overview_of, served, start_releases

TOO_WIDE = "[...document.querySelectorAll('html, .card')].filter(each => each.scrollWidth > each.clientWidth).length"
LEAVE_MARKS = """
summary = document.querySelector('#history-prod-orders summary'); summary.click(); summary.focus();
getSelection().selectAllChildren(document.getElementById('prod-orders')); scrollTo(0, 100);
document.querySelectorAll('main *').forEach(each => each.old = true)
"""
TICK = "(each => each.dataset.seconds - (count(), each.dataset.seconds))(document.querySelector('.countdown'))"
MARKS = "[document.activeElement.textContent, `${getSelection()}`, scrollY, document.querySelectorAll('[open]').length]"


@pytest.fixture(scope="module")
def company() -> Overview:
    return overview_of(start_releases(), Counted())


@pytest.mark.parametrize("width", [390, 1440])
def test_page_fits_and_its_bars_show_in_the_dark(page: Page, company: Overview, width: int) -> None:
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    with served(company, "127.0.0.1") as url:
        page.open(url)
        assert page.run("Promise.all([...document.images].map(each => each.decode())).then(each => each.length)") == 9
        assert page.run("document.querySelectorAll('details').forEach(each => each.open = true) ?? 0") == 0
        assert page.run(TOO_WIDE) == 0
        assert page.run("getComputedStyle(document.querySelector('progress')).backgroundColor") == "rgb(43, 51, 61)"


def test_page_is_changed_and_not_replaced(page: Page, company: Overview, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(company.places())
    monkeypatch.setattr(company, "places", lambda: shown)
    with served(company, "127.0.0.1") as url:
        page.open(url)
        before = page.run(f"{LEAVE_MARKS}; {MARKS}")
        assert before == ["last rollouts: 1", "prod orders", 100, 1]
        assert page.run(TICK) == 1
        shown[0] = replace(shown[0], problem="no answer", rollout=None)
        assert page.run("refresh().then(() => document.querySelector('.problem').textContent)") == "no answer"
        assert page.run("document.querySelectorAll('.countdown').length") == 0
        assert page.run("[...document.querySelectorAll('main *')].filter(each => !each.old).length") == 1
        assert page.run(MARKS) == before


def test_page_of_a_foreign_origin_reads_nothing_by_a_name_of_its_own(page: Page, company: Overview) -> None:
    with served(company, "127.0.0.2") as url:
        page.open(url.replace("127.0.0.2", "evil.example"))
        assert page.run("fetch('/status.json').then(answer => answer.status)") == 400
