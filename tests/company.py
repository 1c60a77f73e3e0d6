"""A simulated company whose dashboard is looked at: dev is in the middle of a release."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway import delivery
from slipway.cli.dashboard import hosts_of, listening, parse_address
from slipway.delivery.dashboard import Overview, build_app, build_server
from slipway.delivery.events import ActionStarted, Analysed, Event
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.series import Point, Series
from slipway.delivery.reporting import read_status
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Died(BaseException):
    """The releasing process, in the middle."""


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
        return {Colour.BLUE: series(60, 120), Colour.GREEN: series(0, 12)}


def start_releases(newest: str = "1.3.0") -> Rehearsal:
    """1.1.0 is live in dev and staging, and 1.0.0 in prod; 1.2.0 was rolled back in dev, and `newest` bakes in its second step."""
    company = Rehearsal()
    for name, source in (("dev", None), ("staging", "dev"), ("prod", "staging")):
        company.environment(name, **({"promoteFrom": source} if source else {}), bakeSeconds=90)
    for version in ("1.0.0", "1.1.0"):
        company.check_out(version)
        delivery.release(company.context("dev"))
        delivery.promote(company.context("staging"), "dev")
        if version == "1.0.0":
            delivery.promote(company.context("prod"), "staging")
    company.check_out("1.2.0")
    plan = delivery.release(company.context("dev"), dry_run=True).plan
    assert plan is not None
    assert plan.release is not None
    company.environment("dev").behaviour[plan.release.id] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(company.context("dev"))
    company.check_out(newest)

    def die(event: Event) -> None:
        if isinstance(event, Analysed) and event.rollout.step == 1:
            raise Died

    with pytest.raises(Died):
        delivery.release(replace(company.context("dev"), progress=die))
    return company


def owing_releases() -> Rehearsal:
    """2.0.0 is live in dev, and its `up` has failed twice."""
    company = Rehearsal()
    dev = company.environment("dev")
    company.check_out("1.0.0")
    delivery.release(company.context("dev"))
    company.check_out("2.0.0")

    def break_stack(event: Event) -> None:
        if isinstance(event, ActionStarted) and event.text == "blue is live":
            dev.up_fault = "quota [exceeded]"

    delivery.release(replace(company.context("dev"), progress=break_stack))
    delivery.resume(company.context("dev"))
    return company


def overview_of(company: Rehearsal, source: Counted) -> Overview:
    """What the dashboard reads."""
    read = lambda: read_status(company.ledger, lambda target: company.environment(target.environment).world().balancer)  # noqa: E731
    return Overview(company.ledger, read, lambda _target: source, company.clock.now)


@contextlib.contextmanager
def served(overview: Overview, host: str) -> Iterator[str]:
    """The dashboard as the command serves it; its URL."""
    address = parse_address(host)
    hosts = hosts_of(address, ["dash.example"])
    server = build_server(build_app(overview, hosts=hosts))
    with listening(address, 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://{hosts[0]}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
