"""Killed at every single write of the ledger, before it and after it, every verb ends in the same place when it is run again.

Not proven here: a process killed inside `up` itself; that is the engine's own test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import Kind, Phase
from slipway.delivery.planning import build_release
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.processes import KilledError
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import NotFoundError

EXPAND = Revision(id="0001", phase=MigrationPhase.EXPAND)
SECOND = Revision(id="0002", phase=MigrationPhase.EXPAND)
CONTRACT = Revision(id="0003", phase=MigrationPhase.CONTRACT)
FILL = Revision(id="0003", phase=MigrationPhase.BACKFILL)


@dataclass
class Story:
    """A prepared company, the verb under test, and the environment it is about."""

    rehearsal: Rehearsal
    verb: Callable[[delivery.Context], Any]
    environment: str = "dev"


def first_release() -> Story:
    rehearsal = Rehearsal()
    rehearsal.check_out("1.0.0", revisions=[EXPAND])
    return Story(rehearsal, delivery.release)


def second_release() -> Story:
    story = first_release()
    delivery.release(story.rehearsal.context("dev"))
    story.rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, CONTRACT])
    return story


def filling_release() -> Story:
    story = first_release()
    story.rehearsal.environment("dev").backfills.seconds = 86_400
    delivery.release(story.rehearsal.context("dev"))
    story.rehearsal.check_out("2.0.0", revisions=[EXPAND, SECOND, FILL])
    return story


def filled_switch_back() -> Story:
    story = filling_release()
    delivery.release(story.rehearsal.context("dev"))
    story.rehearsal.clock.sleep(86_400)
    delivery.backfill(story.rehearsal.context("dev"))
    return Story(story.rehearsal, delivery.rollback)


def busy_release() -> Story:
    story = second_release()
    dev = story.rehearsal.environment("dev")
    dev.pods.maximum, dev.pods.requests_per_pod, dev.requests_per_second = 20, 10, 80
    for _ in range(2):
        dev.clock.sleep(dev.pods.autoscaler_seconds)
        dev.pass_time()
    assert dev.ready_pods(Colour.GREEN) == 8
    return story


def busy_bad_release() -> Story:
    story = busy_release()
    dev = story.rehearsal.environment("dev")
    release = build_release(
        "orders", str(dev.image), story.rehearsal.facts(), story.rehearsal.clock.now(), dev.settings
    )
    dev.behaviour[release.id] = Behaviour(error_ratio=0.3)
    return story


def busy_switch_back() -> Story:
    story = busy_release()
    delivery.release(story.rehearsal.context("dev"))
    return Story(story.rehearsal, delivery.rollback)


def bad_release() -> Story:
    story = second_release()
    dev = story.rehearsal.environment("dev")
    release = build_release(
        "orders", str(dev.image), story.rehearsal.facts(), story.rehearsal.clock.now(), dev.settings
    )
    dev.behaviour[release.id] = Behaviour(error_ratio=0.3)
    return story


def unhealthy_release() -> Story:
    story = bad_release()
    dev = story.rehearsal.environment("dev")
    dev.behaviour = {name: Behaviour(healthy=False) for name in dev.behaviour}
    dev.rollout = {**dev.rollout, "healthSeconds": 10}  # the usual 600 s are 2,400 looks at the targets, each time
    return story


def retried_release() -> Story:
    story = second_release()
    dev = story.rehearsal.environment("dev")
    dev.rollout, dev.failing_migrations = {**dev.rollout, "retries": 1}, 1
    return story


def promotion() -> Story:
    story = first_release()
    delivery.release(story.rehearsal.context("dev"))
    story.rehearsal.environment("staging", promoteFrom="dev")
    return Story(story.rehearsal, lambda ctx: delivery.promote(ctx, "dev"), "staging")


def switch_back() -> Story:
    story = second_release()
    delivery.release(story.rehearsal.context("dev"))
    return Story(story.rehearsal, delivery.rollback)


def rehearsal_of_the_way_back() -> Story:
    story = switch_back()
    return Story(story.rehearsal, delivery.rehearse)


def busy_rehearsal_of_the_way_back() -> Story:
    story = busy_switch_back()
    return Story(story.rehearsal, delivery.rehearse)


def rehearsal_over_a_backfill() -> Story:
    return Story(filled_switch_back().rehearsal, delivery.rehearse)


def cold_rollback() -> Story:
    story = switch_back()
    delivery.retire(story.rehearsal.context("dev"), force=True, because="drill")
    return story


def retirement() -> Story:
    story = switch_back()
    return Story(story.rehearsal, lambda ctx: delivery.retire(ctx, force=True, because="drill"))


def contraction() -> Story:
    story = switch_back()
    return Story(story.rehearsal, lambda ctx: delivery.contract(ctx, force=True, because="drill"))


STORIES = [
    first_release,
    second_release,
    bad_release,
    unhealthy_release,
    retried_release,
    promotion,
    switch_back,
    cold_rollback,
    retirement,
    contraction,
    filling_release,
    filled_switch_back,
    busy_release,
    busy_bad_release,
    busy_switch_back,
]
REHEARSALS = [rehearsal_of_the_way_back, busy_rehearsal_of_the_way_back, rehearsal_over_a_backfill]


def run(story: Story, *, pid: int, verb: Callable[[delivery.Context], Any] | None = None) -> str:
    """The verb's status, or its refusal in words that do not depend on ids and times."""
    ctx = story.rehearsal.context(story.environment, pid=pid)
    try:
        return str((verb or story.verb)(ctx).status)
    except delivery.ReleaseRolledBackError as error:
        return f"rolled back: {error.rollout.reason}"


