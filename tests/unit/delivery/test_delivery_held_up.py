"""Neither a state backend nor who is notified holds traffic up that goes back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.errors import ListenerGoneError
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.target import Target
from slipway.delivery.ports import World
from slipway.delivery.testing.processes import KilledError
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import OperationError
from tests.unit.delivery.interrupting import (
    NEW,
    OLD,
    check_out_bad,
    company,
    killed_when,
    left_in,
    seconds_until,
    watch_weights,
)

Verb = Callable[[delivery.Context], Any]


def hanging_backend(rehearsal: Rehearsal) -> delivery.Context:
    """A context whose state backend takes five minutes to say nothing."""
    ctx = rehearsal.context("dev")

    def hang() -> Any:
        rehearsal.clock.sleep(300)
        raise OperationError("`pulumi stack output` took over 300 s")

    ctx.stack.outputs = hang  # type: ignore[method-assign]
    return ctx


def seconds_back(rehearsal: Rehearsal, ctx: delivery.Context, verb: Verb) -> float:
    """From the verb to the old weights, whatever becomes of the rest."""
    began, seen = rehearsal.clock.now(), watch_weights(rehearsal.environment("dev"))
    with contextlib.suppress(delivery.ReleaseRolledBackError):
        verb(ctx)
    return seconds_until(seen, began, OLD)


def test_rollback_to_the_warm_colour_does_not_wait_for_the_state_backend() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    assert seconds_back(rehearsal, hanging_backend(rehearsal), delivery.rollback) <= 3


def hanging_cluster(rehearsal: Rehearsal) -> delivery.Context:
    """A context whose cluster takes 20 s for each look at its pods, and says nothing."""
    ctx = rehearsal.context("dev")

    def hang(_colour: Colour) -> Any:
        rehearsal.clock.sleep(20)
        raise OperationError("the cluster's API does not answer")

    def connect(target: Target) -> World:
        world = ctx.connect(target)
        world.cluster.pods = hang  # type: ignore[method-assign]
        return world

    return replace(ctx, connect=connect)


def test_rollback_to_the_warm_colour_does_not_wait_for_the_cluster() -> None:
    """Its API hung, each call for 20 s, and the traffic waited to be told of pods that the load balancer calls healthy."""
    rehearsal = company("1.0.0", "2.0.0")
    assert seconds_back(rehearsal, hanging_cluster(rehearsal), delivery.rollback) <= 3


def test_rollback_does_not_ask_the_cluster_for_pods_that_had_the_traffic_until_now() -> None:
    """The `up` that each release owes at its end had not been paid: the program fails, or the process was killed."""
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.SETTLING)
    dev.up_fault = "the program fails"
    assert seconds_back(rehearsal, hanging_cluster(rehearsal), delivery.rollback) <= 3
    assert [item.debt for item in rehearsal.ledger.owed(dev.place)] == [Debt.UP]

    began, seen = rehearsal.clock.now(), watch_weights(dev)
    forward = rehearsal.ledger.release(
        "orders", next(r.id for r in rehearsal.ledger.releases("orders") if r.version == "2.0.0")
    )
    delivery.rollback(hanging_cluster(rehearsal), forward.id, force=True, because="it was the right one")
    assert seconds_until(seen, began, NEW) <= 3


@pytest.mark.parametrize("verb", [delivery.rollback, delivery.abort, delivery.abandon])
def test_dead_release_goes_back_without_the_state_backend(verb: Verb) -> None:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.VERIFYING)
    assert seconds_back(rehearsal, hanging_backend(rehearsal), verb) <= 3


def test_resume_brings_traffic_back_without_the_state_backend() -> None:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5)
    left_in(rehearsal, Phase.RETURNING)
    assert seconds_back(rehearsal, hanging_backend(rehearsal), delivery.resume) <= 3


def test_rollback_finds_a_load_balancer_that_an_up_has_moved() -> None:
    """The ledger remembers the one of the last rollout."""
    rehearsal = company("1.0.0", "2.0.0")
    ctx = rehearsal.context("dev")
    (known,) = rehearsal.ledger.targets()
    former = known.load_balancer.model_copy(update={"listener_arn": "listener/former"})
    rehearsal.ledger.register(known.model_copy(update={"load_balancer": former}))

    def gone(**_: Any) -> Any:
        raise ListenerGoneError("the live listener is gone")

    def connect(target: Target) -> World:
        world = ctx.connect(target)
        if target.load_balancer.listener_arn == "listener/former":
            world.balancer.read = gone  # type: ignore[method-assign]
        return world

    assert delivery.rollback(replace(ctx, connect=connect)).status == "completed"
    assert rehearsal.environment("dev").weights == OLD


def test_rollback_that_brings_a_release_up_asks_the_stack_for_the_present_secrets() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev = rehearsal.environment("dev")
    dev.settings = ColourSettings(template='{"memory": "192Mi"}', secrets="present")
    first = next(each.id for each in rehearsal.ledger.releases("orders") if each.version == "1.0.0")
    assert delivery.rollback(rehearsal.context("dev"), first).status == "completed"
    running, _ = dev.running[rehearsal.ledger.wanted(dev.place).live or dev.test]
    assert (running.version, running.settings and running.settings.secrets) == ("1.0.0", "present")


def slow_to_notify(rehearsal: Rehearsal) -> delivery.Context:
    """A context whose notifications are on their way for as long as they may be."""
    ctx = rehearsal.context("dev")

    def connect(target: Target) -> World:
        world = ctx.connect(target)
        world.notifier.flush = lambda: rehearsal.clock.sleep(8)  # type: ignore[method-assign]
        return world

    return replace(ctx, connect=connect)


def test_rollback_from_a_release_that_a_dead_process_had_decided_does_not_wait_for_who_is_notified() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    left_in(rehearsal, Phase.SETTLING)
    before = len(dev.notifications)
    assert seconds_back(rehearsal, slow_to_notify(rehearsal), delivery.rollback) <= 3
    told = [name for name in dev.notifications[before:] if name in {"on-rollout-started", "on-rollout-completed"}]
    assert told == ["on-rollout-completed", "on-rollout-started", "on-rollout-completed"], dev.notifications[before:]


def test_rollback_after_an_ending_that_nobody_was_told_does_not_wait_for_who_is_notified() -> None:
    rehearsal = company("1.0.0")
    dev = rehearsal.environment("dev")
    rehearsal.check_out("2.0.0")
    ledger: Any = rehearsal.ledger

    def die(*_: Any) -> None:
        raise KilledError

    put, ledger.put_history = ledger.put_history, die
    killed_when(rehearsal, delivery.release, lambda _event: False)
    ledger.put_history, before = put, len(dev.notifications)
    assert dev.weights == NEW
    assert seconds_back(rehearsal, slow_to_notify(rehearsal), delivery.rollback) <= 3
    assert dev.notifications[before:].count("on-rollout-completed") == 2
