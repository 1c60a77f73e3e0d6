"""The verbs, in a simulated company. Fidelity of the simulation: see its package; real AWS calls are in the integration tests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import ActionStarted, LogLine, Waiting, WeightsConfirmed
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Login, MigrationPhase, Revision
from slipway.delivery.model.rollout import Kind, Phase, Reason
from slipway.delivery.ports import Place, StackResult
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment, SimulatedStack
from slipway.errors import LockedError, NotFoundError, OperationError
from tests.unit.delivery.interrupting import check_out_bad

EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
SECOND = Revision(id="0002", phase=MigrationPhase.EXPAND)
CONTRACT = Revision(id="0003", phase=MigrationPhase.CONTRACT)
FOURTH = Revision(id="0004", phase=MigrationPhase.EXPAND)
FIRST_RELEASE_WEIGHTS = [Weights(blue=0, green=100)]


def company(*versions: str, **rollout: Any) -> Rehearsal:
    """A dev environment that has released `versions`, one after the other."""
    rehearsal = Rehearsal()
    rehearsal.environment("dev", **rollout)
    for version in versions:
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
    return rehearsal


def fitness_of(rehearsal: Rehearsal, version: str) -> dict[str, str]:
    """What each environment says of the image of a version."""
    (digest,) = {item.digest for item in rehearsal.ledger.releases("orders") if item.version == version}
    places = [Place(environment=name, service="orders") for name in ("dev", "prod", "staging")]
    found = {place.environment: rehearsal.ledger.fitness(place, digest) for place in places}
    return {name: "rejected" if each.rejected else "verified" for name, each in found.items() if each}


def live_version(environment: SimulatedEnvironment) -> str:
    """What the users get, by the load balancer's weights and the running pods."""
    colour = next(colour for colour in Colour if environment.weights.of(colour) == 100)
    return environment.running[colour][0].version


def test_upgrade_leaves_what_runs_its_password_and_gives_the_next_release_users_of_its_own() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    dev.tokens = True
    rehearsal.check_out("2.0.0", revisions=[EXPAND])  # nothing to migrate, which would have made the users
    delivery.release(rehearsal.context("dev"))
    logins = {release.version: str(release.login) for release, _ in dev.running.values()}
    assert logins == {"1.0.0": "password", "2.0.0": "tokens"}
    assert (len(dev.users), dev.harm) == (1, [])
    delivery.rollback(rehearsal.context("dev"))
    assert (live_version(dev), dev.running[Colour.GREEN][0].login, len(dev.users)) == ("1.0.0", Login.PASSWORD, 1)


def test_first_release_goes_to_green_and_takes_all_traffic_at_once() -> None:
    rehearsal = company()
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    outcome = delivery.release(rehearsal.context("dev"))
    dev = rehearsal.environment("dev")
    assert outcome.status == "completed"
    assert (live_version(dev), dev.moves) == ("1.0.0", FIRST_RELEASE_WEIGHTS)
    assert dev.applied == ["0001"]
    assert rehearsal.ledger.wanted(dev.place).live is Colour.GREEN
    assert fitness_of(rehearsal, "1.0.0") == {"dev": "verified"}


def test_second_release_moves_step_by_step_and_keeps_the_old_colour_warm() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    assert dev.moves[1:] == [Weights(blue=10, green=90), Weights(blue=50, green=50), Weights(blue=100, green=0)]
    assert live_version(dev) == "2.0.0"
    assert {colour: release.version for colour, (release, _) in dev.running.items()} == {
        "blue": "2.0.0",
        "green": "1.0.0",
    }
    assert dev.test is Colour.GREEN


def test_release_tells_every_confirmed_step_and_the_end() -> None:
    rehearsal = company("1.0.0")
    rehearsal.environment("dev").notifications.clear()
    rehearsal.check_out("2.0.0")
    delivery.release(rehearsal.context("dev"))
    assert rehearsal.environment("dev").notifications == [
        "on-rollout-started",
        "on-rollout-step-completed",
        "on-rollout-step-completed",
        "on-rollout-step-completed",
        "on-rollout-completed",
    ]
    confirmed = [event.weights.blue for event in rehearsal.events if isinstance(event, WeightsConfirmed)]
    assert confirmed == [0, 10, 50, 100]


