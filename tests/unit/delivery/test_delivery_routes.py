"""`rollout.routes`: people who try a release first get the candidate while there is one, and are everybody otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from slipway import delivery
from slipway.contract.routes import Match, plan_matches
from slipway.delivery.events import ActionStarted, Event, PhaseEntered
from slipway.delivery.model.cadence import AWS
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.route import NO_ROUTES, Route, Routes
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import NEW, OLD, check_out_bad, company, left_in, listening

HEADER: dict[str, Any] = {"header": {"name": "X-Canary", "value": "always"}}
COOKIE: dict[str, Any] = {"cookie": {"name": "canary", "value": "1"}}


def settings(*routes: dict[str, Any]) -> RolloutSettings:
    return RolloutSettings.model_validate({"routes": routes})


def routes_to(colour: Colour) -> Routes:
    return frozenset(Route(match=match, colour=colour) for match in plan_matches(settings(HEADER, COOKIE).routes))


def two_versions(**rollout: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    """1.0.0 is live on green, 2.0.0 is checked out and will be blue."""
    rehearsal = company("1.0.0", routes=[HEADER, COOKIE], **rollout)
    rehearsal.check_out("2.0.0")
    return rehearsal, rehearsal.environment("dev")


def routes_by_phase(
    rehearsal: Rehearsal, dev: SimulatedEnvironment, release: Callable[[Any], object]
) -> dict[Phase, Routes]:
    """What the load balancer had when each phase had been entered, at the last time."""
    found: dict[Phase, Routes] = {}

    def note(event: Event) -> None:
        if isinstance(event, PhaseEntered):
            found[event.phase] = dev.routes

    release(listening(rehearsal, note))
    return found


def test_routes_lead_to_the_candidate_from_its_smoke_test_to_its_end() -> None:
    rehearsal, dev = two_versions()
    found = routes_by_phase(rehearsal, dev, delivery.release)
    blue = routes_to(Colour.BLUE)
    shown = {Phase.SHIFTING, Phase.BAKING, Phase.SIZING, Phase.VERIFYING, Phase.SETTLING}
    assert {phase for phase, routes in found.items() if routes == blue} == shown
    assert all(found[phase] == NO_ROUTES for phase in (Phase.DEPLOYING, Phase.WAITING, Phase.SMOKING, Phase.COMPLETED))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, NEW, [])


def test_people_try_a_release_while_its_first_step_waits_for_approval() -> None:
    rehearsal, dev = two_versions(steps=[{"percent": 50, "approval": True}, 100], approvalSeconds=40)
    seen: list[tuple[Any, Routes]] = []

    def note(event: Event) -> None:
        if "waits for approval" in event.text:
            seen.append((dev.weights, dev.routes))

    with pytest.raises(delivery.ReleaseRolledBackError, match="not-approved"):
        delivery.release(listening(rehearsal, note))
    assert set(seen) == {(OLD, routes_to(Colour.BLUE))}
    assert (dev.routes, dev.harm) == (NO_ROUTES, [])


def test_candidate_that_dies_while_only_people_use_it_is_turned_back_and_nothing_is_judged() -> None:
    rehearsal, dev = two_versions(steps=[{"percent": 50, "approval": True}, 100], approvalSeconds=4000)

    def die(event: Event) -> None:
        if "waits for approval" in event.text:
            dev.behaviour["2.0.0"] = Behaviour(healthy=False)

    with pytest.raises(delivery.ReleaseRolledBackError, match="targets-unhealthy") as caught:
        delivery.release(listening(rehearsal, die))
    assert caught.value.rollout.measurements == ()
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


def test_way_back_ends_the_routes_before_the_colour_is_replaced_and_nodes_have_followed() -> None:
    rehearsal = company("1.0.0", "2.0.0", routes=[HEADER, COOKIE])  # both colours run something
    dev, rehearsal.cadence = rehearsal.environment("dev"), AWS
    dev.nodes_lag_seconds = 20
    rehearsal.clock.sleep(60)
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, NEW, [])


def test_pods_that_only_people_use_stay_until_nodes_have_followed() -> None:
    rehearsal = company("1.0.0", "2.0.0", routes=[HEADER])  # both colours run something
    dev, rehearsal.cadence = rehearsal.environment("dev"), AWS
    dev.rollout = {**dev.rollout, "steps": [{"percent": 100, "approval": True}], "approvalSeconds": 5}
    dev.nodes_lag_seconds = 20
    rehearsal.clock.sleep(60)
    rehearsal.check_out("3.0.0")
    with pytest.raises(delivery.ReleaseRolledBackError, match="not-approved"):
        delivery.release(rehearsal.context("dev"))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, NEW, [])


def test_weights_go_back_also_where_the_rules_cannot_be_read() -> None:
    rehearsal = company("1.0.0", routes=[HEADER])
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)

    def fail(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.RETURNING:
            dev.routes_fault = "throttled"

    with pytest.raises(OperationError, match=r"(?s)throttled.*slipway resume dev"):
        delivery.release(listening(rehearsal, fail))
    assert dev.weights == OLD
    dev.routes_fault = ""
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.resume(rehearsal.context("dev"))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


def test_rollback_opens_no_route() -> None:
    rehearsal = company("1.0.0", "2.0.0", routes=[HEADER, COOKIE])
    dev = rehearsal.environment("dev")
    found = routes_by_phase(rehearsal, dev, delivery.rollback)
    assert set(found.values()) == {NO_ROUTES}
    assert (dev.weights, dev.harm) == (OLD, [])


@pytest.mark.parametrize("phase", [Phase.SIZING, Phase.SHIFTING, Phase.BAKING, Phase.SETTLING])
def test_release_that_is_killed_with_routes_is_resumed_and_ends_without(phase: Phase) -> None:
    rehearsal, dev = two_versions()
    left_in(rehearsal, phase)
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, NEW, [])


def test_refuses_a_release_while_routes_are_there_that_no_rollout_explains() -> None:
    rehearsal, dev = two_versions()
    dev.routes = routes_to(Colour.BLUE)
    with pytest.raises(OperationError, match=r"and routes to blue by cookie, x-canary and the ledger says"):
        delivery.release(rehearsal.context("dev"))
    with pytest.raises(OperationError, match="routes to blue"):
        delivery.refuse_moved_traffic(rehearsal.context("dev"))
    assert "routes to blue" in delivery.resume(rehearsal.context("dev")).text
    assert (dev.routes, dev.harm) == (NO_ROUTES, [])
    assert delivery.release(rehearsal.context("dev")).status == "completed"


def test_refuses_to_replace_a_colour_that_routes_lead_to() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0", routes=[HEADER])
    dev = rehearsal.environment("dev")
    oldest = rehearsal.ledger.history(dev.place, 9)[-1].candidate
    assert oldest
    dev.routes = routes_to(Colour.BLUE)  # 3.0.0 is green
    with pytest.raises(OperationError, match="routes to blue by cookie, x-canary, and blue was to be replaced"):
        delivery.rollback(rehearsal.context("dev"), oldest.release)
    assert dev.harm == []


def refuse(_routes: Routes) -> None:
    raise OperationError("not authorised")


def forget(_routes: Routes) -> None:
    """The load balancer says yes, or somebody undoes it at once."""


def test_abandoned_release_says_which_routes_are_left() -> None:
    rehearsal, dev = two_versions()
    left_in(rehearsal, Phase.BAKING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dev, "set_routes", refuse)
        outcome = delivery.abandon(rehearsal.context("dev"))
    assert "still has routes to blue by cookie, x-canary: `slipway resume dev` ends them" in outcome.text
    delivery.resume(rehearsal.context("dev"))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


@pytest.mark.parametrize(("forgotten", "completes"), [(1, True), (4, True), (5, False)])
def test_rules_that_cannot_be_made_are_asked_for_again_and_then_turn_the_release_back(
    forgotten: int, completes: bool
) -> None:
    rehearsal, dev = two_versions()
    dev.forgotten_routes = forgotten
    if completes:
        assert delivery.release(rehearsal.context("dev")).status == "completed"
    else:
        with pytest.raises(delivery.ReleaseRolledBackError, match="weights-not-confirmed: rule limit reached"):
            delivery.release(rehearsal.context("dev"))
    assert (dev.routes, dev.harm) == (NO_ROUTES, [])


def test_rules_that_somebody_deletes_each_time_turn_the_release_back() -> None:
    """It asked for them for ever: each answer was yes, and began the deadline anew."""
    rehearsal, dev = two_versions()
    dev.set_routes = forget  # type: ignore[method-assign]
    with pytest.raises(delivery.ReleaseRolledBackError, match=r"weights-not-confirmed: .* did not keep routes to blue"):
        delivery.release(rehearsal.context("dev"))
    assert rehearsal.clock.monotonic() < 200
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


def test_rules_that_do_not_go_away_are_given_up_in_the_end_and_resumed() -> None:
    rehearsal, dev = two_versions()
    left_in(rehearsal, Phase.BAKING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dev, "set_routes", forget)
        with pytest.raises(OperationError, match=r"(?s)tried for 900 s.*slipway resume dev"):
            delivery.abort(rehearsal.context("dev"))
    assert dev.weights == OLD
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.resume(rehearsal.context("dev"))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


def test_rules_that_come_and_go_while_people_are_waited_for_are_only_made_again() -> None:
    rehearsal, dev = two_versions(steps=[{"percent": 50, "approval": True}, 100], approvalSeconds=400)
    gone: list[Any] = []

    def delete(event: Event) -> None:
        if "waits for approval" in event.text and rehearsal.clock.monotonic() > 100 * (len(gone) + 1):
            gone.append(dev.routes)
            dev.routes = NO_ROUTES

    with pytest.raises(delivery.ReleaseRolledBackError, match="not-approved"):
        delivery.release(listening(rehearsal, delete))
    assert gone == [routes_to(Colour.BLUE)] * 4


def test_rules_that_cannot_be_deleted_for_a_minute_keep_nobody_at_what_is_turned_back() -> None:
    """It gave up after four seconds: people stayed with the bad release until somebody came."""
    rehearsal, dev = two_versions()
    dev.behaviour["2.0.0"] = Behaviour(error_ratio=0.5)

    def throttle(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.RETURNING:
            dev.routes_fault = "throttled"
            since.append(rehearsal.clock.monotonic())

    since: list[float] = []
    sleep = dev.clock.sleep

    def pass_time(seconds: float) -> None:
        sleep(seconds)
        if since and rehearsal.clock.monotonic() > since[0] + 60:
            dev.routes_fault = ""

    dev.clock.sleep = pass_time  # type: ignore[method-assign]
    with pytest.raises(delivery.ReleaseRolledBackError, match="errors-above-limit"):
        delivery.release(listening(rehearsal, throttle))
    assert (dev.routes, dev.weights, dev.harm) == (NO_ROUTES, OLD, [])


def test_routes_that_somebody_deleted_are_there_again_with_the_next_step() -> None:
    rehearsal, dev = two_versions()
    found: list[Routes] = []

    def delete(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING:
            found.append(dev.routes)
            dev.routes = NO_ROUTES

    dev.requests_per_second = 100
    delivery.release(listening(rehearsal, delete))
    assert found == [routes_to(Colour.BLUE)] * 2


def test_explain_says_who_goes_to_the_candidate() -> None:
    rehearsal, _ = two_versions()
    left_in(rehearsal, Phase.BAKING)
    assert "and has routes to blue by cookie, x-canary" in delivery.explain(rehearsal.context("dev")).does


def test_nothing_is_asked_of_the_load_balancer_without_routes_in_the_stack_file() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    delivery.release(rehearsal.context("dev"))
    started = [event.text for event in rehearsal.events if isinstance(event, ActionStarted)]
    assert not [text for text in started if "routes" in text]


def finds(matches: tuple[Match, ...], cookie: str) -> bool:
    """As the load balancer compares: any value of any rule, whole, with wildcards."""
    patterns = [re.escape(value).replace(r"\*", ".*") for match in matches for value in match.values]
    return any(re.fullmatch(pattern, cookie, re.IGNORECASE) for pattern in patterns)


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        ("canary=1", True),
        ("CANARY=1", True),
        ("canary=1; theme=dark", True),
        ("theme=dark; canary=1", True),
        ("theme=dark; canary=1; lang=en", True),
        ("canary=12", False),
        ("xcanary=1", False),
        ("theme=dark; xcanary=1; lang=en", False),
        ("theme=dark; canary=12; lang=en", False),
        ("theme=canary=1", False),
        ("canary=0; canary2=1", False),
    ],
)
def test_cookie_is_found_wherever_it_stands_and_no_other(cookie: str, found: bool) -> None:
    assert finds(plan_matches(settings(COOKIE).routes), cookie) is found


def test_rules_are_within_the_limits_of_a_load_balancer() -> None:
    longest = {"cookie": {"name": "n" * 60, "value": "v" * 60}}
    wildest = {"header": {"name": "h" * 40, "value": "*a?" * 2 + "*"}}
    for match in plan_matches(settings(longest, wildest).routes):
        assert len(match.values) <= 3
        assert sum(value.count("*") + value.count("?") for value in match.values) <= 5
        assert max(map(len, match.values)) <= 128


@pytest.mark.parametrize(
    ("routes", "fault"),
    [
        ([{}], "want a header or a cookie"),
        ([{**HEADER, **COOKIE}], "not both"),
        ([{"header": {"name": "Host", "value": "a"}}], "does not compare the header Host"),
        ([{"header": {"name": "cookie", "value": "a"}}], "for a cookie"),
        ([{"header": {"name": "X-Slipway-Test", "value": "a"}}], "the header of the test route"),
        ([{"header": {"name": "X_Canary", "value": "a"}}], "pattern"),
        ([{"header": {"name": "x" * 41, "value": "a"}}], "pattern"),
        ([{"header": {"name": "X-Canary", "value": ""}}], "pattern"),
        ([{"header": {"name": "X-Canary", "value": "a\nb"}}], "pattern"),
        ([{"header": {"name": "X-Canary", "value": "*?"}}], "more than wildcards"),
        ([{"header": {"name": "X-Canary", "value": "a*" * 6}}], "5 wildcards at most"),
        ([{"header": {"name": "X-Canary", "value": "a" * 129}}], "128 characters"),
        ([{"header": {"name": "X-Canary", "value": 1}}], "valid string"),
        ([{"header": {"name": "X-Canary", "values": ["a"]}}], "Extra inputs"),
        ([{"cookie": {"name": "a b", "value": "1"}}], "pattern"),
        ([{"cookie": {"name": "a", "value": "1*"}}], "pattern"),
        ([{"cookie": {"name": "a", "value": "1;2"}}], "pattern"),
        ([HEADER, {"header": {"name": "x-canary", "value": "ALWAYS"}}], "the same route twice"),
        ([{"cookie": {"name": "a", "value": str(number)}} for number in range(11)], "at most 10 items"),
    ],
)
def test_refuses_a_route_that_the_load_balancer_would_not_take(routes: list[Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        settings(*routes)


def test_weights_are_set_again_although_the_rules_cannot_be_read() -> None:
    rehearsal, dev = two_versions()
    delivery.release(rehearsal.context("dev"))
    dev.weights, dev.routes_fault = OLD, "throttled"  # somebody moved them by hand
    with pytest.raises(OperationError, match="throttled"):
        delivery.resume(rehearsal.context("dev"))
    assert dev.weights == NEW


def test_traffic_goes_back_from_a_release_that_settles_although_the_rules_cannot_be_read() -> None:
    """The rollback failed before it moved anything."""
    rehearsal, dev = two_versions()
    left_in(rehearsal, Phase.SETTLING)
    dev.routes_fault = "throttled"
    with pytest.raises(OperationError, match="throttled"):  # the rules are left, which is said
        delivery.rollback(rehearsal.context("dev"))
    assert dev.weights == OLD
    dev.routes_fault = ""
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert not dev.routes
