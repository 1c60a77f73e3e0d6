"""Contract migrations of which it is not known whether they have run: a release that does not know them must not meet them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import TypeAdapter

from slipway import delivery
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.schema import Schema
from slipway.delivery.testing.processes import KilledError, Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import NotFoundError, OperationError
from tests.unit.delivery.interrupting import DEAD, EXPAND, NEW, company, keep_lease

SECOND = Revision(id="0002", phase=MigrationPhase.CONTRACT)
THIRD = Revision(id="0003", phase=MigrationPhase.CONTRACT)
KNOWN = [EXPAND, SECOND, THIRD]


def two_contracts_pending() -> Rehearsal:
    """1.0.0, and 2.0.0 live, whose two contract migrations wait; the rollback window is closed."""
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=KNOWN)
    delivery.release(rehearsal.context("dev"))
    rehearsal.clock.sleep(700)
    return rehearsal


def oldest(rehearsal: Rehearsal) -> str:
    return next(release.id for release in rehearsal.ledger.releases("orders") if release.version == "1.0.0")


def begun(rehearsal: Rehearsal) -> list[str]:
    return [item.id for item in rehearsal.ledger.schema(rehearsal.environment("dev").place).begun]


def refuse_the_way_back(rehearsal: Rehearsal, migration: str) -> None:
    """By name and without one, forced or not; and nothing moves."""
    with pytest.raises(
        delivery.RefusedError, match=f"(?s)contract migration {migration}, .*`slipway contract dev`"
    ) as error:
        delivery.rollback(rehearsal.context("dev", pid=2), oldest(rehearsal), force=True, because="drill")
    assert {(refusal.gate, refusal.can_be_forced) for refusal in error.value.refusals} == {("schema", False)}
    with pytest.raises(NotFoundError, match=f"does not know contract migration {migration}"):
        delivery.rollback(rehearsal.context("dev", pid=2), force=True, because="drill")
    assert rehearsal.environment("dev").weights == NEW


def test_release_that_does_not_know_a_contract_migration_does_not_come_back_once_that_has_run_in_part() -> None:
    rehearsal = two_contracts_pending()
    dev = rehearsal.environment("dev")
    dev.failing_revision = "0003"
    with pytest.raises(OperationError, match=r"(?s)given up: migration-failed: 0003: .* what of it has run stays"):
        delivery.contract(rehearsal.context("dev"))
    assert (dev.applied, begun(rehearsal)) == (["0001", "0002"], ["0002", "0003"])
    refuse_the_way_back(rehearsal, "0002")
    dev.failing_revision = ""
    delivery.resume(rehearsal.context("dev"))
    assert (dev.applied[-1], begun(rehearsal)) == ("0003", [])
    refuse_the_way_back_once_applied(rehearsal)


def refuse_the_way_back_once_applied(rehearsal: Rehearsal) -> None:
    with pytest.raises(delivery.RefusedError, match="does not know contract migration 0002, which was applied"):
        delivery.rollback(rehearsal.context("dev"), oldest(rehearsal))


def test_release_that_does_not_know_a_contract_migration_does_not_come_back_after_a_kill_behind_its_job() -> None:
    rehearsal = two_contracts_pending()
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    untouched: Any = ledger

    def kill(what: str) -> None:
        if what == "schema" and dev.applied[-1] == "0003":
            raise KilledError

    release_lease, untouched.release_lease, untouched.before_write = untouched.release_lease, keep_lease, kill
    with pytest.raises(KilledError):
        delivery.contract(rehearsal.context("dev", pid=DEAD))
    untouched.release_lease, untouched.before_write = release_lease, lambda _what: None
    rehearsal.dead.add(DEAD)
    assert [item.id for item in ledger.schema(dev.place).applied] == ["0001"]
    with pytest.raises(delivery.RefusedError, match="does not know contract migration 0002"):
        delivery.rollback(rehearsal.context("dev"), oldest(rehearsal), force=True, because="drill")
    delivery.resume(rehearsal.context("dev"))
    assert ([item.id for item in ledger.schema(dev.place).applied], begun(rehearsal)) == (["0001", "0002", "0003"], [])


def test_older_release_comes_back_where_the_job_was_not_even_asked_for() -> None:
    rehearsal = two_contracts_pending()
    dev = rehearsal.environment("dev")
    dev.users_fault = "the Job orders-roles failed"
    with pytest.raises(OperationError, match="orders-roles failed"):
        delivery.contract(rehearsal.context("dev"))
    assert begun(rehearsal) == []
    assert delivery.rollback(rehearsal.context("dev"), oldest(rehearsal)).status == "completed"


def test_corrected_migration_under_the_same_id_is_the_way_forward() -> None:
    rehearsal = two_contracts_pending()
    dev = rehearsal.environment("dev")
    dev.failing_revision = "0003"
    with pytest.raises(OperationError):
        delivery.contract(rehearsal.context("dev"))
    rehearsal.check_out("2.0.1", revisions=[EXPAND, SECOND])
    with pytest.raises(delivery.RefusedError, match="does not know contract migration 0003, which has begun"):
        delivery.release(rehearsal.context("dev"), force=True, because="drill")
    dev.failing_revision = ""
    rehearsal.check_out("2.0.2", revisions=KNOWN)
    delivery.release(rehearsal.context("dev"))
    delivery.contract(rehearsal.context("dev"), force=True, because="drill")
    assert (dev.applied[-1], begun(rehearsal)) == ("0003", [])


@pytest.fixture
def contracting() -> tuple[Rehearsal, Process]:
    """A process whose contract migrations run, for a minute."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev")
    for version, known in (("1.0.0", [EXPAND]), ("2.0.0", KNOWN)):
        rehearsal.check_out(version, revisions=known)
        delivery.release(rehearsal.context("dev"))
    clock.sleep(700)
    rehearsal.events.clear()
    dev.migration_seconds = 60
    ctx = inhabited(rehearsal.context("dev", pid=11), clock)
    process = clock.start(Process(11), lambda: delivery.contract(ctx))
    clock.sleep(5)
    rollout = rehearsal.ledger.rollout(dev.place)
    assert rollout
    assert rollout.phase is Phase.CONTRACTING
    return rehearsal, process