def test_delivery_adds_little_to_the_configured_bakes() -> None:
    rehearsal = company("1.0.0")
    rehearsal.environment("dev").requests_per_second = 100  # the last bake is enough to be certain
    rehearsal.check_out("2.0.0")
    outcome = delivery.release(rehearsal.context("dev"))
    assert outcome.rollout
    spent = sum(seconds for name, seconds in outcome.rollout.timings.items() if name in set(Phase))
    world = 2 * 1.0 + 2.0 + 3 * 0.4  # two `up`s, the pods' start, three weight changes, as the simulation has them
    assert spent - 3 * 5 - world < 1


def test_release_of_what_is_live_changes_nothing() -> None:
    rehearsal = company("1.0.0")
    before = rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    assert delivery.release(rehearsal.context("dev")).status == "unchanged"
    assert rehearsal.ledger.wanted(rehearsal.environment("dev").place) == before


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"error_ratio": 0.3}, Reason.ERRORS_ABOVE_LIMIT),
        ({"slow_ratio": 0.2}, Reason.LATENCY_ABOVE_LIMIT),
        ({"healthy": False}, Reason.TARGETS_UNHEALTHY),
        ({"smoke_fault": "GET /version answered 500"}, Reason.SMOKE_TEST_FAILED),
    ],
)
def test_bad_release_rolls_back_by_itself_and_is_rejected(behaviour: dict[str, Any], reason: Reason) -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", **behaviour)
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    assert caught.value.exit_code == 10
    assert caught.value.rollout.reason is reason
    assert caught.value.rollout.timings["weights_back"] < 2
    assert live_version(dev) == "1.0.0"
    assert list(dev.running) == [Colour.GREEN]
    assert fitness_of(rehearsal, "2.0.0") == {"dev": "rejected"}


def test_release_whose_pods_do_not_start_says_why() -> None:
    """For ten minutes it said how many targets were healthy."""
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", healthy=False, trouble="orders: CrashLoopBackOff")
    with pytest.raises(delivery.ReleaseRolledBackError, match="orders: CrashLoopBackOff"):
        delivery.release(rehearsal.context("dev"))
    assert any(isinstance(event, Waiting) and "CrashLoopBackOff" in event.text for event in rehearsal.events)


def test_release_whose_pods_end_again_and_again_is_not_waited_for() -> None:
    """It took the ten minutes of an `up` that waited for pods."""
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", healthy=False, trouble="orders: CrashLoopBackOff", crash_loop=True)
    with pytest.raises(delivery.ReleaseRolledBackError, match=r"end again and again.*CrashLoopBackOff") as caught:
        delivery.release(rehearsal.context("dev"))
    assert caught.value.rollout.reason is Reason.TARGETS_UNHEALTHY
    assert caught.value.rollout.timings["waiting-for-targets"] < 1
    assert fitness_of(rehearsal, "2.0.0") == {"dev": "rejected"}


def test_bad_release_is_detected_at_the_first_bad_window_not_at_the_end_of_the_bake() -> None:
    rehearsal = company("1.0.0", bakeSeconds=60)
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.3)
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    assert caught.value.rollout.timings["detect"] < 5


def test_window_grows_until_a_quiet_service_has_shown_enough() -> None:
    """flagger#1035: 2 requests a second at 10 %, 200 needed; windows of 60 s would never have them."""
    rehearsal = company(
        "1.0.0", bakeSeconds=60, metricWindowSeconds=60, analysisIntervalSeconds=10, minimumRequests=200
    )
    rehearsal.environment("dev").requests_per_second = 20
    rehearsal.check_out("2.0.0")
    outcome = delivery.release(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.rollout.phase is Phase.COMPLETED
    told = [entry.text for entry in outcome.rollout.journal if entry.phase is Phase.BAKING]
    assert any("extended" in text and "120 requests to the candidate, 200 needed" in text for text in told)
    looks = delivery.judgements(rehearsal.context("dev"))
    assert len(looks) == len(outcome.rollout.measurements) >= 20
    assert all(measurement.verdict is verdict.kind for measurement, verdict in looks)
    with pytest.raises(NotFoundError, match="has no rollout r-0"):
        delivery.judgements(rehearsal.context("dev"), "r-0")


def test_release_as_bad_as_the_live_one_goes_on_because_going_back_would_not_help() -> None:
    rehearsal = company("1.0.0", maxErrorRatio=0.01)
    dev = rehearsal.environment("dev")
    live = rehearsal.ledger.wanted(dev.place).green
    assert live
    dev.behaviour[live.release] = Behaviour(error_ratio=0.3)
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.3)
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    # At 10 and 50 % it was no worse than its peer; at 100 % there is no peer left, and the absolute limit decides.
    assert caught.value.rollout.step == 2


