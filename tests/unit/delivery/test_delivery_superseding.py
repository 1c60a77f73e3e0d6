"""A release that supersedes the one under way: that goes back first, everybody is told, and nothing is held against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, PhaseEntered
from slipway.delivery.gates.facts import Refusal
from slipway.delivery.model.credentials import Credentials
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import MigrationPhase, Release, Revision
from slipway.delivery.model.rollout import ROUTES, Kind, Phase, Reason, Rollout
from slipway.delivery.model.word import Topic
from slipway.delivery.planning import UNMEASURED_SECONDS
from slipway.delivery.superseding import Supersession
from slipway.delivery.testing.processes import Process, SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import LockedError, UsageError
from tests.unit.delivery.interrupting import CONTRACT, EXPAND, company, left_in
from tests.unit.delivery.test_delivery_gates import company as companies
from tests.unit.delivery.test_delivery_gates import made, ship
from tests.unit.delivery.test_delivery_people import Company

FORWARD = [phase for phase in ROUTES[Kind.RELEASE] if phase not in {Phase.SETTLING, Phase.COMPLETED}]


def superseded_by(scene: Company, version: str = "3.0.0", **options: Any) -> Process:
    scene.rehearsal.check_out(version, revisions=[EXPAND])
    ctx = inhabited(scene.rehearsal.context("dev", pid=21), scene.clock)
    return scene.clock.start(Process(21), lambda: delivery.release(ctx, supersede=True, **options))


def interrupted(ctx: delivery.Context) -> delivery.Context:
    """Ends with its first bake, as by Ctrl-C."""

    def stop(event: Event) -> None:
        if isinstance(event, PhaseEntered) and event.phase is Phase.BAKING:
            raise KeyboardInterrupt

    return replace(ctx, progress=stop)


def ended(scene: Company) -> dict[str, Rollout]:
    history = scene.rehearsal.ledger.history(scene.dev.place, 9)
    return {past.candidate.version: past for past in history if past.candidate}


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("phase", FORWARD)
def test_release_under_way_makes_room_and_the_new_one_goes_through(phase: Phase, alive: bool) -> None:
    scene = Company(bakeSeconds=20)
    scene.dev.up_seconds = 40
    scene.until(lambda rollout: phase in rollout.path)
    if not alive:
        scene.owner.dead = True  # with its next call, in whatever phase it is
        scene.rehearsal.dead.add(scene.owner.pid)
        scene.owner.fuse = 0
    first, newer = scene.owner, superseded_by(scene, because="it has the fix")
    scene.clock.run_until()
    assert newer.error is None
    assert (newer.answer.status, scene.dev.harm) == ("completed", [])
    past = ended(scene)
    turned = past["2.0.0"].phase is Phase.ROLLED_BACK
    if phase not in {Phase.VERIFYING, Phase.SMOKING}:  # those are over at once
        assert (turned, past["2.0.0"].reason) == (True, Reason.SUPERSEDED)
    if turned:
        assert "superseded by ada@bench (process 21)" in past["2.0.0"].reason_text
        assert past["2.0.0"].reason_text.endswith("3.0.0 is released instead: it has the fix")
        assert scene.dev.notifications.count("on-rollout-aborted") == 1
    assert scene.rehearsal.ledger.rejections(scene.dev.place) == []
    assert scene.dev.running[past["3.0.0"].colour][0].version == "3.0.0"
    assert scene.dev.weights.of(past["3.0.0"].colour) == 100
    if alive and turned:
        assert isinstance(first.error, delivery.ReleaseRolledBackError)
        assert first.error.rollout.reason is Reason.SUPERSEDED
        assert "is not rejected: release it again" in str(first.error.remedy)


def test_superseded_release_may_be_released_again() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    superseded_by(scene)
    scene.clock.run_until()
    scene.rehearsal.check_out("2.0.0", revisions=[EXPAND])
    again = scene.rehearsal.context("dev", pid=31)
    with pytest.raises(delivery.RefusedError, match="is older than"):  # by the gate of the order, and by no other
        delivery.release(again)
    assert delivery.release(again, force=True, because="it was good").status == "completed"


def test_without_the_option_a_release_is_refused_as_ever() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.rehearsal.check_out("3.0.0", revisions=[EXPAND])
    with pytest.raises(LockedError, match="is at work here"):
        delivery.release(scene.rehearsal.context("dev", pid=21))
    scene.clock.run_until()
    assert (scene.owner.error, scene.rollout.phase) == (None, Phase.COMPLETED)


def test_refuses_to_stop_anybody_in_a_freeze_or_for_what_would_be_refused() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.rehearsal.check_out("3.0.0", revisions=[EXPAND])
    now = scene.clock.now()
    window = {"start": now.isoformat(), "end": (now + timedelta(hours=2)).isoformat()}
    quick, scene.dev.rollout = scene.dev.rollout, {**scene.dev.rollout, "freezeWindows": [window]}
    newer = superseded_by(scene)
    scene.clock.sleep(30)
    assert isinstance(newer.error, delivery.RefusedError)
    scene.dev.rollout = quick
    scene.clock.run_until()
    assert (scene.owner.error, scene.rollout.phase) == (None, Phase.COMPLETED)


@pytest.mark.parametrize("why", ["pending-contract", "credentials"])
def test_stops_nobody_for_what_is_refused_once_there_is_room(why: str) -> None:
    """The release under way was stopped first. Credentials were compared with what was left of that one."""
    scene = Company(bakeSeconds=600)
    scene.until(lambda rollout: rollout.phase is Phase.BAKING and rollout.step == len(rollout.steps) - 1)
    if why == "credentials":
        soon = scene.clock.now() + timedelta(seconds=UNMEASURED_SECONDS + 900)
        scene.rehearsal.credentials = Credentials(source="environment", lasting=False, ends_at=soon)
        scene.rehearsal.check_out("3.0.0", revisions=[EXPAND])
    else:
        scene.rehearsal.check_out(
            "3.0.0", revisions=[EXPAND, CONTRACT, Revision(id="0003", phase=MigrationPhase.EXPAND)]
        )
    ctx = inhabited(scene.rehearsal.context("dev", pid=21), scene.clock)
    newer = scene.clock.start(Process(21), lambda: delivery.release(ctx, supersede=True))
    scene.clock.sleep(5)
    assert isinstance(newer.error, delivery.RefusedError)
    assert [refusal.gate for refusal in newer.error.refusals] == [why]
    scene.clock.run_until()
    assert (scene.owner.error, scene.rollout.phase) == (None, Phase.COMPLETED)


def test_credentials_are_compared_with_the_pace_of_the_one_that_supersedes() -> None:
    scene = Company(bakeSeconds=600)
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    soon = scene.clock.now() + timedelta(seconds=UNMEASURED_SECONDS + 300)
    scene.rehearsal.credentials = Credentials(source="environment", lasting=False, ends_at=soon)
    newer = superseded_by(scene, pace=Pace(bake_seconds=5))
    scene.clock.run_until()
    assert newer.error is None
    assert newer.answer.status == "completed"


def test_refuses_to_supersede_a_release_by_itself() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    with pytest.raises(UsageError, match="is this very one"):
        delivery.release(scene.rehearsal.context("dev", pid=21), supersede=True)
    scene.clock.run_until()
    assert scene.owner.error is None


@pytest.mark.parametrize("verb", ["rollback", "contract"])
def test_way_back_and_contract_are_never_superseded(verb: str) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    if verb == "rollback":
        left_in(rehearsal, Phase.SHIFTING, delivery.rollback, known=False)
    else:
        rehearsal.check_out("3.0.0", revisions=[EXPAND, CONTRACT])
        delivery.release(rehearsal.context("dev"))
        left_in(
            rehearsal,
            Phase.RETIRING,
            lambda ctx: delivery.contract(ctx, force=True, because="drill"),
            known=False,
        )
    rehearsal.check_out("4.0.0")
    with pytest.raises(LockedError, match=f"slipway {verb} dev"):
        delivery.release(rehearsal.context("dev"), supersede=True)


def test_release_that_has_not_begun_yet_makes_room_once_it_has() -> None:
    """Its process brings the stack up: there is no rollout that could be asked."""
    scene = SharedClock()
    rehearsal = Rehearsal(clock=scene)
    for name, source in (("dev", None), ("staging", "dev"), ("prod", "staging")):
        rehearsal.environment(name, promoteFrom=source)
    prod, _ = rehearsal.environment("prod"), ship(rehearsal, "1.0.0", upto="prod")
    releases = [ship(rehearsal, version, upto="staging") for version in ("2.0.0", "3.0.0")]
    prod.up_seconds = 40

    def promote(pid: int, release: Release, **options: Any) -> Process:
        ctx = inhabited(rehearsal.context("prod", pid=pid), scene)
        return scene.start(Process(pid), lambda: delivery.promote(ctx, "staging", release_id=release.id, **options))

    first = promote(11, releases[0])
    scene.sleep(20)
    newer = promote(12, releases[1], supersede=True)
    scene.run_until()
    assert newer.error is None
    assert isinstance(first.error, delivery.ReleaseRolledBackError)
    assert first.error.rollout.reason is Reason.SUPERSEDED
    assert rehearsal.ledger.rejections(prod.place) == []


def test_release_that_was_asked_for_later_or_is_the_same_is_not_superseded() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    ctx = scene.rehearsal.context("dev", pid=21)
    running = made(scene.rehearsal, "2.0.0")

    def asked(**changes: Any) -> bool:
        Supersession(ctx=ctx, new=replace(running, **changes), because="").look()
        return scene.rehearsal.ledger.said(scene.dev.place, Topic.SUPERSEDE, scene.rollout.id) is not None

    assert not asked(version="1.9.0", created_at=running.created_at - timedelta(seconds=1))
    assert not asked(created_at=running.created_at + timedelta(seconds=1))
    assert asked(version="3.0.0", created_at=running.created_at + timedelta(seconds=1))


def test_nothing_under_way_is_nothing_to_supersede() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    assert delivery.release(rehearsal.context("dev"), supersede=True).status == "completed"


def test_rollback_of_a_release_that_is_being_superseded_rejects_it() -> None:
    scene = Company()
    scene.until(lambda rollout: rollout.phase is Phase.BAKING)
    scene.kill()
    place = scene.dev.place
    scene.rehearsal.ledger.request_abort(place, scene.rollout.id, "aborted by grace")
    superseded_by(scene)
    scene.clock.run_until()
    assert ended(scene)["2.0.0"].reason is Reason.ABORTED
    assert [each.rejected and each.rejected.because for each in scene.rehearsal.ledger.rejections(place)] == [
        "aborted: aborted by grace"
    ]


def test_promotion_supersedes_an_older_one_and_no_newer_one() -> None:
    rehearsal = companies("1.0.0", upto="prod")
    old = ship(rehearsal, "2.0.0", upto="staging")

    def promote(ctx: delivery.Context, **options: Any) -> Any:
        return delivery.promote(ctx, "staging", **options)

    ctx = rehearsal.context("prod", pid=7)
    with pytest.raises(KeyboardInterrupt):
        promote(interrupted(ctx))
    ship(rehearsal, "3.0.0", upto="staging")
    with pytest.raises(UsageError, match="is this very one"):
        promote(rehearsal.context("prod"), release_id=old.id, supersede=True)
    assert promote(rehearsal.context("prod"), supersede=True).status == "completed"
    assert rehearsal.ledger.rejections(rehearsal.environment("prod").place) == []

    ship(rehearsal, "4.0.0", upto="staging")
    with pytest.raises(KeyboardInterrupt):
        promote(interrupted(ctx))
    with pytest.raises(delivery.RefusedError, match="which is on its way to prod") as refused:
        promote(rehearsal.context("prod"), release_id=made(rehearsal, "2.0.0").id, supersede=True)
    assert refused.value.refusals[0] == Refusal(
        gate="order",
        text=f"{old.id} is older than {made(rehearsal, '4.0.0').id}, which is on its way to prod",
        remedy="wait for it, or supersede it all the same with --force --because REASON",
    )