def test_rollback_beside_contract_migrations_is_refused_before_it_stops_them(
    contracting: tuple[Rehearsal, Process],
) -> None:
    rehearsal, contract = contracting
    refuse_the_way_back(rehearsal, "0002")
    said = [event.text for event in rehearsal.events if "is under way" in event.text]
    assert said
    assert all("contract" in text and "(process 11) is under way, in phase contracting" in text for text in said)
    rehearsal.clock.sleep(60)
    assert (contract.answer.status, rehearsal.environment("dev").applied[-1]) == ("completed", "0003")


def test_aborted_contract_migrations_go_on_in_the_database_and_both_people_are_told(
    contracting: tuple[Rehearsal, Process],
) -> None:
    rehearsal, contract = contracting
    told = "what of it has run stays, and a Job that runs goes on"
    assert told in delivery.abort(rehearsal.context("dev", pid=12)).text
    rehearsal.clock.sleep(60)
    assert (told in str(contract.error), rehearsal.environment("dev").applied[-1]) == (True, "0003")
    refuse_the_way_back(rehearsal, "0002")


@dataclass(frozen=True, kw_only=True)
class FormerSchema:
    """The ledger's document as it was before migrations were noted as begun."""

    applied: tuple[Revision, ...] = ()
    filled: tuple[str, ...] = ()


def test_ledger_of_an_older_version_has_nothing_begun_and_an_older_version_reads_ours() -> None:
    ours, former = TypeAdapter(Schema), TypeAdapter(FormerSchema)
    before = FormerSchema(applied=(EXPAND,), filled=("0002",))
    schema = ours.validate_json(former.dump_json(before))
    assert schema == Schema(applied=(EXPAND,), filled=("0002",))
    assert former.validate_json(ours.dump_json(schema.with_begun([SECOND]))) == before