@pytest.mark.parametrize(
    ("fault", "reason"), [("up_fault", Reason.DEPLOYMENT_FAILED), ("migration_fault", Reason.MIGRATION_FAILED)]
)
def test_failed_step_before_traffic_moves_leaves_the_old_release_alone(fault: str, reason: Reason) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND])
    dev = rehearsal.environment("dev")
    original_up = dev.converge

    def converge() -> Any:
        # The first `up` builds the image; the fault belongs to the one that deploys the colour.
        if fault == "up_fault" and rehearsal.ledger.wanted(dev.place).blue:
            dev.up_fault = "pods of orders-blue do not start"
        elif dev.up_fault:
            dev.up_fault = ""
        return original_up()

    dev.converge = converge  # type: ignore[method-assign]
    if fault == "migration_fault":
        dev.migration_fault = "relation orders exists"
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    assert caught.value.rollout.reason is reason
    assert live_version(dev) == "1.0.0"
    assert dev.moves == FIRST_RELEASE_WEIGHTS


def test_refuses_a_rejected_release_until_it_is_forced() -> None:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.3)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    with pytest.raises(delivery.RefusedError, match="was rejected in dev") as caught:
        delivery.release(rehearsal.context("dev"))
    assert caught.value.exit_code == 5
    rehearsal.environment("dev").behaviour.clear()
    outcome = delivery.release(rehearsal.context("dev"), force=True, because="drill")
    assert outcome.rollout
    (forced,) = outcome.rollout.forced
    assert forced.startswith("rejected: ")
    assert forced.endswith("overridden: drill")
    assert outcome.rollout.journal[0].text == f"ada@bench (process 1): {forced}"
    assert fitness_of(rehearsal, "2.0.0") == {"dev": "verified"}


def test_promotion_brings_the_same_digest() -> None:
    rehearsal = company("1.0.0")
    staging = rehearsal.environment("staging", promoteFrom="dev")
    outcome = delivery.promote(rehearsal.context("staging"), "dev")
    dev = rehearsal.environment("dev")
    assert outcome.rollout
    assert outcome.rollout.promoted_from == "dev"
    assert staging.running[Colour.GREEN][0] == dev.running[Colour.GREEN][0]
    assert fitness_of(rehearsal, "1.0.0") == {"dev": "verified", "staging": "verified"}
    assert "on-promotion-completed" in staging.notifications


def test_refuses_a_promotion_of_what_was_not_verified_upstream_and_touches_nothing() -> None:
    rehearsal = company("1.0.0")
    prod = rehearsal.environment("prod", promoteFrom="staging")
    prod.exists = True
    made = rehearsal.ledger.releases("orders")[0].id
    with pytest.raises(delivery.RefusedError, match="not verified in staging; verified: dev"):
        delivery.promote(rehearsal.context("prod"), "staging", release_id=made, force=True, because="drill")
    assert (prod.ups, prod.running) == (0, {})


def test_refuses_a_promotion_with_other_sources_than_the_release_was_made_from() -> None:
    rehearsal = company("1.0.0")
    rehearsal.environment("staging", promoteFrom="dev")
    rehearsal.facts_now = replace(rehearsal.facts_now, program_hash="q" * 64)
    with pytest.raises(delivery.RefusedError, match="infrastructure program here is not the one"):
        delivery.promote(rehearsal.context("staging"), "dev")
    assert delivery.promote(rehearsal.context("staging"), "dev", force=True, because="drill").status == "completed"


def test_rollback_switches_to_the_warm_colour_without_an_up_before_the_weights() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    ups = dev.ups
    outcome = delivery.rollback(rehearsal.context("dev"), because="complaints")
    assert outcome.rollout
    assert (outcome.rollout.kind, live_version(dev), dev.ups - ups) == (Kind.SWITCH, "1.0.0", 1)
    assert sum(outcome.rollout.timings[phase] for phase in (Phase.WAITING, Phase.SHIFTING)) < 1
    (rejected,) = rehearsal.ledger.rejections(dev.place)
    assert rejected.rejected
    assert "complaints" in rejected.rejected.because
    with pytest.raises(delivery.RefusedError):
        delivery.release(rehearsal.context("dev"))


