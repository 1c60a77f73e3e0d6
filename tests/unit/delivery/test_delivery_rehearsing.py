"""`slipway rehearse`: the way back is tried and timed, and everything is as before; whoever dies, aborts or rolls back meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from slipway import delivery
from slipway.delivery.model.cadence import AWS
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.fitness import Rehearsed
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout
from slipway.delivery.ports import Place
from slipway.delivery.testing.processes import KilledError
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import LockedError, NotFoundError, OperationError
from tests.unit.delivery.interrupting import DEAD, EXPAND, NEW, OLD, company, keep_lease, left_in

FROZEN = {"freezeWindows": [{"start": "2026-01-01T00:00:00+00:00", "end": "2027-01-01T00:00:00+00:00"}]}
FILL = Revision(id="0002", phase=MigrationPhase.BACKFILL)
UNTIL_BACK = (Phase.WAITING, Phase.SIZING, Phase.SHIFTING, Phase.VERIFYING)


def rehearsed(rehearsal: Rehearsal, environment: str = "dev") -> Rehearsed | None:
    place = rehearsal.environment(environment).place
    return next(
        each.rehearsed
        for each in delivery.status(rehearsal.context(environment))
        if each.environment == place.environment
    )


def newest(rehearsal: Rehearsal) -> Rollout:
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    return rollout


def live_version(rehearsal: Rehearsal) -> str:
    wanted = rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    running = wanted.colour(wanted.live) if wanted.live else None
    assert running
    return running.version


def die(_place: Place, _rollout: Rollout) -> None:
    raise KilledError


def refused(rehearsal: Rehearsal) -> list[str]:
    moves = len(rehearsal.environment("dev").moves)
    with pytest.raises(delivery.RefusedError) as error:
        delivery.rehearse(rehearsal.context("dev"))
    assert len(rehearsal.environment("dev").moves) == moves
    assert "--force" not in str(error.value.remedy)
    return [refusal.gate for refusal in error.value.refusals]


def test_moves_the_traffic_back_and_forward_and_leaves_all_as_it_was() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    before, moves, ups = ledger.wanted(dev.place), len(dev.moves), dev.ups
    outcome = delivery.rehearse(rehearsal.context("dev"), because="drill")
    assert dev.moves[moves:] == [OLD, NEW]
    assert ledger.wanted(dev.place).same_as(before)
    assert (dev.weights, dev.harm, dev.ups, ledger.owed(dev.place)) == (NEW, [], ups, ())
    assert ledger.rejections(dev.place) == []
    assert outcome.status == "completed"
    assert newest(rehearsal).actor.endswith(": drill")


def test_keeps_the_seconds_of_each_way_with_the_release() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.weight_lag_seconds = 3.0
    assert rehearsed(rehearsal) is None
    outcome = delivery.rehearse(rehearsal.context("dev"))
    kept = rehearsed(rehearsal)
    assert kept
    assert 3.0 <= kept.back_seconds < 4.0
    assert 3.0 <= kept.forward_seconds < 4.0
    first, second = sorted(rehearsal.ledger.releases("orders"), key=lambda each: each.created_at)
    assert (kept.release, kept.to) == (second.id, first.id)
    assert f"back to {first.id} in {kept.back_seconds:.1f} s" in outcome.text
    verbs = {verb.command: verb for verb in delivery.explain(rehearsal.context("dev")).verbs}
    assert "last rehearsed 0 s ago" in verbs["slipway rehearse dev"].text


def test_counts_the_seconds_from_the_command_and_not_those_of_pods() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.clock.sleep(3600)
    dev.pass_time()
    dev.pods.maximum, dev.pods.requests_per_pod, dev.requests_per_second, dev.startup_seconds = 20, 10, 80, 30.0
    for _ in range(2):
        dev.clock.sleep(dev.pods.autoscaler_seconds)
        dev.pass_time()
    assert (dev.ready_pods(Colour.BLUE), dev.ready_pods(Colour.GREEN)) == (8, 2)
    began = dev.clock.monotonic()
    delivery.rehearse(rehearsal.context("dev"))
    kept = rehearsed(rehearsal)
    assert kept
    assert dev.clock.monotonic() - began > 30
    assert kept.back_seconds < 5
    assert dev.harm == []


@pytest.mark.parametrize("smoke_fault", ["", "500"])
def test_release_right_after_it_replaces_nothing_that_nodes_still_send_requests_to(smoke_fault: str) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev, rehearsal.cadence = rehearsal.environment("dev"), AWS
    dev.nodes_lag_seconds = AWS.settle_seconds - 0.5
    dev.behaviour["1.0.0"] = Behaviour(smoke_fault=smoke_fault)
    dev.clock.sleep(60)
    with contextlib.suppress(OperationError):
        delivery.rehearse(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert dev.harm == []


def test_pods_of_the_older_release_come_before_the_traffic() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.clock.sleep(3600)
    dev.pods.maximum, dev.pods.requests_per_pod, dev.requests_per_second = 20, 10, 80
    for _ in range(2):
        dev.clock.sleep(dev.pods.autoscaler_seconds)
        dev.pass_time()
    ready: list[int] = []
    ask, settle = dev.ask_weights, dev.pass_time

    def watch(weights: Weights) -> None:
        settle()
        ready.append(dev.ready_pods(Colour.GREEN if weights == OLD else Colour.BLUE))
        ask(weights)

    dev.ask_weights = watch  # type: ignore[method-assign]
    delivery.rehearse(rehearsal.context("dev"))
    assert ready == [8, 8]
    assert dev.pods.groups[Colour.GREEN].minimum == dev.pods.minimum


def test_dry_run_says_what_it_would_do_and_changes_nothing() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    moves, before = len(dev.moves), newest(rehearsal)
    plan = delivery.rehearse(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert (plan.kind, plan.release and plan.release.version, plan.refusals) == (Kind.REHEARSAL, "1.0.0", ())
    assert (len(dev.moves), newest(rehearsal)) == (moves, before)


@pytest.mark.parametrize("versions", [(), ("1.0.0",), ("1.0.0", "2.0.0")])
def test_refuses_where_no_earlier_release_is_warm(versions: tuple[str, ...]) -> None:
    rehearsal = company(*versions)
    if len(versions) == 2:
        delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    else:
        rehearsal.environment("dev").exists = True
    with pytest.raises(NotFoundError, match="there is no way back to rehearse"):
        delivery.rehearse(rehearsal.context("dev"))


def test_refuses_in_a_freeze_without_a_way_around() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.rollout = {**dev.rollout, **FROZEN}
    assert refused(rehearsal) == ["freeze"]


def test_refuses_to_go_to_what_is_rejected() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    delivery.rollback(rehearsal.context("dev"))
    assert refused(rehearsal) == ["rejected"]


def test_refuses_where_the_schema_lets_the_older_release_not_back() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    contract = Revision(id="0009", phase=MigrationPhase.CONTRACT)
    lease = ledger.acquire(dev.place, rehearsal.context("dev").owner, "test", dev.clock.now())
    assert lease
    ledger.write_schema(dev.place, ledger.schema(dev.place).with_applied([contract]), lease)
    ledger.release_lease(dev.place, lease)
    assert refused(rehearsal) == ["schema"]


def test_refuses_while_a_rollout_is_left_or_the_stack_is_behind() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("3.0.0")
    left_in(rehearsal, Phase.BAKING)
    assert refused(rehearsal) == ["unfinished"]
    dev.up_fault = "quota exceeded"
    assert delivery.rollback(rehearsal.context("dev")).status == "rolled-back"
    assert [item.debt for item in rehearsal.ledger.owed(dev.place)] == [Debt.UP]
    assert refused(rehearsal) == ["unfinished"]


def test_refuses_while_somebody_is_at_work() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.check_out("3.0.0")
    left_in(rehearsal, Phase.BAKING, known=False)
    with pytest.raises(LockedError):
        delivery.rehearse(rehearsal.context("dev"))


def test_older_release_that_does_not_answer_ends_it_without_a_word_against_any() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.behaviour["1.0.0"] = Behaviour(smoke_fault="500")
    with pytest.raises(OperationError, match=r"turned back: smoke-test-failed.*not rejected"):
        delivery.rehearse(rehearsal.context("dev"))
    assert (dev.weights, live_version(rehearsal), rehearsed(rehearsal)) == (NEW, "2.0.0", None)
    assert rehearsal.ledger.rejections(dev.place) == []
    dev.behaviour.clear()
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert live_version(rehearsal) == "1.0.0"


@pytest.mark.parametrize("phase", [*UNTIL_BACK, Phase.RETURNING])
@pytest.mark.parametrize("verb", [delivery.resume, delivery.release])
def test_killed_anywhere_ends_with_the_newer_release_live_and_nothing_measured(
    phase: Phase, verb: Callable[[delivery.Context], delivery.Outcome]
) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, phase, delivery.rehearse)
    outcome = verb(rehearsal.context("dev"))
    assert outcome.status in {"completed", "unchanged"}
    assert (dev.weights, live_version(rehearsal), rehearsed(rehearsal), dev.harm) == (NEW, "2.0.0", None, [])
    assert (newest(rehearsal).kind, newest(rehearsal).phase) == (Kind.REHEARSAL, Phase.COMPLETED)
    assert rehearsal.ledger.rejections(dev.place) == []


def test_killed_once_both_ways_were_confirmed_is_counted() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    left_in(rehearsal, Phase.CLEANING, delivery.rehearse)
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert rehearsed(rehearsal)


def test_killed_in_a_freeze_is_still_brought_forward() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.VERIFYING, delivery.rehearse)
    dev.rollout = {**dev.rollout, **FROZEN}
    assert delivery.resume(rehearsal.context("dev")).status == "completed"
    assert dev.weights == NEW


@pytest.mark.parametrize("phase", [*UNTIL_BACK, Phase.RETURNING, Phase.CLEANING])
@pytest.mark.parametrize("known", [True, False], ids=["dead", "maybe alive"])
def test_rollback_meanwhile_makes_it_the_way_back_and_the_newer_release_gets_no_traffic_again(
    phase: Phase, known: bool
) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, phase, delivery.rehearse, known=known)
    moves, began = len(dev.moves), dev.clock.monotonic()
    outcome = delivery.rollback(rehearsal.context("dev"), because="complaints")
    assert (outcome.status, dev.weights, live_version(rehearsal), dev.harm) == ("completed", OLD, "1.0.0", [])
    assert NEW not in dev.moves[moves:]
    assert dev.clock.monotonic() - began < 8
    rejected = [each.rejected.because for each in rehearsal.ledger.rejections(dev.place) if each.rejected]
    assert len(rejected) == 1
    assert "complaints" in rejected[0]
    with pytest.raises(delivery.RefusedError, match="went back"):
        delivery.rollback(rehearsal.context("dev"))


def test_rollback_by_name_to_a_third_release_ends_the_rehearsal_first() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.VERIFYING, delivery.rehearse)
    first = next(item.id for item in rehearsal.ledger.releases("orders") if item.version == "1.0.0")
    assert delivery.rollback(rehearsal.context("dev"), first).status == "completed"
    assert (live_version(rehearsal), dev.harm) == ("1.0.0", [])


@pytest.mark.parametrize("phase", UNTIL_BACK)
def test_abort_brings_the_newer_release_back(phase: Phase) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, phase, delivery.rehearse)
    assert delivery.abort(rehearsal.context("dev")).status == "rolled-back"
    assert (dev.weights, live_version(rehearsal), newest(rehearsal).reason) == (NEW, "2.0.0", Reason.ABORTED)
    assert rehearsal.ledger.rejections(dev.place) == []


@pytest.mark.parametrize("verb", [delivery.abort, delivery.abandon])
def test_ended_by_hand_on_its_way_forward_after_an_hour_counts_no_hour_and_advises_no_rollback(
    verb: Callable[[delivery.Context], delivery.Outcome],
) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.RETURNING, delivery.rehearse)
    dev.clock.sleep(3600)
    outcome = verb(rehearsal.context("dev"))
    assert outcome.status == "completed"
    assert "on its way forward already, to what stays live; the rehearsal was cut short" in outcome.text
    assert (dev.weights, live_version(rehearsal), rehearsed(rehearsal)) == (NEW, "2.0.0", None)


def test_who_waited_for_the_lease_does_not_count_the_wait() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    assert rehearsal.ledger.acquire(dev.place, rehearsal.context("dev", pid=9).owner, "slipway up", dev.clock.now())
    delivery.rehearse(rehearsal.context("dev", pid=3, lease_wait_seconds=600))
    kept = rehearsed(rehearsal)
    assert kept
    assert kept.back_seconds < 2


def test_one_that_ended_and_was_not_told_is_told_before_the_next() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal.ledger, "put_history", die)
        patch.setattr(rehearsal.ledger, "release_lease", keep_lease)
        with pytest.raises(KilledError):
            delivery.rehearse(rehearsal.context("dev", pid=DEAD))
    rehearsal.dead.add(DEAD)
    first = newest(rehearsal)
    assert first.phase is Phase.COMPLETED
    dev.notifications.clear()
    delivery.rehearse(rehearsal.context("dev"))
    assert first.id in [past.id for past in rehearsal.ledger.history(dev.place, 9)]
    assert dev.notifications.count("on-rollout-completed") == 2


def test_explain_says_that_one_that_turns_back_comes_before_the_way_back() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.environment("dev").behaviour["1.0.0"] = Behaviour(smoke_fault="500")
    left_in(rehearsal, Phase.RETURNING, delivery.rehearse)
    verbs = {verb.command: verb for verb in delivery.explain(rehearsal.context("dev")).verbs}
    assert verbs["slipway rollback dev"].text == "ends the rehearsal, which is turning back, and goes back then"


def test_abandoned_where_the_load_balancer_does_not_answer_is_repaired_later() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    left_in(rehearsal, Phase.VERIFYING, delivery.rehearse)
    dev.balancer_fault = "throttled"
    assert delivery.abandon(rehearsal.context("dev")).status == "rolled-back"
    dev.balancer_fault = ""
    delivery.resume(rehearsal.context("dev"))
    assert (dev.weights, live_version(rehearsal), rehearsal.ledger.owed(dev.place)) == (NEW, "2.0.0", ())


def test_changes_neither_the_rollback_window_nor_which_release_comes_back() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    delivery.rehearse(rehearsal.context("dev"))
    before = delivery.status(rehearsal.context("dev"))[0].warm_until
    dev.clock.sleep(60)
    delivery.rehearse(rehearsal.context("dev"))
    assert delivery.status(rehearsal.context("dev"))[0].warm_until == before
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    plan = delivery.rollback(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert plan.release
    assert plan.release.version == "2.0.0"


def test_backfill_begins_again_for_rows_that_the_older_release_wrote_meanwhile() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, FILL])
    delivery.release(rehearsal.context("dev"))
    delivery.backfill(rehearsal.context("dev"))
    assert rehearsal.ledger.schema(dev.place).filled == (FILL.id,)
    delivery.rehearse(rehearsal.context("dev"))
    assert rehearsal.ledger.schema(dev.place).filled == ()
    assert dev.backfills.started[-1] == (FILL.id, newest(rehearsal).id)
    delivery.backfill(rehearsal.context("dev"))
    assert rehearsal.ledger.schema(dev.place).filled == (FILL.id,)


def test_gate_is_closed_by_default_and_opens_with_a_rehearsal_upstream() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.environment("staging", promoteFrom="dev")
    plan = delivery.promote(rehearsal.context("staging"), "dev", dry_run=True).plan
    assert plan
    assert plan.refusals == ()
    rehearsal.environment("staging").rollout = {**rehearsal.environment("staging").rollout, "rehearsed": True}
    with pytest.raises(delivery.RefusedError, match="was not rehearsed in dev") as error:
        delivery.promote(rehearsal.context("staging"), "dev")
    assert [refusal.gate for refusal in error.value.refusals] == ["rehearsed"]
    delivery.rehearse(rehearsal.context("dev"))
    assert delivery.promote(rehearsal.context("staging"), "dev").status == "completed"


def test_gate_may_be_forced_with_a_reason() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.environment("staging", promoteFrom="dev", rehearsed=True)
    outcome = delivery.promote(rehearsal.context("staging"), "dev", force=True, because="first release of the year")
    assert outcome.rollout
    assert any(text.startswith("rehearsed:") for text in outcome.rollout.forced)


def test_told_under_the_names_of_every_rollout() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.notifications.clear()
    delivery.rehearse(rehearsal.context("dev"))
    assert dev.notifications == ["on-rollout-started", "on-rollout-step-completed", "on-rollout-completed"]


def test_who_rehearses_is_told_that_somebody_went_back_meanwhile() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    ctx, other, asked = rehearsal.context("dev", pid=2), rehearsal.context("dev", pid=3), False

    def meddle(event: object) -> None:
        nonlocal asked
        if getattr(event, "phase", None) is Phase.VERIFYING and not asked:
            asked = True
            delivery.rollback(other)

    with pytest.raises(OperationError, match=r"has gone back to .* meanwhile"):
        delivery.rehearse(replace(ctx, progress=meddle))
    assert (dev.weights, live_version(rehearsal), dev.harm) == (OLD, "1.0.0", [])
