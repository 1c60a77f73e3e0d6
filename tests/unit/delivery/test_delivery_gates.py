"""The gates in a simulated company: cases 8, 10, 11, 13, 16 and 17 of public bug reports, each as a kind.

8: argo kargo#3016 (an older freight overtakes). 10: containers-roadmap#1078 (the image is gone). 11: argo-rollouts#2929 (an aborted
rollout comes back). 13: argo-cd#17750 (windows). 16, 17: rollback and promotion past a rejection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, WeightsConfirmed
from slipway.delivery.gating import Override
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.fitness import FitnessNote, digest_of
from slipway.delivery.model.release import MigrationPhase, Release, Revision
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.ports import Context
from slipway.delivery.testing.clock import ManualClock
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.processes import SharedClock, inhabited
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import NotFoundError, UsageError

EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
CONTRACT = Revision(id="0002", phase=MigrationPhase.CONTRACT)
FROZEN = {"freezeWindows": [{"start": "2026-01-01T00:00:00+00:00", "end": "2027-01-01T00:00:00+00:00"}]}
FORCED: Any = {"force": True, "because": "incident 42"}


def company(*versions: str, upto: str = "dev", **rollout: Any) -> Rehearsal:
    """dev, staging and prod; `versions` were released in dev and promoted as far as `upto`."""
    rehearsal = Rehearsal()
    for name, source in (("dev", None), ("staging", "dev"), ("prod", "staging")):
        rehearsal.environment(name, **({"promoteFrom": source} if source else {}), **rollout)
    for version in versions:
        ship(rehearsal, version, upto=upto)
    return rehearsal


def ship(rehearsal: Rehearsal, version: str, *, upto: str = "dev") -> Release:
    rehearsal.check_out(version)
    delivery.release(rehearsal.context("dev"))
    if upto in {"staging", "prod"}:
        delivery.promote(rehearsal.context("staging"), "dev")
    if upto == "prod":
        delivery.promote(rehearsal.context("prod"), "staging")
    return made(rehearsal, version)


def made(rehearsal: Rehearsal, version: str) -> Release:
    return next(item for item in rehearsal.ledger.releases("orders") if item.version == version)


def live(rehearsal: Rehearsal, name: str) -> str:
    environment = rehearsal.environment(name)
    colour = next(colour for colour in Colour if environment.weights.of(colour) == 100)
    return environment.running[colour][0].version


def behave(rehearsal: Rehearsal, name: str, version: str, **behaviour: Any) -> None:
    rehearsal.environment(name).behaviour[made(rehearsal, version).id] = Behaviour(**behaviour)


def die_at(percent: int) -> Callable[[Event], None]:
    def die(event: Event) -> None:
        if isinstance(event, WeightsConfirmed) and event.weights.of(event.rollout.colour) == percent:
            raise KeyboardInterrupt

    return die


def meanwhile(rehearsal: Rehearsal, name: str, act: Callable[[], object]) -> Context:
    """A process that finds the lease taken; `act` happens while it waits."""
    ledger, place = rehearsal.ledger, rehearsal.environment(name).place
    lease = ledger.acquire(place, rehearsal.context(name, pid=41).owner, "another", rehearsal.clock.now())
    assert lease

    class Busy(ManualClock):
        def now(self) -> Any:
            return rehearsal.clock.now()

        def sleep(self, seconds: float) -> None:
            rehearsal.clock.sleep(seconds)
            if ledger.lease(place) == lease:
                ledger.release_lease(place, lease)
                act()

    return replace(rehearsal.context(name, pid=42, lease_wait_seconds=60), clock=Busy())


def test_older_promotion_does_not_overtake_one_that_completed_while_it_waited() -> None:
    rehearsal = company("1.0.0", upto="staging")
    ctx = meanwhile(rehearsal, "prod", lambda: ship(rehearsal, "2.0.0", upto="prod"))
    with pytest.raises(delivery.RefusedError, match=r"is older than .* which is live in prod"):
        delivery.promote(ctx, "staging")
    assert live(rehearsal, "prod") == "2.0.0"
    old = made(rehearsal, "1.0.0").id
    assert delivery.promote(rehearsal.context("prod"), "staging", release_id=old, **FORCED).status == "completed"


def test_older_release_does_not_overtake_one_that_was_asked_for_while_it_waited() -> None:
    rehearsal = company("1.0.0")

    def newer() -> None:
        ship(rehearsal, "3.0.0")
        rehearsal.check_out("2.0.0")

    rehearsal.check_out("2.0.0")
    ctx = meanwhile(rehearsal, "dev", newer)
    with pytest.raises(delivery.RefusedError, match="is older than"):
        delivery.release(ctx)
    assert live(rehearsal, "dev") == "3.0.0"


@pytest.mark.parametrize("skew_seconds", [90, -3600])
def test_release_goes_through_on_a_machine_whose_clock_is_behind_that_of_the_last_one(skew_seconds: float) -> None:
    rehearsal = Rehearsal(clock=SharedClock())
    rehearsal.environment("dev")
    for version, skew in ("1.0.0", 0), ("2.0.0", skew_seconds), ("3.0.0", 0):
        rehearsal.check_out(version)
        delivery.release(inhabited(rehearsal.context("dev"), rehearsal.clock, skew_seconds=skew))
    assert live(rehearsal, "dev") == "3.0.0"


@pytest.mark.parametrize("turns", ["frozen", "rejected"])
def test_gates_are_asked_again_after_the_wait_and_before_the_up(turns: str) -> None:
    rehearsal = company("1.0.0", upto="prod")
    release, prod = ship(rehearsal, "2.0.0", upto="staging"), rehearsal.environment("prod")

    def turn() -> None:
        if turns == "frozen":
            prod.rollout = {**prod.rollout, **FROZEN}
        else:
            delivery.rollback(rehearsal.context("staging"), because="complaints")

    ctx, ups = meanwhile(rehearsal, "prod", turn), prod.ups
    with pytest.raises(
        delivery.RefusedError, match=r"freeze: prod is frozen until|rejected: .* was rejected in staging"
    ):
        delivery.promote(ctx, "staging", release_id=release.id)
    assert (prod.ups, live(rehearsal, "prod")) == (ups, "1.0.0")


@pytest.mark.parametrize("failed", [False, True], ids=["expired", "expired, and tried before"])
def test_rollback_chooses_the_next_release_when_an_image_is_gone(failed: bool) -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    delivery.retire(rehearsal.context("dev"), **FORCED)
    rehearsal.expired.add(made(rehearsal, "2.0.0").image)
    ctx = rehearsal.context("dev")
    if failed:  # a registry that cannot be asked
        ctx = replace(ctx, has_image=lambda _image: True)
        with pytest.raises(delivery.ReleaseRolledBackError, match="targets-unhealthy"):
            delivery.rollback(ctx)
    assert delivery.rollback(ctx).status == "completed"
    assert live(rehearsal, "dev") == "1.0.0"
    told = "the last rollback to it failed" if failed else "no longer has the image"
    assert any(told in event.text and "trying the one before" in event.text for event in rehearsal.events)


def test_rollback_whose_up_failed_is_repeated_once_the_colour_is_up() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev, ctx = rehearsal.environment("dev"), rehearsal.context("dev")
    dev.behaviour["3.0.0"] = Behaviour(error_ratio=0.5)

    def exhaust(written: str) -> None:
        if "baking" in written:
            dev.up_fault = "quota exceeded"

    assert isinstance(rehearsal.ledger, MemoryLedger)
    rehearsal.ledger.after_write = exhaust
    rehearsal.check_out("3.0.0")
    with pytest.raises(delivery.ReleaseRolledBackError, match="errors-above-limit"):
        delivery.release(ctx)  # and the `up` that brings 1.0.0 up again is owed
    with pytest.raises(delivery.ReleaseRolledBackError, match="deployment-failed"):
        delivery.rollback(ctx)
    with pytest.raises(NotFoundError, match="the last rollback to it failed"):
        delivery.rollback(ctx)
    dev.up_fault = ""
    delivery.resume(ctx)
    outcome = delivery.rollback(ctx)
    assert (outcome.status, live(rehearsal, "dev")) == ("completed", "1.0.0")
    assert outcome.rollout
    assert outcome.rollout.kind is Kind.SWITCH


@pytest.mark.parametrize("gone", [False, True], ids=["ill", "expired"])
def test_failed_way_back_to_a_named_release_keeps_the_warm_colour(gone: bool) -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev, old = rehearsal.environment("dev"), made(rehearsal, "1.0.0")
    ups = dev.ups
    if gone:
        rehearsal.expired.add(old.image)
    else:
        behave(rehearsal, "dev", "1.0.0", smoke_fault="GET /version answered 500")
    with pytest.raises(delivery.RefusedError if gone else delivery.ReleaseRolledBackError):
        delivery.rollback(rehearsal.context("dev"), old.id, **FORCED)
    assert not gone or dev.ups == ups
    assert sorted(release.version for release, _ in dev.running.values()) == ["2.0.0", "3.0.0"]
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.rollout
    assert (outcome.rollout.kind, live(rehearsal, "dev")) == (Kind.SWITCH, "2.0.0")


def test_release_that_failed_leaves_the_warm_colour_of_the_one_before() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.check_out("3.0.0")
    plan = delivery.release(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert plan.release
    rehearsal.environment("dev").behaviour[plan.release.id] = Behaviour(error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert live(rehearsal, "dev") == "1.0.0"


@pytest.mark.parametrize("verb", [delivery.abort, delivery.rollback])
def test_image_of_an_aborted_release_stays_away_when_another_commit_builds_it(verb: Callable[..., Any]) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    with pytest.raises(KeyboardInterrupt):
        delivery.release(replace(rehearsal.context("dev"), progress=die_at(10)))
    assert verb(rehearsal.context("dev", pid=2), because="wrong day").status == "rolled-back"
    with pytest.raises(delivery.RefusedError, match="wrong day"):
        delivery.release(rehearsal.context("dev"))
    rehearsal.facts_now = replace(rehearsal.facts_now, git_commit="d" * 40)  # the next commit changes the README only
    with pytest.raises(delivery.RefusedError, match=r"was rejected in dev .* wrong day"):
        delivery.release(rehearsal.context("dev"))
    assert live(rehearsal, "dev") == "1.0.0"


def test_resumed_release_that_was_aborted_ends_with_exit_code_10() -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    with pytest.raises(KeyboardInterrupt):
        delivery.release(replace(rehearsal.context("dev"), progress=die_at(10)))
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    dev = rehearsal.environment("dev")
    dev.rollout = {**dev.rollout, **FROZEN}  # the way back is open all the same
    rehearsal.ledger.request_abort(dev.place, rollout.id, "aborted by grace: wrong day")
    with pytest.raises(delivery.ReleaseRolledBackError, match="wrong day") as caught:
        delivery.resume(rehearsal.context("dev"))
    assert caught.value.exit_code == 10


@pytest.mark.parametrize("verb", [delivery.retire, delivery.release, delivery.resume, delivery.contract])
def test_freeze_stops_a_dead_release_from_going_on_by_any_verb(verb: Callable[..., Any]) -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("3.0.0")
    with pytest.raises(KeyboardInterrupt):
        delivery.release(replace(rehearsal.context("dev"), progress=die_at(50)))
    dev.rollout = {**dev.rollout, **FROZEN}
    with pytest.raises(delivery.RefusedError, match=r"is frozen until .* was left in phase") as caught:
        verb(rehearsal.context("dev", pid=2))
    assert "slipway abort dev" in str(caught.value)
    assert dev.weights == Weights(blue=50, green=50)
    if verb is delivery.release:
        delivery.abort(rehearsal.context("dev", pid=2))
        assert live(rehearsal, "dev") == "2.0.0"
        return
    delivery.resume(rehearsal.context("dev", pid=2), **FORCED)
    assert live(rehearsal, "dev") == "3.0.0"
    (last,) = rehearsal.ledger.history(dev.place, 1)
    assert [entry.text.partition(":")[0] for entry in last.journal if entry.event == "forced"] == [
        "ada@bench (process 2)"
    ]
    assert "incident 42" in last.forced[0]


def test_dead_release_that_was_rejected_upstream_meanwhile_does_not_go_on() -> None:
    rehearsal = company("1.0.0", upto="prod")
    ship(rehearsal, "2.0.0", upto="staging")
    with pytest.raises(KeyboardInterrupt):
        delivery.promote(replace(rehearsal.context("prod"), progress=die_at(10)), "staging")
    delivery.rollback(rehearsal.context("dev"), because="loses orders")
    with pytest.raises(delivery.RefusedError, match=r"was rejected in dev .* loses orders"):
        delivery.resume(rehearsal.context("prod", pid=2))
    assert delivery.rollback(rehearsal.context("prod", pid=2)).status == "rolled-back"


def test_release_in_a_freeze_runs_no_contract_migration_and_no_up() -> None:
    rehearsal = company("1.0.0", rollbackWindowSeconds=0)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    dev.rollout = {**dev.rollout, **FROZEN}
    rehearsal.check_out("3.0.0", revisions=[EXPAND, CONTRACT, replace(EXPAND, id="0003")])
    before = (dev.ups, dev.applied[:], dict(dev.running))
    for verb in (delivery.release, delivery.retire, delivery.contract):
        with pytest.raises(delivery.RefusedError, match="is frozen until"):
            verb(rehearsal.context("dev"))
    assert (dev.ups, dev.applied, dev.running) == before
    assert delivery.release(rehearsal.context("dev"), **FORCED).status == "completed"
    assert all("incident 42" in text for past in rehearsal.ledger.history(dev.place, 2) for text in past.forced)


def test_release_that_no_gate_lets_pass_runs_no_contract_migration_before_it_is_refused() -> None:
    rehearsal = company("1.0.0", rollbackWindowSeconds=0)
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("3.0.0", revisions=[EXPAND, CONTRACT, replace(EXPAND, id="0003")])
    note = FitnessNote(release="r-3", because="loses orders", by="ada", at=rehearsal.clock.now())
    rehearsal.ledger.mark_rejected(dev.place, digest_of(str(dev.image)), note)
    before = (dev.applied[:], dict(dev.running))
    with pytest.raises(delivery.RefusedError, match="loses orders"):
        delivery.release(rehearsal.context("dev"))
    assert (dev.applied, dev.running) == before


def test_way_back_does_not_ask_the_stack_file() -> None:
    rehearsal = company("1.0.0", "2.0.0")

    def broken() -> RolloutSettings:
        raise UsageError("slipway:rollout.bakeSeconds: not a number")

    assert delivery.rollback(replace(rehearsal.context("dev"), declared=broken)).status == "completed"


def test_ways_back_are_open_in_a_freeze() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    dev = rehearsal.environment("dev")
    dev.rollout = {**dev.rollout, **FROZEN}
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"


def test_rollback_to_a_release_that_was_never_here_passes_the_gates_of_a_promotion() -> None:
    rehearsal = company("1.0.0", "2.0.0", upto="prod")
    prod, new = rehearsal.environment("prod"), ship(rehearsal, "3.0.0")
    with pytest.raises(delivery.RefusedError, match="was not verified in staging; verified: dev"):
        delivery.rollback(rehearsal.context("prod"), new.id, **FORCED)
    delivery.rollback(rehearsal.context("dev"))
    with pytest.raises(delivery.RefusedError, match="was rejected in dev"):
        delivery.rollback(rehearsal.context("prod"), new.id)
    assert {release.version for release, _ in prod.running.values()} == {"1.0.0", "2.0.0"}


def test_rejection_upstream_is_seen_downstream_by_every_verb_until_it_is_lifted() -> None:
    rehearsal = company("1.0.0", upto="prod")
    second = ship(rehearsal, "2.0.0", upto="prod")
    third = ship(rehearsal, "3.0.0", upto="staging")
    delivery.rollback(rehearsal.context("dev"), because="loses orders")
    with pytest.raises(delivery.RefusedError, match=r"was rejected in dev .* loses orders"):
        delivery.promote(rehearsal.context("prod"), "staging")
    with pytest.raises(NotFoundError, match="is not rejected here"):
        delivery.lift(rehearsal.context("dev"), second.id, because="wrong one")
    with pytest.raises(UsageError, match="wants a reason"):
        delivery.lift(rehearsal.context("dev"), because=" ")
    assert delivery.lift(rehearsal.context("dev"), because="it was the network").text.startswith(third.id)
    with pytest.raises(NotFoundError, match="nothing is rejected here"):
        delivery.lift(rehearsal.context("dev"), because="twice")
    assert delivery.promote(rehearsal.context("prod"), "staging").status == "completed"
    record = rehearsal.ledger.fitness(rehearsal.environment("dev").place, third.digest)
    lifted = record and record.lifted
    assert lifted
    assert (lifted.because, lifted.by) == ("it was the network", "ada@bench (process 1)")


def test_way_back_from_a_release_that_was_rejected_upstream_stays() -> None:
    rehearsal = company("1.0.0", "2.0.0", upto="prod", rollbackWindowSeconds=0)
    delivery.rollback(rehearsal.context("dev"), because="loses orders")
    with pytest.raises(delivery.RefusedError, match="was rejected in dev"):
        delivery.retire(rehearsal.context("prod"))
    assert delivery.rollback(rehearsal.context("prod")).status == "completed"


def test_rejection_is_seen_past_an_environment_that_was_destroyed() -> None:
    rehearsal = company("1.0.0", upto="prod")
    release = ship(rehearsal, "2.0.0", upto="staging")
    delivery.rollback(rehearsal.context("dev"))
    rehearsal.ledger.unregister(rehearsal.environment("staging").place)
    with pytest.raises(delivery.RefusedError, match="was rejected in dev"):
        delivery.promote(rehearsal.context("prod"), "staging", release_id=release.id)


def test_rejection_downstream_and_of_a_sibling_does_not_stop_upstream() -> None:
    rehearsal = company("1.0.0", "2.0.0", upto="prod")
    rehearsal.environment("demo", promoteFrom="staging")
    delivery.rollback(rehearsal.context("prod"))
    assert delivery.promote(rehearsal.context("demo"), "staging").status == "completed"
    delivery.retire(rehearsal.context("staging"), **FORCED)


def test_rejected_settings_do_not_reject_the_image_that_stays_live() -> None:
    rehearsal = company("1.0.0", upto="staging")
    good = made(rehearsal, "1.0.0")
    rehearsal.facts_now = replace(rehearsal.facts_now, config_hash="e" * 64)
    bad = delivery.release(rehearsal.context("dev")).release
    assert bad
    assert bad.digest == good.digest
    delivery.rollback(rehearsal.context("dev"), because="too little memory")
    rehearsal.environment("prod")
    assert delivery.promote(rehearsal.context("prod"), "staging").status == "completed"
    with pytest.raises(delivery.RefusedError, match="too little memory"):
        delivery.release(rehearsal.context("dev"))


@pytest.mark.parametrize("brought_up", [False, True])
@pytest.mark.parametrize(
    ("name", "source", "remedy"),
    [
        ("dev", "prod", "slipway release dev"),
        ("prod", "dev", "slipway promote staging prod"),
        ("staging", None, "slipway promote dev staging"),
    ],
)
def test_refuses_the_wrong_direction_before_anything_is_touched(
    name: str, source: str | None, remedy: str, brought_up: bool
) -> None:
    rehearsal = company("1.0.0", upto="prod" if brought_up else "dev")
    environment = rehearsal.environment(name)
    ups, ctx = environment.ups, rehearsal.context(name)
    with pytest.raises(UsageError) as caught:
        delivery.promote(ctx, source, **FORCED) if source else delivery.release(ctx, **FORCED)
    assert remedy in str(caught.value)
    assert environment.ups == ups
    assert rehearsal.ledger.lease(environment.place) is None


@pytest.mark.parametrize("because", ["", "  "])
def test_refuses_to_force_without_a_reason(because: str) -> None:
    assert Override.given(because, force=False) is None
    with pytest.raises(UsageError, match="--force wants a reason"):
        Override.given(because, force=True)