def test_rollback_deploys_an_older_release_when_nothing_is_warm() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.rollout
    assert (outcome.rollout.kind, live_version(dev)) == (Kind.ROLLBACK, "1.0.0")
    assert outcome.rollout.steps[0].percent == 100


def test_refuses_a_rollback_to_a_release_that_the_schema_has_left_behind() -> None:
    rehearsal = company("1.0.0")
    old = rehearsal.ledger.releases("orders")[0].id
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    with pytest.raises(delivery.RefusedError, match="does not know contract migration 0003"):
        delivery.rollback(rehearsal.context("dev"), old, force=True, because="drill")
    with pytest.raises(NotFoundError, match="no earlier release"):
        delivery.rollback(rehearsal.context("dev"))


def test_contract_waits_for_the_rollback_window_and_takes_the_old_colour_away_first() -> None:
    rehearsal = company("1.0.0", rollbackWindowSeconds=600)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    assert dev.applied == ["0001", "0002"]
    with pytest.raises(delivery.RefusedError, match="rollback window is open until"):
        delivery.contract(rehearsal.context("dev"))
    rehearsal.clock.sleep(601)
    outcome = delivery.contract(rehearsal.context("dev"))
    assert outcome.rollout
    assert outcome.rollout.path == (Phase.RETIRING, Phase.CONTRACTING, Phase.COMPLETED)
    assert (dev.applied, list(dev.running)) == (["0001", "0002", "0003"], [Colour.BLUE])
    assert delivery.contract(rehearsal.context("dev")).status == "unchanged"
    assert any(isinstance(event, LogLine) and "0003" in event.text for event in rehearsal.events)


def test_pending_contract_blocks_the_next_expand_until_the_window_is_closed_and_then_goes_first() -> None:
    rehearsal = company("1.0.0", rollbackWindowSeconds=600)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND, CONTRACT, FOURTH])
    with pytest.raises(delivery.RefusedError, match="contract migration 0003 is pending"):
        delivery.release(rehearsal.context("dev"), force=True, because="drill")
    rehearsal.clock.sleep(601)
    delivery.release(rehearsal.context("dev"))
    assert dev.applied == ["0001", "0002", "0003", "0004"]
    assert live_version(dev) == "3.0.0"


def test_second_process_is_refused_with_the_first_ones_name() -> None:
    rehearsal = company("1.0.0")
    place = rehearsal.environment("dev").place
    owner = rehearsal.context("dev", pid=41).owner
    rehearsal.ledger.acquire(place, owner, "slipway release dev", rehearsal.clock.now())
    with pytest.raises(LockedError, match=r"ada@bench \(process 41\) is at work here: `slipway release dev`") as caught:
        delivery.release(rehearsal.context("dev", pid=42))
    assert caught.value.exit_code == 4


def test_waiting_process_goes_on_when_the_owner_dies() -> None:
    rehearsal = company("1.0.0")
    place = rehearsal.environment("dev").place
    rehearsal.ledger.acquire(
        place, rehearsal.context("dev", pid=41).owner, "slipway release dev", rehearsal.clock.now()
    )
    rehearsal.dead.add(41)
    assert delivery.release(rehearsal.context("dev", pid=42)).status == "unchanged"
    assert any("took the lease over from ada@bench (process 41)" in event.text for event in rehearsal.events)


def test_lease_on_another_machine_is_taken_only_after_it_was_not_renewed_for_a_term() -> None:
    rehearsal = company("1.0.0")
    place = rehearsal.environment("dev").place
    rehearsal.ledger.acquire(
        place, rehearsal.context("dev", pid=41).owner, "slipway release dev", rehearsal.clock.now()
    )
    began = rehearsal.clock.now()
    assert delivery.release(rehearsal.context("dev", pid=42, lease_wait_seconds=120)).status == "unchanged"
    assert 30 <= (rehearsal.clock.now() - began).total_seconds() < 35


def test_writer_whose_lease_was_taken_is_fenced_off() -> None:
    rehearsal = company("1.0.0")
    place, ledger = rehearsal.environment("dev").place, rehearsal.ledger
    stale = ledger.acquire(place, rehearsal.context("dev", pid=41).owner, "release", rehearsal.clock.now())
    assert stale
    fresh = ledger.take_over(place, stale, rehearsal.context("dev", pid=42).owner, "release", rehearsal.clock.now())
    assert fresh
    with pytest.raises(delivery.LeaseLostError):
        ledger.write_wanted(place, ledger.wanted(place), stale)
    ledger.write_wanted(place, ledger.wanted(place), fresh)