def end_state(story: Story) -> dict[str, Any]:
    """Everything that must be equal, however often the work was interrupted."""
    environment = story.rehearsal.environment(story.environment)
    ledger, place = story.rehearsal.ledger, environment.place
    history = ledger.history(place, 50)
    wanted = ledger.wanted(place)
    return {
        "wanted": replace(wanted, revision=0).held({}),
        "kept": {colour: group.minimum for colour, group in environment.pods.groups.items()},
        "harm": environment.harm,
        "weights": environment.weights,
        "test": environment.test,
        "running": {colour: release.release for colour, (release, _) in environment.running.items()},
        "fitness": {
            item.id: bool(found.rejected)
            for item in ledger.releases("orders")
            if (found := ledger.fitness(place, item.digest))
        },
        "schema": ledger.schema(place),
        "backfills": [item.release for item in ledger.owed(place) if item.debt is Debt.BACKFILL],
        "filling": [name for name, _ in environment.backfills.started],
        "ended": [(item.kind, item.phase, item.reason) for item in history],
        "lease": ledger.lease(place),
    }


def count_writes(story: Story) -> int:
    ledger, writes = memory(story), 0

    def count(_what: str) -> None:
        nonlocal writes
        writes += 1

    ledger.after_write = count
    run(story, pid=1)
    return writes


def memory(story: Story) -> MemoryLedger:
    assert isinstance(story.rehearsal.ledger, MemoryLedger)
    return story.rehearsal.ledger


def kill_at(story: Story, number: int, *, after: bool) -> None:
    """Run the verb as process 7 and kill it at its write `number`; its lease stays behind, as with a real kill -9."""
    ledger, seen = memory(story), 0

    def kill(_what: str) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise KilledError

    release_lease = ledger.release_lease
    ledger.release_lease = lambda *_: None  # type: ignore[method-assign]
    setattr(ledger, "after_write" if after else "before_write", kill)
    with pytest.raises(KilledError):
        run(story, pid=7)
    ledger.before_write = ledger.after_write = lambda _what: None
    ledger.release_lease = release_lease  # type: ignore[method-assign]
    story.rehearsal.dead.add(7)
    assert_traffic_is_served(story)


def assert_traffic_is_served(story: Story) -> None:
    """At the moment of the kill, whoever has traffic at the load balancer runs something."""
    environment = story.rehearsal.environment(story.environment)
    live = story.rehearsal.ledger.wanted(environment.place).live
    if live is None:
        return
    for colour in Colour:
        assert environment.weights.of(colour) == 0 or colour in environment.running


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("make", STORIES, ids=lambda make: make.__name__)
def test_killed_process_changes_nothing_about_the_end_when_the_work_is_taken_up_again(
    make: Callable[[], Story], after: bool
) -> None:
    prepared = make()
    undisturbed = copy.deepcopy(prepared)
    writes = count_writes(undisturbed)
    expected = end_state(undisturbed)
    assert writes > 5
    for number in range(1, writes + 1):
        story = copy.deepcopy(prepared)
        kill_at(story, number, after=after)
        # Both ways back in, in turn: every write is killed before and after, one of the two is resumed by name.
        if number % 2 == after:
            run(story, pid=8, verb=delivery.resume)
        if end_state(story) != expected:
            # Killed before the first rollout was written there is nothing to resume: the verb itself is run again.
            outcome = run_again(story)
            assert outcome in {"completed", "unchanged", "refused"} or outcome.startswith("rolled back")
            if outcome == "refused":  # a refused verb changes nothing, what is owed included
                run(story, pid=10, verb=delivery.resume)
        assert end_state(story) == expected, f"killed {'after' if after else 'before'} write {number} of {writes}"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("make", REHEARSALS, ids=lambda make: make.__name__)
def test_killed_rehearsal_leaves_all_as_it_was(make: Callable[[], Story], after: bool) -> None:
    prepared = make()
    writes = count_writes(copy.deepcopy(prepared))
    for number in range(1, writes + 1):
        story = copy.deepcopy(prepared)
        before = end_state(story)
        kill_at(story, number, after=after)
        assert run(story, pid=8, verb=delivery.resume) in {"completed", "unchanged"}
        left = end_state(story)
        (*rehearsed, _, _), filled = left.pop("ended"), left.pop("schema").filled
        assert {(kind, phase) for kind, phase, _ in rehearsed} <= {(Kind.REHEARSAL, Phase.COMPLETED)}
        older_wrote = len(story.rehearsal.environment("dev").moves) > len(prepared.rehearsal.environment("dev").moves)
        assert not (older_wrote and filled), "rows that the older release wrote are not filled"
        for name, value in left.items():
            assert value == before[name] or name in {"backfills", "filling"}, f"{name} after write {number} of {writes}"


def test_same_verb_after_the_last_write_does_not_undo_a_rollback() -> None:
    story = switch_back()
    run(story, pid=1)
    expected = end_state(story)
    assert run_again(story) == "refused"
    assert end_state(story) == expected


def run_again(story: Story) -> str:
    try:
        return run(story, pid=9)
    except (delivery.RefusedError, NotFoundError):
        return "refused"  # the interrupted rollout was finished first, and its release is rejected now
