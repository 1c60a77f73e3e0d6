"""Capacity: pods before traffic, both ways, in a world where a colour with too few pods fails requests.

Live has 30 pods of 10 requests a second; the stack file says 2 at least. The simulated autoscaler shrinks a colour without a pause, and
grows one a minute late, so whoever relies on it loses requests. Not proven here: a real autoscaler; the test of the adapter shows what
it is told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import ActionStarted, Event, PhaseEntered, Waiting
from slipway.delivery.gates import GateFacts, refuse_without_room
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.size import Room, Size, plan_size, pods_for_all
from slipway.delivery.model.wanted import Floor
from slipway.delivery.planning import Plan
from slipway.delivery.sizing import HOLD_SECONDS
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedEnvironment
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import NEW, OLD, check_out_bad, company, left_in

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LIVE, IDLE = Colour.GREEN, Colour.BLUE
"""The first release is green."""


def busy_company(**rollout: Any) -> Rehearsal:
    """One release is live, with 30 pods that are all needed."""
    rehearsal = company("1.0.0", **rollout)
    dev = rehearsal.environment("dev")
    dev.pods.maximum, dev.pods.requests_per_pod, dev.requests_per_second = 60, 10, 300
    for _ in range(2):
        dev.clock.sleep(dev.pods.autoscaler_seconds)
        dev.pass_time()
    assert dev.ready_pods(LIVE) == 30
    dev.pods.lost_requests = 0
    return rehearsal


def released_twice(**rollout: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    """The second release is live in blue, the first one is warm in green."""
    rehearsal = busy_company(**rollout)
    rehearsal.check_out("2.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    return rehearsal, rehearsal.environment("dev")


def floors(rehearsal: Rehearsal) -> dict[Colour, int]:
    wanted = rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    return {colour: floor.pods for colour, floor in wanted.floors.items()}


def minima(dev: SimulatedEnvironment) -> dict[Colour, int]:
    return {colour: group.minimum for colour, group in dev.pods.groups.items()}


def started(rehearsal: Rehearsal) -> list[str]:
    return [event.text for event in rehearsal.events if isinstance(event, ActionStarted)]


@pytest.mark.parametrize(
    "rollout",
    [
        {"steps": [10, 50, 100]},
        {"strategy": "linear", "steps": [25]},
        {"strategy": "blue-green"},
        {"strategy": "all-at-once"},
    ],
    ids=lambda rollout: rollout.get("strategy", "canary"),
)
def test_release_under_load_loses_no_request_for_want_of_pods(rollout: dict[str, Any]) -> None:
    _rehearsal, dev = released_twice(**rollout)
    assert (dev.weights, dev.harm, dev.pods.lost_requests) == (NEW, [], 0)
    assert dev.ready_pods(IDLE) >= 30


def test_candidate_has_the_pods_for_each_share_before_it_gets_it() -> None:
    rehearsal = busy_company(steps=[10, 50, 100])
    dev, before = rehearsal.environment("dev"), dict[int, int]()
    ask = dev.ask_weights

    def note(weights: Weights) -> None:
        before[weights.of(IDLE)] = dev.ready_pods(IDLE)
        ask(weights)

    dev.ask_weights = note  # type: ignore[method-assign]
    rehearsal.check_out("2.0.0")
    delivery.release(rehearsal.context("dev"))
    assert before == {10: 3, 50: 15, 100: 30}


def test_pods_are_asked_for_in_surges_and_each_waits_for_the_one_before() -> None:
    rehearsal, dev = released_twice(strategy="blue-green", surgePercent=25)
    asked = [pods for colour, pods in dev.pods.kept if colour is IDLE]
    assert asked == [10, 18, 26, 30]
    waits = [
        event.text for event in rehearsal.events if isinstance(event, Waiting) and event.rollout.phase is Phase.SIZING
    ]
    assert "28 of the 30 pods that blue needs for 100 % of the traffic are not ready yet" in waits
    assert dev.pods.lost_requests == 0


def test_ledger_says_the_floor_before_the_autoscaler_is_told() -> None:
    rehearsal, dev = released_twice()
    texts = started(rehearsal)
    for number, text in enumerate(texts):
        if text.startswith("let the autoscaler keep"):
            assert any(earlier.startswith("pods before") for earlier in texts[:number])
    assert dev.harm == []
    assert [text for text in texts if "pods before" in text] == [
        "pods before 50 %: blue 15, green 30",
        "pods before 100 %: blue 30, green 30",
    ]


def test_pods_that_do_not_come_turn_the_rollout_back_with_what_is_missing() -> None:
    rehearsal = busy_company(sizeSeconds=20, steps=[10, 100])
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")

    def fill_nodes(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING:
            dev.pods.room = 40

    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(replace(rehearsal.context("dev"), progress=fill_nodes))
    turned = caught.value.rollout
    assert turned.reason is Reason.CAPACITY_MISSING
    assert turned.reason_text.startswith(
        "20 of the 30 pods that blue needs for 100 % of the traffic were not ready within 20 s: "
    )
    assert turned.reason_text.endswith("pods are pending: no node has room")
    assert (dev.weights, dev.harm, dev.pods.lost_requests) == (OLD, [], 0)


def test_bad_candidate_is_turned_back_while_the_next_share_waits_for_pods() -> None:
    rehearsal = busy_company(steps=[50, 100], bakeSeconds=5, sizeSeconds=600)
    dev = rehearsal.environment("dev")
    bad = check_out_bad(rehearsal, "2.0.0")

    def worsen(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.SIZING and event.rollout.baking_since:
            dev.pods.room = 45
            dev.behaviour[bad] = replace(dev.behaviour[bad], error_ratio=0.5)

    began = dev.clock.now()
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(replace(rehearsal.context("dev"), progress=worsen))
    assert caught.value.rollout.reason is Reason.ERRORS_ABOVE_LIMIT
    assert (dev.clock.now() - began).total_seconds() < 120
    assert (dev.weights, dev.pods.lost_requests) == (OLD, 0)


def test_way_back_from_the_middle_finds_all_of_its_pods_and_waits_for_none() -> None:
    rehearsal = busy_company(bakeSeconds=180)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    dev.settle_weights()
    for _ in range(40):  # the autoscaler has long seen that half of the traffic is gone
        dev.clock.sleep(5)
        dev.pass_time()
    dev.pods.fault, began = "the cluster does not answer", dev.clock.now()
    ctx = rehearsal.context("dev")
    outcome = delivery.abort(ctx)
    assert outcome.status == "rolled-back"
    assert outcome.rollout
    assert outcome.rollout.timings["weights_back"] < 2
    assert (dev.weights, dev.pods.lost_requests) == (OLD, 0)
    assert (dev.clock.now() - began).total_seconds() < 60
    assert [item.debt for item in rehearsal.ledger.owed(dev.place)] == [Debt.CAPACITY]
    dev.pods.fault = ""
    delivery.resume(ctx)
    assert list(rehearsal.ledger.owed(dev.place)) == []
    assert minima(dev) == {LIVE: 30}


@pytest.mark.parametrize("minutes", [0, 9, 45])
def test_warm_colour_is_as_large_as_live_for_its_window(minutes: int) -> None:
    rehearsal, dev = released_twice(rollbackWindowSeconds=3600)
    for _ in range(minutes * 6):
        dev.clock.sleep(10)
        dev.pass_time()
    assert dev.ready_pods(LIVE) == 30
    dev.pods.lost_requests, began, rehearsal.events = 0, dev.clock.now(), []
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.rollout.kind is Kind.SWITCH
    assert (dev.weights, dev.pods.lost_requests, dev.harm) == (OLD, 0, [])
    assert not [text for text in started(rehearsal) if "autoscaler" in text]
    for _ in range(12):  # and the autoscaler, which still sees it idle, does not shrink it
        dev.clock.sleep(10)
        dev.pass_time()
    assert dev.pods.lost_requests == 0
    assert (dev.clock.now() - began).total_seconds() < 200


def test_status_says_what_is_kept_and_until_when() -> None:
    rehearsal, dev = released_twice(rollbackWindowSeconds=3600)
    began = next(entry.at for entry in reversed(last_rollout(rehearsal).journal) if entry.phase is Phase.SETTLING)
    soon, late = (f"{began + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC" for seconds in (HOLD_SECONDS, 3600))
    (place,) = delivery.status(rehearsal.context("dev"))
    assert place.kept == f"blue 30 until {soon}, green 30 until {late}"
    dev.clock.sleep(4000)
    delivery.resume(rehearsal.context("dev"))
    (place,) = delivery.status(rehearsal.context("dev"))
    assert place.kept == ""


def last_rollout(rehearsal: Rehearsal) -> Rollout:
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    return rollout


def test_plain_up_keeps_the_floors_that_the_ledger_says() -> None:
    _rehearsal, dev = released_twice()
    assert minima(dev) == {LIVE: 30, IDLE: 30}
    dev.pods.minimum = 3  # another stack file
    dev.converge()
    assert minima(dev) == {LIVE: 30, IDLE: 30}
    assert dev.ready_pods(LIVE) == 30


def test_minimum_is_what_the_stack_file_says_once_the_window_is_over() -> None:
    rehearsal, dev = released_twice(rollbackWindowSeconds=3600)
    dev.clock.sleep(HOLD_SECONDS + 1)
    delivery.resume(rehearsal.context("dev"))
    assert (floors(rehearsal), minima(dev)) == ({LIVE: 30}, {LIVE: 30, IDLE: 2})
    dev.clock.sleep(3600)
    delivery.resume(rehearsal.context("dev"))
    assert (floors(rehearsal), minima(dev)) == ({}, {LIVE: 2, IDLE: 2})
    assert list(rehearsal.ledger.owed(dev.place)) == []
    assert dev.ready_pods(IDLE) == 30  # the autoscaler's own


def test_up_after_the_window_does_not_wait_for_a_verb() -> None:
    rehearsal, dev = released_twice(rollbackWindowSeconds=600)
    dev.converge()
    dev.clock.sleep(HOLD_SECONDS + 1)
    dev.converge()
    assert minima(dev) == {LIVE: 2, IDLE: 2}
    assert floors(rehearsal) == {LIVE: 30, IDLE: 30}


def test_autoscaler_that_cannot_be_told_in_the_end_is_owed() -> None:
    rehearsal, dev = released_twice()
    dev.clock.sleep(4000)
    dev.pods.fault = "the cluster does not answer"
    delivery.resume(rehearsal.context("dev"))
    (owed,) = rehearsal.ledger.owed(dev.place)
    assert (owed.debt, owed.problem, floors(rehearsal)) == (Debt.CAPACITY, "the cluster does not answer", {})
    dev.pods.fault = ""
    delivery.resume(rehearsal.context("dev"))
    assert (list(rehearsal.ledger.owed(dev.place)), minima(dev)) == ([], {LIVE: 2, IDLE: 2})


def test_rollback_after_the_window_moves_the_traffic_first_and_then_the_pods() -> None:
    rehearsal, dev = released_twice(rollbackWindowSeconds=600)
    dev.clock.sleep(4000)
    delivery.resume(rehearsal.context("dev"))
    for _ in range(2):
        dev.clock.sleep(120)
        dev.pass_time()
    assert dev.ready_pods(LIVE) == 2
    began = dev.clock.now()
    seconds: list[float] = []
    keep = dev.pods.keep

    def note(colour: Colour, pods: int) -> None:
        assert dev.weights == OLD
        seconds.append((dev.clock.now() - began).total_seconds())
        keep(colour, pods)

    dev.pods.keep = note  # type: ignore[method-assign]
    delivery.rollback(rehearsal.context("dev"))
    assert max(seconds) < 5
    assert (dev.harm, floors(rehearsal), minima(dev)[LIVE]) == ([], {LIVE: 30}, 30)
    dev.clock.sleep(3)
    assert dev.ready_pods(LIVE) == 30


def test_rollback_does_not_wait_for_warm_pods_that_are_missing() -> None:
    rehearsal, dev = released_twice()
    dev.pods.room = 58
    del dev.pods.groups[LIVE].ready_at[:2]  # a node is gone
    dev.pass_time()
    assert dev.ready_pods(LIVE) == 28
    began = dev.clock.now()
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert (dev.clock.now() - began).total_seconds() < 5
    assert dev.weights == OLD


def test_older_release_asks_for_the_pods_of_live_while_it_comes_up_and_waits_for_none() -> None:
    rehearsal, dev = released_twice()
    dev.startup_seconds = 20
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    assert (floors(rehearsal), minima(dev)) == ({IDLE: 30}, {IDLE: 30})
    dev.pods.room, rehearsal.events = 40, []
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.rollout.kind is Kind.ROLLBACK
    assert (dev.weights, floors(rehearsal), minima(dev)[LIVE], dev.harm) == (OLD, {LIVE: 30, IDLE: 30}, 30, [])
    texts = started(rehearsal)
    asked, moved = (
        texts.index(text)
        for text in ("let the autoscaler keep 30 pods of green at least", f"set the load balancer to {OLD}")
    )
    assert asked < moved
    assert (dev.clock.now() - outcome.rollout.started_at).total_seconds() < 40


def test_older_release_comes_back_though_its_autoscaler_cannot_be_told() -> None:
    rehearsal, dev = released_twice()
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")

    def refuse(_colour: Colour, _pods: int) -> None:
        raise OperationError("forbidden")

    dev.startup_seconds = 30  # long enough to ask more often than any other change is asked for
    keep, dev.pods.keep = dev.pods.keep, refuse  # type: ignore[method-assign]
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert dev.weights == OLD
    (owed,) = rehearsal.ledger.owed(dev.place)
    assert (owed.debt, owed.problem) == (Debt.CAPACITY, "forbidden")
    dev.pods.keep = keep  # type: ignore[method-assign]
    delivery.resume(rehearsal.context("dev"))
    assert (minima(dev)[LIVE], list(rehearsal.ledger.owed(dev.place))) == (30, [])


def test_release_that_was_turned_back_leaves_live_its_pods_and_its_own_colour_none() -> None:
    rehearsal = busy_company()
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert (floors(rehearsal), dev.pods.lost_requests) == ({LIVE: 30}, 0)
    dev.clock.sleep(HOLD_SECONDS + 1)
    delivery.resume(rehearsal.context("dev"))
    assert (floors(rehearsal), minima(dev)) == ({}, {LIVE: 2})


def test_release_into_a_warm_colour_gives_it_its_pods_back_when_it_is_turned_back() -> None:
    rehearsal, dev = released_twice()
    before = rehearsal.ledger.wanted(dev.place).floors[LIVE]
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert rehearsal.ledger.wanted(dev.place).floors[LIVE] == before
    assert minima(dev) == {LIVE: 30, IDLE: 30}
    assert (dev.weights, dev.pods.lost_requests, dev.harm) == (NEW, 0, [])


def test_rollout_that_was_given_up_keeps_no_pods_for_ever() -> None:
    rehearsal = busy_company()
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.BAKING)
    dev.balancer_fault = "throttled"
    delivery.abandon(rehearsal.context("dev"))
    assert floors(rehearsal) == {LIVE: 30, IDLE: 15}
    dev.balancer_fault = ""
    dev.clock.sleep(HOLD_SECONDS + 1)
    delivery.resume(rehearsal.context("dev"))
    assert (floors(rehearsal), minima(dev)) == ({}, dict.fromkeys(dev.running, 2))


def test_traffic_that_grows_meanwhile_is_counted() -> None:
    rehearsal = busy_company(steps=[50, 100], bakeSeconds=180, maxErrorRatio=0.5)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")

    def grow(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING:
            dev.requests_per_second = 400

    delivery.release(replace(rehearsal.context("dev"), progress=grow))
    assert dev.ready_pods(IDLE) == 40


def test_refuses_a_release_that_the_nodes_cannot_hold_beside_live_before_anything_is_touched() -> None:
    rehearsal = busy_company()
    dev = rehearsal.environment("dev")
    dev.pods.room = 42
    rehearsal.check_out("2.0.0")
    with pytest.raises(delivery.RefusedError) as caught:
        delivery.release(rehearsal.context("dev"))
    (refusal,) = caught.value.refusals
    assert refusal.gate == "capacity"
    assert refusal.text.endswith("needs 30 more pods beside live, and there is room for 12 (3 of at most 3 nodes)")
    assert "slipway:cluster.nodes.maximum" in refusal.remedy
    assert (list(dev.running), dev.weights, dev.pods.kept) == ([LIVE], OLD, [])
    (planned,) = [each for each in plan_of(rehearsal).refusals if each.gate == "capacity"]
    assert planned.text.partition(" needs")[2] == refusal.text.partition(" needs")[2]


def plan_of(rehearsal: Rehearsal) -> Plan:
    plan = delivery.release(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    return plan


def test_forced_release_goes_on_with_the_pods_that_come_in_time() -> None:
    rehearsal = busy_company(steps=[10, 100], sizeSeconds=20, maxErrorRatio=0.9)
    dev = rehearsal.environment("dev")
    dev.pods.room = 42
    rehearsal.check_out("2.0.0")
    outcome = delivery.release(rehearsal.context("dev"), force=True, because="smaller pods are on their way")
    assert outcome.rollout
    assert [text.partition(":")[0] for text in outcome.rollout.forced] == ["capacity"]
    assert (outcome.status, dev.ready_pods(IDLE), dev.harm) == ("completed", 12, [])


def test_promotion_is_refused_before_the_infrastructure_is_touched() -> None:
    rehearsal = busy_company()
    staging = rehearsal.environment("staging", promoteFrom="dev")
    delivery.promote(rehearsal.context("staging"), "dev")
    staging.pods.maximum, staging.pods.requests_per_pod, staging.requests_per_second = 60, 10, 300
    for _ in range(2):
        rehearsal.clock.sleep(60)
        staging.pass_time()
    staging.pods.room, ups = 31, staging.ups
    rehearsal.check_out("2.0.0")
    delivery.release(rehearsal.context("dev"))
    with pytest.raises(delivery.RefusedError, match="room for 1"):
        delivery.promote(rehearsal.context("staging"), "dev")
    assert staging.ups == ups


def test_way_back_is_not_asked_for_room() -> None:
    rehearsal, dev = released_twice()
    dev.pods.room = 60
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"


def test_cluster_that_does_not_answer_is_said_and_holds_up_no_plan() -> None:
    rehearsal = busy_company()
    rehearsal.environment("dev").pods.fault = "the cluster does not answer"
    assert plan_of(rehearsal).refusals == ()
    told = [event.text for event in rehearsal.events]
    assert "whether the nodes hold both colours cannot be told: the cluster does not answer" in told


@pytest.mark.parametrize(
    ("room", "text"),
    [
        (Room(fits=30, nodes=3, maximum_nodes=5), ""),
        (
            Room(fits=29, nodes=3, maximum_nodes=5),
            "r-1 needs 30 more pods beside live, and there is room for 29 (3 of at most 5 nodes)",
        ),
        (
            Room(fits=0, pending=4, because="Insufficient cpu", nodes=5, maximum_nodes=5),
            "r-1 needs 30 more pods beside live, and there is room for 0 (5 of at most 5 nodes); 4 are pending now: Insufficient cpu",
        ),
        (Room(fits=None), ""),
        (Room(fits=None, pending=4, because="Insufficient cpu"), "4 pods are pending: Insufficient cpu"),
        (None, ""),
    ],
)
def test_gate_knows_pending_pods_and_the_most_nodes(room: Room | None, text: str) -> None:
    made = Release(
        id="r-1",
        service="orders",
        version="1",
        image="orders@sha256:" + "0" * 64,
        git_commit="c",
        program_hash="p",
        lock_hash="l",
        config_hash="f",
        policy_version="1",
        revisions=(),
        created_at=NOW,
    )
    facts = GateFacts(
        now=NOW,
        kind=Kind.RELEASE,
        environment="dev",
        release=made,
        promote_from=None,
        schema=Schema(),
        room=room,
        needed_pods=30,
    )
    assert [refusal.text for refusal in refuse_without_room(facts)] == ([text] if text else [])
    assert list(refuse_without_room(replace(facts, kind=Kind.ROLLBACK))) == []


def test_service_without_load_is_not_asked_for_more_than_it_has() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    assert (dev.pods.kept, floors(rehearsal), minima(dev)) == ([], {}, {LIVE: 2, IDLE: 2})


def size(pods: int, *, ready: int | None = None, minimum: int = 2, maximum: int = 60) -> Size:
    return Size(ready=pods if ready is None else ready, wanted=pods, minimum=minimum, declared=2, maximum=maximum)


@pytest.mark.parametrize(
    ("share", "live", "candidate", "whole"),
    [
        (0, size(30), size(2), 30),
        (0, size(30, ready=4), size(2), 30),  # its pods fail: that makes it no smaller
        (10, size(30, minimum=30), size(3, minimum=3), 30),
        (10, size(30, minimum=30), size(9, minimum=3), 30),  # a pod too many at 10 % says nothing of the whole
        (50, size(40, minimum=30), size(15, minimum=15), 80),
        (50, size(30, minimum=30), size(20, minimum=15), 40),
        (90, size(30, minimum=30), size(45, minimum=27), 50),
    ],
)
def test_pods_for_the_whole_traffic_follow_the_busier_colour(
    share: int, live: Size, candidate: Size, whole: int
) -> None:
    weights = Weights.towards(IDLE, share)
    kept = {LIVE: Floor(pods=30), IDLE: Floor(pods=candidate.minimum)} if share else {}
    assert pods_for_all(LIVE, weights, kept, {LIVE: live, IDLE: candidate}) == whole


@pytest.mark.parametrize(
    ("percent", "candidate", "needed", "asked"),
    [
        (10, size(2), 3, 3),
        (1, size(2), 2, 2),
        (100, size(2), 30, 17),
        (100, size(17, ready=16, minimum=17), 30, 17),
        (100, size(17, minimum=17), 30, 30),
        (100, size(2, maximum=20), 20, 12),
    ],
)
def test_plan_asks_for_one_surge_at_a_time_within_the_autoscalers_limits(
    percent: int, candidate: Size, needed: int, asked: int
) -> None:
    kept = {IDLE: Floor(pods=candidate.minimum)} if candidate.minimum > 2 else {}
    plan = plan_size(
        colour=IDLE,
        percent=percent,
        weights=Weights.towards(LIVE, 100),
        floors=kept,
        sizes={LIVE: size(30), IDLE: candidate},
        healthy=100,
        surge_percent=50,
    )
    floor = plan.floors.get(IDLE)
    assert (plan.needed, floor.pods if floor else 2) == (needed, asked)