@pytest.mark.parametrize(
    "moment", ["weights shall be blue 50 %, green 50 %", "set the load balancer to blue 50 %, green 50 %"]
)
def test_process_whose_lease_is_taken_stops_without_touching_traffic_again(moment: str) -> None:
    rehearsal = company("1.0.0")
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    rehearsal.check_out("2.0.0")

    def steal(event: Any) -> None:
        lease = ledger.lease(dev.place)
        if isinstance(event, ActionStarted) and event.text == moment and lease:
            ledger.take_over(dev.place, lease, rehearsal.context("dev", pid=9).owner, "resume", rehearsal.clock.now())

    with pytest.raises(delivery.LeaseLostError):
        delivery.release(replace(rehearsal.context("dev"), progress=steal))
    assert Weights(blue=0, green=100) not in dev.moves[1:]
    rehearsal.dead.add(9)
    assert delivery.resume(rehearsal.context("dev", pid=10)).status == "completed"


def test_abort_turns_the_running_rollout_back() -> None:
    rehearsal = company("1.0.0")
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    rehearsal.check_out("2.0.0")

    def ask(event: Any) -> None:
        if isinstance(event, WeightsConfirmed) and event.weights.blue == 50:
            ledger.request_abort(dev.place, event.rollout.id, "aborted by grace: wrong day")

    with pytest.raises(delivery.ReleaseRolledBackError, match="aborted by grace: wrong day"):
        delivery.release(replace(rehearsal.context("dev"), progress=ask))
    assert live_version(dev) == "1.0.0"


def test_abort_finishes_the_way_back_itself_when_the_owner_is_dead() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")

    def die(event: Any) -> None:
        if isinstance(event, WeightsConfirmed) and event.weights.blue == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivery.release(replace(rehearsal.context("dev"), progress=die))
    outcome = delivery.abort(rehearsal.context("dev", pid=2), because="interrupted")
    assert outcome.status == "rolled-back"
    assert live_version(rehearsal.environment("dev")) == "1.0.0"
    with pytest.raises(NotFoundError, match="no rollout"):
        delivery.abort(rehearsal.context("dev"))


def test_resume_after_an_interrupt_ends_what_was_begun() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")

    def die(event: Any) -> None:
        if isinstance(event, WeightsConfirmed) and event.weights.blue == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivery.release(replace(rehearsal.context("dev"), progress=die))
    assert delivery.resume(rehearsal.context("dev", pid=2)).status == "completed"
    assert live_version(rehearsal.environment("dev")) == "2.0.0"
    assert delivery.resume(rehearsal.context("dev")).status == "unchanged"


def test_plain_up_in_the_middle_of_a_rollout_moves_no_traffic() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    seen: list[tuple[Weights, Weights]] = []

    def up(event: Any) -> None:
        if isinstance(event, WeightsConfirmed):
            before = dev.weights
            dev.converge()
            seen.append((before, dev.weights))

    delivery.release(replace(rehearsal.context("dev"), progress=up))
    assert len(seen) == 3
    assert all(before == after for before, after in seen)


def test_load_balancer_that_fails_on_the_way_back_is_asked_until_it_obeys() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.3)
    asked = dev.ask_weights
    failures = iter(["throttled"] * 4)

    def ask(weights: Weights) -> None:
        if weights == Weights(blue=0, green=100) and next(failures, ""):
            raise OperationError("throttled")
        asked(weights)

    dev.ask_weights = ask  # type: ignore[method-assign]
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert live_version(dev) == "1.0.0"


