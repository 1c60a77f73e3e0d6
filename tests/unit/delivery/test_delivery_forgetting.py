"""What the ledger forgets of an environment that is gone, in a simulated company."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.ports import Place
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import LockedError, NotFoundError, OperationError, UsageError

EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
DEAD = 7


class KilledError(BaseException):
    """Stands for kill -9: nothing may catch it, and nothing is written after it."""


def company(*versions: str) -> Rehearsal:
    """A dev environment that has released `versions`, one after the other."""
    rehearsal = Rehearsal()
    for version in versions:
        rehearsal.check_out(version, revisions=[EXPAND])
        delivery.release(rehearsal.context("dev"))
    return rehearsal


def destroy_behind_our_back(rehearsal: Rehearsal) -> None:
    rehearsal.context("dev").stack.destroy()


def memory(rehearsal: Rehearsal) -> MemoryLedger:
    assert isinstance(rehearsal.ledger, MemoryLedger)
    return rehearsal.ledger


def kill(rehearsal: Rehearsal, verb: Callable[[delivery.Context], Any], *, before: Callable[[str], bool]) -> None:
    """Run `verb` as process 7 and kill it before a write; its lease stays behind, as with a real kill -9."""
    ledger = memory(rehearsal)

    def killed(what: str) -> None:
        if before(what):
            raise KilledError

    release_lease = ledger.release_lease
    ledger.before_write = killed
    ledger.release_lease = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        verb(rehearsal.context("dev", pid=DEAD))
    ledger.before_write = lambda _what: None
    ledger.release_lease = release_lease  # type: ignore[method-assign]


def interrupted_release(*versions: str) -> Rehearsal:
    """A release that was killed at its first step with traffic, in an environment that has released `versions` before."""
    rehearsal = company(*versions)
    rehearsal.check_out("2.0.0", revisions=[EXPAND])
    kill(rehearsal, delivery.release, before=lambda what: what.startswith("entered baking"))
    return rehearsal


def what_is_left(rehearsal: Rehearsal) -> dict[str, Any]:
    context = rehearsal.context("dev")
    ledger, place = context.ledger, context.place
    return {
        "wanted": replace(ledger.wanted(place), revision=0),
        "schema": ledger.schema(place).head,
        "places": delivery.status(context),
        "ended": [(item.kind, item.phase, item.reason) for item in ledger.history(place, 50)],
        "lease": ledger.lease(place),
    }


def test_destroyed_environment_is_forgotten_and_the_next_one_of_its_name_is_migrated_from_the_start() -> None:
    rehearsal = company("1.0.0", "1.1.0")
    context = rehearsal.context("dev")
    assert context.ledger.schema(context.place).head == "0001"

    with delivery.being_destroyed(context):
        pass

    assert delivery.status(context) == ()
    assert context.ledger.schema(context.place).head is None
    assert context.ledger.wanted(context.place).releases() == {}
    assert context.ledger.history(context.place, 5) != []
    assert context.ledger.lease(context.place) is None


def test_environment_whose_destruction_fails_is_not_forgotten() -> None:
    rehearsal = company("1.0.0")
    context = rehearsal.context("dev")
    with pytest.raises(OperationError, match="protected"), delivery.being_destroyed(context):
        raise OperationError("a resource is protected")
    assert context.ledger.wanted(context.place).releases()
    assert context.ledger.schema(context.place).head == "0001"


def test_release_beside_a_destruction_waits_and_builds_upon_nothing_that_goes() -> None:
    """It waited for the stack, and was completed on a new database without migrations, which the ledger took for migrated."""
    clock = SharedClock()
    rehearsal = Rehearsal(clock=clock)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0", revisions=[EXPAND])

    def destroy() -> None:
        context = inhabited(rehearsal.context("dev", pid=5), clock)
        with delivery.being_destroyed(context):
            clock.sleep(60)
            context.stack.destroy()
            dev.applied.clear()

    destroying = clock.start(Process(5), destroy)
    clock.sleep(10)
    impatient = clock.start(Process(6), lambda: delivery.release(inhabited(rehearsal.context("dev", pid=6), clock)))
    patient = inhabited(rehearsal.context("dev", pid=8, lease_wait_seconds=600), clock)
    waiting = clock.start(Process(8), lambda: delivery.release(patient))
    clock.run_until()
    assert destroying.error is None
    assert isinstance(impatient.error, LockedError)
    assert "slipway destroy dev" in str(impatient.error)
    assert waiting.error is None
    assert dev.applied
    assert rehearsal.ledger.schema(dev.place).head == "0001"


def test_refuses_to_destroy_during_a_rollout() -> None:
    rehearsal = company("1.0.0")
    delivery.refuse_during_rollout(rehearsal.context("dev"))
    with pytest.raises(UsageError, match="a release is under way") as refused:
        delivery.refuse_during_rollout(interrupted_release("1.0.0").context("dev"))
    assert "slipway resume dev" in refused.value.remedy


def test_environment_that_somebody_else_destroyed_is_forgotten_once_and_said_to_be() -> None:
    rehearsal = company("1.0.0", "1.1.0")
    destroy_behind_our_back(rehearsal)
    ended = what_is_left(rehearsal)["ended"]

    told = delivery.forget_destroyed(rehearsal.context("dev")).texts

    assert [text.partition(" (")[0] for text in told] == [
        "blue 1.1.0",
        "green 1.0.0",
        "a database migrated to 0001",
        "the address of its load balancer",
    ]
    assert told[0].endswith("at 100 % of the traffic")
    forgotten = {"wanted": replace(Wanted.initial(), revision=0), "schema": None, "places": (), "lease": None}
    assert what_is_left(rehearsal) == {**forgotten, "ended": ended}
    before = len(memory(rehearsal).wanted_log)
    assert delivery.forget_destroyed(rehearsal.context("dev")).texts == ()
    assert len(memory(rehearsal).wanted_log) == before


def test_next_environment_of_the_name_is_released_to_as_if_it_were_the_first() -> None:
    rehearsal = company("1.0.0")
    destroy_behind_our_back(rehearsal)
    delivery.forget_destroyed(rehearsal.context("dev"))
    rehearsal.environment("dev").applied.clear()

    delivery.release(rehearsal.context("dev"))

    assert rehearsal.environment("dev").applied == ["0001"]


def test_what_ran_before_the_environment_was_destroyed_is_no_way_back() -> None:
    """`rollback` brought a release of the environment's former life onto the new database, and rejected the first one here."""
    rehearsal = company("1.0.0", "2.0.0")
    destroy_behind_our_back(rehearsal)
    delivery.forget_destroyed(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    with pytest.raises(NotFoundError, match="no earlier release"):
        delivery.rollback(rehearsal.context("dev"))
    assert not rehearsal.ledger.rejections(rehearsal.environment("dev").place)
    rehearsal.check_out("4.0.0", revisions=[EXPAND])
    delivery.release(rehearsal.context("dev"))
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.release
    assert outcome.release.version == "3.0.0"


def test_refuses_to_forget_what_still_has_resources() -> None:
    rehearsal = company("1.0.0")
    before = what_is_left(rehearsal)
    with pytest.raises(UsageError, match=r"the stack still has 1 resource\(s\)") as refused:
        delivery.forget_destroyed(rehearsal.context("dev"))
    assert "slipway destroy dev" in refused.value.remedy
    assert what_is_left(rehearsal) == before


def test_refuses_to_forget_while_the_owner_of_a_rollout_lives() -> None:
    rehearsal = interrupted_release("1.0.0")
    destroy_behind_our_back(rehearsal)
    before = what_is_left(rehearsal)
    with pytest.raises(LockedError, match=r"process 7\) is at work here: `slipway release dev`"):
        delivery.forget_destroyed(rehearsal.context("dev"))
    assert what_is_left(rehearsal) == before


def test_rollout_of_a_dead_owner_ends_with_the_world_it_was_for() -> None:
    rehearsal = interrupted_release("1.0.0")
    rehearsal.dead.add(DEAD)
    destroy_behind_our_back(rehearsal)

    told = delivery.forget_destroyed(rehearsal.context("dev")).texts

    assert "a release that was left in shifting" in told
    context = rehearsal.context("dev")
    (newest, _) = context.ledger.history(context.place, 50)
    assert (newest.phase, newest.reason) == (Phase.ROLLED_BACK, Reason.ABORTED)
    assert newest.reason_text == "the environment was destroyed, and forgotten by ada@bench (process 1)"
    assert delivery.release(context).status == "completed"


@pytest.mark.parametrize("versions", [(), ("1.0.0",)], ids=["first", "second"])
def test_killed_at_any_write_it_ends_in_the_same_place_when_it_is_repeated(versions: tuple[str, ...]) -> None:
    prepared = interrupted_release(*versions)
    prepared.dead.add(DEAD)
    destroy_behind_our_back(prepared)
    undisturbed, writes = copy.deepcopy(prepared), list[str]()
    memory(undisturbed).before_write = writes.append
    delivery.forget_destroyed(undisturbed.context("dev"))
    assert len(writes) == 5
    for number in range(len(writes)):
        rehearsal, left = copy.deepcopy(prepared), iter([*[False] * number, True])
        kill(rehearsal, delivery.forget_destroyed, before=lambda _what, left=left: next(left))
        delivery.forget_destroyed(rehearsal.context("dev"))
        assert what_is_left(rehearsal) == what_is_left(undisturbed), f"killed before write {number}: {writes[number]}"


def test_refuses_a_place_that_was_never_made() -> None:
    context = replace(company("1.0.0").context("dev"), place=Place(environment="prod", service="orders"))
    context.stack.destroy()
    with pytest.raises(NotFoundError, match="the ledger knows no orders in prod"):
        delivery.forget_destroyed(context)
