"""Backfills in a simulated company: they hold nobody up, are never forgotten, and contract migrations wait for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slipway import delivery
from slipway.cli.delivery.outcome import plan_lines
from slipway.delivery.adapters.backfill_job import backfill_job_name, backfill_manifest, read_backfill
from slipway.delivery.adapters.migration_job import job_manifest
from slipway.delivery.dashboard.wording import waits
from slipway.delivery.events import BackfillSeen
from slipway.delivery.model.backfill import Backfill
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.status import PlaceStatus
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import left_in

EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
SECOND = Revision(id="0002", phase=MigrationPhase.EXPAND)
BACKFILL = Revision(id="0003", phase=MigrationPhase.BACKFILL)
CONTRACT = Revision(id="0004", phase=MigrationPhase.CONTRACT)
FIFTH = Revision(id="0005", phase=MigrationPhase.EXPAND)


def company(*revisions: Revision) -> tuple[Rehearsal, SimulatedEnvironment]:
    """Version 1 without, and version 2 with these migrations, whose traffic is decided."""
    rehearsal = Rehearsal()
    dev = rehearsal.environment("dev")
    dev.backfills.seconds = 1000
    for version, known in (("1.0.0", [EXPAND]), ("2.0.0", [EXPAND, *revisions])):
        rehearsal.check_out(version, revisions=known)
        delivery.release(rehearsal.context("dev"))
    return rehearsal, dev


def status(rehearsal: Rehearsal) -> PlaceStatus:
    (place,) = delivery.status(rehearsal.context("dev", pid=7))
    return place


def debts(rehearsal: Rehearsal) -> list[tuple[Debt, str]]:
    place = rehearsal.environment("dev").place
    return [(item.debt, item.release) for item in rehearsal.ledger.owed(place)]


def test_release_starts_its_backfill_once_it_has_the_traffic_and_does_not_wait_for_it() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    ((revision, run),) = dev.backfills.started
    assert (revision, run) == ("0003", rehearsal.ledger.history(dev.place, 1)[0].id)
    assert dev.applied == ["0001", "0002", "0003"]
    assert debts(rehearsal) == [(Debt.BACKFILL, "0003")]
    rehearsal.clock.sleep(250)
    assert status(rehearsal).backfills == {"0003": "25%"}
    assert list(waits(status(rehearsal), [])) == ["backfill 0003: 25%"]
    assert status(rehearsal).owed[0].told(rehearsal.clock.now()) == "backfill 0003 for 4 min"


def test_release_that_is_turned_back_starts_no_backfill() -> None:
    rehearsal, dev = company()
    dev.migration_fault = "no lock"
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, BACKFILL])
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert (dev.backfills.started, BACKFILL in rehearsal.ledger.schema(dev.place).applied) == ([], False)


def test_contract_is_refused_until_the_backfill_is_complete_whoever_forces_it() -> None:
    rehearsal, dev = company(SECOND, BACKFILL, CONTRACT)
    rehearsal.clock.sleep(700)
    for forced in (False, True):
        with pytest.raises(delivery.RefusedError, match="backfill 0003 is not complete") as refused:
            delivery.contract(rehearsal.context("dev"), force=forced, because="drill")
    assert [refusal.gate for refusal in refused.value.refusals] == ["backfill"]
    rehearsal.clock.sleep(300)
    delivery.contract(rehearsal.context("dev"))
    assert dev.applied[-1] == "0004"
    assert (debts(rehearsal), dev.notifications.count("on-backfill-completed")) == ([], 1)


def test_backfill_waits_and_tells_how_far_it_is() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    dev.backfills.seconds = 10
    rehearsal.events.clear()
    assert delivery.backfill(rehearsal.context("dev")).text == "complete: backfill 0003"
    assert [event.text for event in rehearsal.events][-2:] == ["backfill 0003: 50%", "backfill 0003 is complete"]
    assert isinstance(rehearsal.events[-1], BackfillSeen)
    assert rehearsal.ledger.schema(dev.place).filled == ("0003",)
    assert delivery.backfill(rehearsal.context("dev")).status == "unchanged"


def test_other_releases_pass_a_backfill_that_goes_on_as_the_same_run() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND, BACKFILL, FIFTH])
    delivery.release(rehearsal.context("dev"))
    assert dev.applied[-1] == "0005"
    assert len(dev.backfills.started) == 1
    assert debts(rehearsal) == [(Debt.BACKFILL, "0003")]


@pytest.mark.parametrize("complete", [False, True])
def test_way_back_waits_for_no_backfill_and_what_the_old_release_writes_is_filled_in_a_run_of_its_own(
    complete: bool,
) -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    if complete:
        rehearsal.clock.sleep(1000)
        delivery.backfill(rehearsal.context("dev"))
    delivery.rollback(rehearsal.context("dev"))
    assert rehearsal.ledger.schema(dev.place).filled == ()
    assert debts(rehearsal) == []
    rehearsal.check_out("2.0.1", revisions=[EXPAND, SECOND, BACKFILL])
    delivery.release(rehearsal.context("dev"))
    assert [revision for revision, _ in dev.backfills.started] == ["0003", "0003"]
    assert len({run for _, run in dev.backfills.started}) == 2


def hotfix(rehearsal: Rehearsal) -> None:
    """Of a commit from before the backfill, reached by users and bad."""
    rehearsal.check_out("1.0.1", revisions=[EXPAND])
    rehearsal.environment("dev").behaviour["1.0.1"] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))


def tried_hotfix(rehearsal: Rehearsal) -> None:
    """Reached by those alone who ask for it, and given up then."""
    dev = rehearsal.environment("dev")
    dev.rollout = {**dev.rollout, "routes": [{"header": {"name": "X-Canary", "value": "always"}}]}
    rehearsal.check_out("1.0.1", revisions=[EXPAND])
    left_in(rehearsal, Phase.SIZING)
    delivery.abort(rehearsal.context("dev"))


def way_back_that_failed(rehearsal: Rehearsal) -> None:
    """It had all the traffic for a while."""
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    left_in(rehearsal, Phase.VERIFYING, delivery.rollback)
    delivery.abort(rehearsal.context("dev"))


@pytest.mark.parametrize("older", [hotfix, tried_hotfix, way_back_that_failed])
def test_rows_of_an_older_release_that_was_turned_back_are_filled_before_contract(
    older: Callable[[Rehearsal], None],
) -> None:
    rehearsal, dev = company(SECOND, BACKFILL, CONTRACT)
    rehearsal.clock.sleep(1000)
    delivery.backfill(rehearsal.context("dev"))
    assert rehearsal.ledger.schema(dev.place).filled == ("0003",)
    older(rehearsal)
    assert (rehearsal.ledger.schema(dev.place).filled, debts(rehearsal)) == ((), [(Debt.BACKFILL, "0003")])
    assert dev.backfills.started[-1] == ("0003", rehearsal.ledger.history(dev.place, 1)[0].id)
    with pytest.raises(delivery.RefusedError, match="backfill 0003 is not complete"):
        delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    rehearsal.clock.sleep(1000)
    delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    assert dev.applied[-1] == "0004"


def test_newer_release_that_is_turned_back_leaves_the_backfill_as_it_is_and_none_of_its_own() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    later = Revision(id="0006", phase=MigrationPhase.BACKFILL)
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND, BACKFILL, FIFTH, later])
    dev.behaviour["3.0.0"] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert debts(rehearsal) == [(Debt.BACKFILL, "0003")]
    assert [revision for revision, _ in dev.backfills.started] == ["0003"]


def test_failed_backfill_is_owed_told_and_goes_on_with_the_next_verb() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    dev.backfills.fault, dev.backfills.fault_seconds = "DivisionByZero", 600
    dev.backfills.start(*dev.backfills.started[0], rehearsal.clock.now())
    rehearsal.clock.sleep(600)
    dev.backfills.fault = ""
    assert delivery.resume(rehearsal.context("dev")).status == "unchanged"
    (owed,) = status(rehearsal).owed
    assert (owed.attempts, "DivisionByZero; started again" in owed.problem) == (1, True)
    assert "on-work-owed" in dev.notifications
    rehearsal.clock.sleep(399)
    assert status(rehearsal).backfills == {"0003": "100%"}
    rehearsal.clock.sleep(1)
    delivery.resume(rehearsal.context("dev"))
    assert debts(rehearsal) == []


def test_wait_for_a_backfill_ends_when_it_fails() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    dev.backfills.fault = "DivisionByZero"
    dev.backfills.start(*dev.backfills.started[0], rehearsal.clock.now())
    with pytest.raises(OperationError, match="DivisionByZero"):
        delivery.backfill(rehearsal.context("dev"))


def test_wait_for_a_backfill_that_a_way_back_has_dropped_does_not_call_it_complete() -> None:
    """`slipway backfill prod && slipway contract prod` went on."""
    rehearsal = Rehearsal(clock=SharedClock())
    dev = rehearsal.environment("dev")
    dev.backfills.seconds = 300
    for version, known in (("1.0.0", [EXPAND]), ("2.0.0", [EXPAND, SECOND, BACKFILL])):
        rehearsal.check_out(version, revisions=known)
        delivery.release(rehearsal.context("dev"))
    clock = rehearsal.clock
    assert isinstance(clock, SharedClock)
    ctx = inhabited(rehearsal.context("dev", pid=11), clock)
    waiting = clock.start(Process(11), lambda: delivery.backfill(ctx))
    clock.sleep(12)
    delivery.rollback(rehearsal.context("dev", pid=12))
    clock.run_until()
    assert isinstance(waiting.error, OperationError)
    assert waiting.error.what.startswith("not complete: backfill 0003; it is owed no more")


def test_cluster_that_does_not_answer_hides_nothing_else() -> None:
    rehearsal, dev = company(SECOND, BACKFILL)
    dev.pods.fault = "forbidden"
    found = status(rehearsal)
    assert (found.backfills, found.running and found.running.version) == (
        {"0003": "cannot be asked: forbidden"},
        "2.0.0",
    )


def test_new_environment_runs_its_whole_history_and_fills_nothing_that_was_contracted() -> None:
    rehearsal = Rehearsal()
    dev = rehearsal.environment("dev")
    rehearsal.check_out("1.0.0", revisions=[EXPAND, SECOND, BACKFILL, CONTRACT, FIFTH])
    delivery.release(rehearsal.context("dev"))
    assert dev.applied == ["0001", "0002", "0003", "0004", "0005"]
    assert (dev.backfills.started, debts(rehearsal)) == ([], [])


def test_contract_that_comes_before_a_release_waits_for_the_backfill_as_well() -> None:
    rehearsal, dev = company(SECOND, BACKFILL, CONTRACT)
    rehearsal.check_out("3.0.0", revisions=[EXPAND, SECOND, BACKFILL, CONTRACT, FIFTH])
    rehearsal.clock.sleep(700)
    with pytest.raises(delivery.RefusedError, match="contract migration 0004 is pending"):
        delivery.release(rehearsal.context("dev"))
    rehearsal.clock.sleep(300)
    delivery.release(rehearsal.context("dev"))
    assert dev.applied == ["0001", "0002", "0003", "0004", "0005"]


def test_dry_run_and_explanation_tell_of_the_backfill() -> None:
    rehearsal, _ = company()
    rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, BACKFILL, CONTRACT])
    plan = delivery.release(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert plan_lines(plan)[1] == "migrations: 0002; after it: backfill 0003; after it, by `contract`: 0004"
    delivery.release(rehearsal.context("dev"))
    said = {verb.command: verb.text for verb in delivery.explain(rehearsal.context("dev")).verbs}
    assert said["slipway backfill dev"] == "waits for 0003"


RELEASE = ColourRelease(release="r-20260105-0a1b2c3d", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")


def test_job_is_that_of_a_migration_with_other_arguments_and_kubernetes_own_retries() -> None:
    migration = job_manifest("j", "orders", "orders-database", RELEASE, [BACKFILL])
    manifest = backfill_manifest(migration, "0003", "run-1")
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    (before,) = migration["spec"]["template"]["spec"]["containers"]
    command = ["alembic", "-c", "alembic.ini", "-x", "backfill=0003", "-x", "run=run-1", "current"]
    assert container == {**before, "command": command}
    assert before["command"][-1] == "0003"
    assert (manifest["spec"]["backoffLimit"], migration["spec"]["backoffLimit"]) == (6, 0)
    assert backfill_job_name("orders", "0003", "run-1") == backfill_job_name("orders", "0003", "run-1")
    assert backfill_job_name("orders", "0003", "run-1") != backfill_job_name("orders", "0003", "run-2")


SAID = ["backfill 0003: id 10 of 20 (50%)", "backfill 0002: id 3 of 3 (100%)", "Traceback: it broke"]


@pytest.mark.parametrize(
    ("lines", "succeeded", "failure", "want"),
    [
        ([], False, None, Backfill()),
        (SAID, False, None, Backfill(progress="id 10 of 20 (50%)")),
        ([*SAID, "backfill 0003: complete"], True, None, Backfill(progress="id 10 of 20 (50%)", done=True)),
        (
            SAID,
            False,
            "BackoffLimitExceeded",
            Backfill(
                progress="id 10 of 20 (50%)",
                failure="the backfill Job j failed (BackoffLimitExceeded): Traceback: it broke",
            ),
        ),
        (
            ["0005 (head)"],
            True,
            None,
            Backfill(
                failure="the backfill Job j did nothing: the image's env.py does not know `-x backfill`, "
                "docs/migrations.md has what it needs"
            ),
        ),
    ],
)
def test_log_says_how_far_it_is(lines: list[str], succeeded: bool, failure: str | None, want: Backfill) -> None:
    assert read_backfill("j", "0003", lines, succeeded=succeeded, failure=failure) == want