def test_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, CONTRACT])
    before = (rehearsal.ledger.wanted(dev.place), dev.ups, len(rehearsal.ledger.releases("orders")))
    plan = delivery.release(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert (plan.migrations.expand, plan.migrations.contract) == ((SECOND,), (CONTRACT,))
    assert [step.percent for step in plan.steps] == [10, 50, 100]
    assert before == (rehearsal.ledger.wanted(dev.place), dev.ups, len(rehearsal.ledger.releases("orders")))


def test_pace_overrides_the_stack_for_one_rollout() -> None:
    rehearsal = company("1.0.0", bakeSeconds=3600)
    rehearsal.check_out("2.0.0")
    outcome = delivery.release(rehearsal.context("dev"), pace=Pace(bake_seconds=2))
    assert outcome.rollout
    assert outcome.rollout.timings[Phase.BAKING] < 60


def test_status_tells_both_colours_the_rejection_and_the_history() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    (row,) = delivery.status(rehearsal.context("dev"))
    assert (row.environment, row.service, row.live, row.rollout, row.lease) == ("dev", "orders", Colour.BLUE, None, "")
    blue, green = row.colours[Colour.BLUE], row.colours[Colour.GREEN]
    assert (blue.wanted_percent, blue.actual_percent, blue.live, blue.healthy) == (100, 100, True, 2)
    assert (green.running and green.running.version, green.warm) == ("1.0.0", True)
    assert [each.rejected and each.rejected.because.partition(":")[0] for each in row.rejected] == [
        "errors-above-limit"
    ]
    assert list(row.verified) == ["dev"]
    assert [item.phase for item in row.history] == [Phase.ROLLED_BACK, Phase.COMPLETED, Phase.COMPLETED]
    assert delivery.history(rehearsal.context("dev"), 1) == [row.history[0]]


def test_status_shows_the_other_environments_when_one_load_balancer_does_not_answer() -> None:
    rehearsal = company("1.0.0")
    rehearsal.environment("dev").balancer_fault = "cannot read the listeners: timed out"
    (row,) = delivery.status(rehearsal.context("dev"))
    assert row.problem == "cannot read the listeners: timed out"
    assert row.colours[Colour.GREEN].wanted_percent == 100
    assert row.colours[Colour.GREEN].actual_percent is None


def test_plain_up_of_a_colleague_is_waited_for() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    ctx = rehearsal.context("dev")
    refusals = iter([LockedError("the stack is currently locked by 1 lock(s)")] * 3)
    up = ctx.stack.up

    class Busy(SimulatedStack):
        def up(self) -> StackResult:
            refusal = next(refusals, None)
            if refusal:
                raise refusal
            return up()

    outcome = delivery.release(replace(ctx, stack=Busy(rehearsal.environment("dev"))))
    assert outcome.status == "completed"
    assert sum("the stack is locked, waiting" in event.text for event in rehearsal.events) == 1


def test_rollback_to_a_warm_colour_that_is_ill_fails_soon_and_holds_nobody() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.behaviour[dev.running[Colour.GREEN][0].release] = Behaviour(healthy=False)
    with pytest.raises(delivery.ReleaseRolledBackError, match="not all healthy within 15 s") as caught:
        delivery.rollback(rehearsal.context("dev"))
    assert "choose another release with --to" in str(caught.value)
    assert (live_version(dev), rehearsal.ledger.rejections(dev.place)) == ("2.0.0", [])
    assert Colour.GREEN in dev.running


def test_first_release_that_is_bad_leaves_the_place_as_empty_as_it_was() -> None:
    rehearsal = company()
    dev = rehearsal.environment("dev")
    check_out_bad(rehearsal, "1.0.0", smoke_fault="GET /healthz answered 500")
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    wanted = rehearsal.ledger.wanted(dev.place)
    assert (wanted.live, wanted.releases(), dev.weights, dev.running) == (None, {}, Weights(blue=100, green=0), {})
    assert fitness_of(rehearsal, "1.0.0") == {"dev": "rejected"}
    rehearsal.check_out("1.0.1")
    delivery.release(rehearsal.context("dev"))
    assert live_version(dev) == "1.0.1"


def test_every_answer_and_event_is_plain_json() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    outcome = delivery.release(rehearsal.context("dev"))
    for value in (
        outcome,
        delivery.status(rehearsal.context("dev")),
        delivery.history(rehearsal.context("dev")),
        *rehearsal.events,
    ):
        json.dumps(delivery.as_json(value))
    (row,) = delivery.as_json(delivery.status(rehearsal.context("dev")))
    assert row["colours"]["blue"]["running"]["version"] == "2.0.0"
    assert row["history"][0]["timings"]["baking"] > 14


def test_interrupted_rollback_is_finished_and_told_as_done_when_it_is_asked_for_again() -> None:
    rehearsal = company("1.0.0", "2.0.0")

    def die(event: Any) -> None:
        if isinstance(event, WeightsConfirmed):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivery.rollback(replace(rehearsal.context("dev"), progress=die))
    assert delivery.rollback(rehearsal.context("dev", pid=2)).status == "completed"
    assert live_version(rehearsal.environment("dev")) == "1.0.0"
