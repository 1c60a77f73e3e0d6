"""`rollout.retries`: what failed for an act is tried again by itself; what was judged, or what a person or a gate stops, is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from pydantic import ValidationError

from slipway import delivery
from slipway.contract.freeze import FreezeWindow
from slipway.delivery.dashboard.wording import headline, step_state
from slipway.delivery.events import Event, PhaseEntered, RolloutRetried
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Kind, Phase, Reason, Rollout, dump_rollout, load_rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.notifications import facts_of
from slipway.delivery.recording import unwritten_rejections
from slipway.delivery.retrying import RETRY_SECONDS
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedEnvironment
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import EXPAND, NEW, OLD, check_out_bad, company, killed_when, left_in, listening

SECOND = Revision(id="0002", phase=MigrationPhase.EXPAND)


def two_versions(retries: int = 2, **settings: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    """1.0.0 is live, 2.0.0 is checked out, with a migration of its own."""
    rehearsal = company("1.0.0", retries=retries, **settings)
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND])
    return rehearsal, rehearsal.environment("dev")


def at(phase: Phase, act: Callable[[], object]) -> Callable[[Event], None]:
    def hear(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is phase:
            act()

    return hear


def last(rehearsal: Rehearsal) -> Rollout:
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    return rollout


def test_release_is_tried_again_when_its_migration_failed() -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 2
    outcome = delivery.release(rehearsal.context("dev"))
    rollout = outcome.rollout
    assert rollout
    assert (outcome.status, rollout.retried, rollout.reason, dev.weights, dev.harm) == ("completed", 2, "", NEW, [])
    assert rollout.attempt == (
        "attempt 3 of 3; the one before failed: migration-failed: the connection to the database was lost"
    )
    assert rollout.path.count(Phase.CLEANING) == 2
    assert {"detect", "weights_back"}.isdisjoint(rollout.timings)
    again = [entry.at for entry in rollout.journal if entry.event == "retried"]
    failed = [entry.at for entry in rollout.journal if entry.event == "failed"]
    waits = [(began - ended).total_seconds() for began, ended in zip(again, failed, strict=True)]
    assert waits == [pytest.approx(RETRY_SECONDS, abs=2), pytest.approx(2 * RETRY_SECONDS, abs=2)]


def test_retry_is_told_to_everybody() -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1
    delivery.release(rehearsal.context("dev"))
    (retried,) = (event for event in rehearsal.events if isinstance(event, RolloutRetried))
    assert retried.text.startswith("begins again: attempt 2 of 3; the one before failed: migration-failed: the conn")
    assert dev.notifications.count("on-rollout-retried") == 1
    facts = facts_of(retried)
    assert (facts["retried"], facts["phase"]) == (1, "migrating")
    assert facts["failedBefore"] == "migration-failed: the connection to the database was lost"
    assert "reason" not in facts
    assert headline(retried.rollout) == "release 2.0.0: migrating, attempt 2"


def test_release_is_tried_again_when_its_up_failed() -> None:
    rehearsal, dev = two_versions()
    delivery.release(rehearsal.context("dev"))  # 1.0.0 is warm
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND])
    dev.failing_ups = 2
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert (last(rehearsal).retried, dev.weights, dev.harm) == (2, OLD, [])
    assert [*rehearsal.ledger.owed(dev.place)] == []


def test_retries_end_and_the_release_is_rolled_back_once() -> None:
    rehearsal, dev = two_versions()
    dev.migration_fault = "null values"
    with pytest.raises(delivery.ReleaseRolledBackError, match="attempt 3 of 3; the one before failed") as raised:
        delivery.release(rehearsal.context("dev"))
    rollout = raised.value.rollout
    assert (rollout.retried, rollout.reason, rollout.phase) == (2, Reason.MIGRATION_FAILED, Phase.ROLLED_BACK)
    assert dev.notifications.count("on-rollout-aborted") == 1
    assert [each.rejected and each.rejected.release for each in rehearsal.ledger.rejections(dev.place)] == [
        rollout.candidate and rollout.candidate.release
    ]


def test_no_release_is_tried_again_where_the_stack_file_says_nothing() -> None:
    rehearsal, dev = two_versions(retries=0)
    dev.failing_migrations = 1
    with pytest.raises(delivery.ReleaseRolledBackError) as raised:
        delivery.release(rehearsal.context("dev"))
    assert (raised.value.rollout.retried, raised.value.rollout.path.count(Phase.MIGRATING)) == (0, 1)


def test_up_that_failed_with_traffic_moved_later_begins_at_the_first_step() -> None:
    """The load balancer does not answer at 50 %: what was measured there counts for nothing in the second attempt."""
    rehearsal, dev = two_versions(retries=1, steps=[20, 50, 100])
    asked: list[str] = []

    def spoil(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING and event.rollout.step == 1 and not asked:
            asked.append("once")
            dev.balancer_fault = "Throttling"
        if isinstance(event, PhaseEntered) and event.phase is Phase.RETURNING:
            dev.balancer_fault = ""
        if isinstance(event, RolloutRetried):
            rollout = event.rollout
            assert (rollout.step, rollout.measurements, rollout.baking_since) == (0, (), None)
            assert rollout.failed_before == "world-unreadable: Throttling"
            assert [step_state(rollout, number) for number in range(3)] == ["coming"] * 3

    outcome = delivery.release(listening(rehearsal, spoil))
    assert outcome.rollout
    assert (outcome.status, outcome.rollout.retried, dev.weights, dev.harm) == ("completed", 1, NEW, [])
    shares = [share for share, _ in groupby(weights.blue for weights in dev.moves)]
    assert shares[-6:] == [20, 50, 0, 20, 50, 100]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"error_ratio": 0.3}, Reason.ERRORS_ABOVE_LIMIT),
        ({"smoke_fault": "500"}, Reason.SMOKE_TEST_FAILED),
        ({"healthy": False}, Reason.TARGETS_UNHEALTHY),
    ],
)
def test_bad_release_is_not_tried_again(behaviour: dict[str, Any], reason: Reason) -> None:
    rehearsal, _ = two_versions(healthSeconds=10)
    check_out_bad(rehearsal, "3.0.0", **behaviour)
    with pytest.raises(delivery.ReleaseRolledBackError) as raised:
        delivery.release(rehearsal.context("dev"))
    assert (raised.value.rollout.reason, raised.value.rollout.retried) == (reason, 0)


@pytest.mark.parametrize("phase", [Phase.RETURNING, Phase.CLEANING])
def test_person_who_aborts_while_it_turns_back_keeps_it_from_being_tried_again(phase: Phase) -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1
    other = rehearsal.context("dev", pid=5)

    def abort() -> None:
        rehearsal.ledger.request_abort(dev.place, last(rehearsal).id, "aborted by ada")

    with pytest.raises(delivery.ReleaseRolledBackError) as raised:
        delivery.release(listening(rehearsal, at(phase, abort)))
    rollout = raised.value.rollout
    assert (rollout.retried, rollout.reason) == (0, Reason.MIGRATION_FAILED)
    assert rollout.reason_text == "the connection to the database was lost; not tried again: aborted by ada"
    assert delivery.history(other, 1)[0].id == rollout.id


def test_release_that_comes_instead_keeps_it_from_being_tried_again() -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1
    left_in(rehearsal, Phase.CLEANING)
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND])
    outcome = delivery.release(rehearsal.context("dev", pid=8), supersede=True)
    newest, before = delivery.history(rehearsal.context("dev"), 2)
    assert (outcome.status, newest.candidate and newest.candidate.version) == ("completed", "3.0.0")
    assert (before.retried, before.phase, before.reason) == (0, Phase.ROLLED_BACK, Reason.SUPERSEDED)
    assert "not tried again: superseded by ada" in before.reason_text


def test_freeze_that_has_begun_keeps_it_from_being_tried_again() -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1
    window = FreezeWindow.model_validate(
        {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "reason": "audit"}
    )

    def freeze() -> None:
        dev.rollout = {**dev.rollout, "freezeWindows": [window.model_dump(mode="json", by_alias=True)]}

    with pytest.raises(delivery.ReleaseRolledBackError, match=r"not tried again: freeze: .*audit"):
        delivery.release(listening(rehearsal, at(Phase.RETURNING, freeze)))
    assert (last(rehearsal).retried, dev.weights, dev.harm) == (0, OLD, [])


def test_gates_that_cannot_be_asked_end_the_rollout() -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1

    def fail() -> None:
        def targets() -> Any:
            raise OperationError("AccessDenied")

        rehearsal.ledger.targets = targets  # type: ignore[method-assign]

    with pytest.raises(delivery.ReleaseRolledBackError, match="the gates cannot be asked: AccessDenied"):
        delivery.release(listening(rehearsal, at(Phase.CLEANING, fail)))


@pytest.mark.parametrize("phase", [Phase.RETURNING, Phase.CLEANING])
def test_killed_process_is_resumed_and_the_release_tried_again(phase: Phase) -> None:
    rehearsal, dev = two_versions(retries=1)
    dev.failing_migrations = 1
    left_in(rehearsal, phase)
    assert delivery.resume(rehearsal.context("dev", pid=8)).status == "completed"
    assert (last(rehearsal).retried, dev.weights) == (1, NEW)


def test_killed_process_does_not_begin_anew_with_counting() -> None:
    rehearsal, dev = two_versions(retries=1)
    dev.migration_fault = "null values"
    killed_when(rehearsal, delivery.release, lambda event: isinstance(event, RolloutRetried))
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.resume(rehearsal.context("dev", pid=8))
    assert (last(rehearsal).retried, last(rehearsal).path.count(Phase.MIGRATING)) == (1, 2)


@pytest.mark.parametrize("verb", [delivery.rollback, delivery.abort, delivery.abandon])
@pytest.mark.parametrize("phase", [Phase.RETURNING, Phase.CLEANING])
def test_way_back_ends_what_a_dead_process_would_have_tried_again(
    phase: Phase, verb: Callable[..., delivery.Outcome]
) -> None:
    rehearsal, dev = two_versions()
    dev.failing_migrations = 1
    left_in(rehearsal, phase)
    outcome = verb(rehearsal.context("dev", pid=8))
    assert (outcome.status, last(rehearsal).retried, dev.weights) == ("rolled-back", 0, OLD)


def test_rollback_that_failed_is_not_tried_again() -> None:
    rehearsal, dev = two_versions()
    delivery.release(rehearsal.context("dev"))
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    broken = at(Phase.RETURNING, lambda: setattr(dev, "up_fault", ""))
    dev.up_fault = "quota exceeded"
    with pytest.raises(delivery.ReleaseRolledBackError) as raised:
        delivery.rollback(listening(rehearsal, broken))
    assert (raised.value.rollout.kind, raised.value.rollout.retried) == (Kind.ROLLBACK, 0)


def test_approval_counts_for_the_attempt_in_which_it_was_given() -> None:
    rehearsal, dev = two_versions(retries=1, steps=[50, {"percent": 100, "approval": True}], approvalSeconds=60)
    approvals: list[str] = []

    def act(event: Event) -> None:
        rollout: Rollout | None = getattr(event, "rollout", None)
        if rollout and rollout.asked_since and not rollout.approvals and not approvals:
            approvals.append(delivery.approve(rehearsal.context("dev", pid=5)).text)
        if isinstance(event, PhaseEntered) and event.phase is Phase.VERIFYING:
            dev.balancer_fault = "Throttling"
        if isinstance(event, PhaseEntered) and event.phase is Phase.RETURNING:
            dev.balancer_fault = ""

    with pytest.raises(delivery.ReleaseRolledBackError) as raised:
        delivery.release(listening(rehearsal, act))
    assert approvals == ["100 % approved"]
    assert (raised.value.rollout.retried, raised.value.rollout.reason) == (1, Reason.NOT_APPROVED)


def test_pause_holds_on_when_it_is_tried_again() -> None:
    rehearsal, dev = two_versions(retries=1, steps=[50, 100], bakeSeconds=20)
    paused: list[tuple[int, Any]] = []

    def act(event: Event) -> None:
        rollout: Rollout | None = getattr(event, "rollout", None)
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING and not paused:
            paused.append((0, delivery.pause(rehearsal.context("dev", pid=5)).status))
        if rollout and rollout.pause and rollout.phase is Phase.BAKING and not rollout.retried:
            dev.balancer_fault = "Throttling"
        if isinstance(event, PhaseEntered) and event.phase is Phase.RETURNING:
            dev.balancer_fault = ""
        if rollout and rollout.pause and rollout.phase is Phase.SIZING and rollout.retried and len(paused) == 1:
            paused.append((1, dev.weights))
            delivery.continue_(rehearsal.context("dev", pid=5))

    outcome = delivery.release(listening(rehearsal, act))
    assert outcome.rollout
    assert (outcome.status, outcome.rollout.retried, outcome.rollout.pause) == ("completed", 1, None)
    assert paused == [(0, "completed"), (1, OLD)]


def test_explain_and_status_say_what_comes_and_what_was() -> None:
    rehearsal, dev = two_versions(retries=1)
    dev.failing_migrations = 1
    left_in(rehearsal, Phase.CLEANING)
    told = delivery.explain(rehearsal.context("dev"))
    assert told.waits_for.startswith("attempt 2 of 2 to begin")
    assert told.until
    assert told.ends == ("before attempt 2 of 2: somebody aborts, rolls back or supersedes it, or a gate refuses it",)
    verbs = {verb.command: verb for verb in told.verbs}
    assert verbs["slipway abort dev"].text == "keeps it from being tried again"
    assert verbs["slipway rollback dev"].text.endswith("and keeps it from being tried again")
    assert [*unwritten_rejections(rehearsal.ledger, dev.place, under_way=True)] == []
    killed_when(
        rehearsal, delivery.resume, lambda event: isinstance(event, PhaseEntered) and event.phase is Phase.BAKING
    )
    told = delivery.explain(rehearsal.context("dev"))
    assert "(attempt 2 of 2; the one before failed: migration-failed:" in told.does
    (place,) = delivery.status(rehearsal.context("dev"))
    assert place.rollout
    assert place.rollout.attempt.startswith("attempt 2 of 2")


def test_rejection_that_is_coming_counts_once_the_last_attempt_has_failed() -> None:
    rehearsal, dev = two_versions(retries=1)
    dev.migration_fault = "null values"
    began: list[Event] = []

    def second_time(event: Event) -> bool:
        began.append(event)
        return isinstance(event, PhaseEntered) and event.phase is Phase.CLEANING and event.rollout.retried == 1

    killed_when(rehearsal, delivery.release, second_time)
    assert len([*unwritten_rejections(rehearsal.ledger, dev.place, under_way=True)]) == 1


def test_rollout_of_an_older_version_is_the_first_attempt() -> None:
    rehearsal, _ = two_versions()
    delivery.release(rehearsal.context("dev"))
    document = json.loads(dump_rollout(last(rehearsal)))
    for name in ("retried", "failed_before"):
        del document[name]
    del document["settings"]["retries"]
    old = load_rollout(json.dumps(document))
    assert (old.retried, old.settings.retries, old.attempt, old.may_retry) == (0, 0, "", False)


@pytest.mark.parametrize("retries", [-1, 4, 1.5])
def test_refuses_more_retries_than_few(retries: float) -> None:
    with pytest.raises(ValidationError):
        RolloutSettings(retries=retries)  # type: ignore[arg-type]
