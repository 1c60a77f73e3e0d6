"""What a rollout sees of the world before each decision: as much as its phase wants, and what people have said."""

from __future__ import annotations

from dataclasses import replace

from slipway.delivery.gating import gates_against_retry, refusals_before_step
from slipway.delivery.holding import LISTENING, approves, ends_bake
from slipway.delivery.machine import RULES, can_be_stopped
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.observation import BalancerState, Health, Observation, Verdict
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.ports import Context, World
from slipway.delivery.resizing import read_sizes
from slipway.delivery.retrying import retry_due


def observe(
    ctx: Context, world: World, rollout: Rollout, verdict: Verdict | None, asked: Weights | None
) -> Observation:
    """What is so now. `asked`: the weights that this process asked for last. SlipwayError where something cannot be read."""
    rule = RULES[rollout.phase]
    wanted, abort = ctx.ledger.wanted(ctx.place), ctx.ledger.abort_request(ctx.place, rollout.id)
    before_step = rollout.kind is Kind.RELEASE and (rollout.phase is Phase.SIZING or rollout.asked_since is not None)
    frozen, rejected = refusals_before_step(ctx, rollout) if before_step else ("", "")
    return Observation(
        wanted=wanted,
        frozen=frozen,
        rejected=rejected,
        asked=asked,
        verdict=verdict,
        balancer=_read_balancer(world, rollout, wanted, urgent=abort is not None),
        health=_health(world, rollout) if rule.reads_health else None,
        sizes=read_sizes(world.cluster) if rollout.kind in rule.reads_sizes else {},
        abort=abort,
        pause=_said(ctx, rollout, Topic.PAUSE),
        approval=_said(ctx, rollout, Topic.APPROVAL),
        skip=_said(ctx, rollout, Topic.SKIP) if rollout.phase is Phase.BAKING else None,
        superseded=_superseded(ctx, rollout),
        barred=gates_against_retry(ctx, rollout) if retry_due(rollout, ctx.clock.now()) else None,
    )


def is_called(ctx: Context, rollout: Rollout) -> bool:
    """Whether somebody wants a waiting rollout to turn back, or says what it waits for. SlipwayError when the ledger does not answer."""
    ledger, place = ctx.ledger, ctx.place
    if ledger.abort_request(place, rollout.id) or _superseded(ctx, rollout):
        return True
    pause = ledger.said(place, Topic.PAUSE, rollout.id) if rollout.phase in LISTENING else None
    if bool(pause and pause.holds) is not bool(rollout.pause):
        return True
    skip = ledger.said(place, Topic.SKIP, rollout.id) if rollout.phase is Phase.BAKING else None
    if skip and ends_bake(rollout, skip):
        return True
    approval = ledger.said(place, Topic.APPROVAL, rollout.id) if rollout.asked_since else None
    return approval is not None and approves(rollout, approval)


def _read_balancer(world: World, rollout: Rollout, wanted: Wanted, *, urgent: bool) -> BalancerState | None:
    rule = RULES[rollout.phase]
    # That the new release is live stands in the ledger before anything waits for rules. A way back that needs this rollout's end does
    # not: it takes the rules away itself, after the weights.
    unready = rollout.phase is Phase.SETTLING and (urgent or wanted.live != rollout.colour)
    routes = rule.reads_routes and bool(rollout.settings.routes) and not unready
    if not rule.reads_balancer and not routes:
        return None
    return world.balancer.read(test=rule.reads_test, routes=routes)


def _said(ctx: Context, rollout: Rollout, topic: Topic) -> Word | None:
    if rollout.kind is not Kind.RELEASE or rollout.phase not in LISTENING:
        return None
    return ctx.ledger.said(ctx.place, topic, rollout.id)


def _superseded(ctx: Context, rollout: Rollout) -> Word | None:
    if rollout.kind is not Kind.RELEASE or not can_be_stopped(rollout):
        return None
    return ctx.ledger.said(ctx.place, Topic.SUPERSEDE, rollout.id)


def _health(world: World, rollout: Rollout) -> Health:
    health = world.balancer.health(rollout.colour)
    if rollout.phase is not Phase.WAITING:
        return health
    if rollout.kind is Kind.SWITCH:
        # Warm pods that no `up` replaces, as was made sure of before: who of them answers the load balancer knows alone.
        return replace(health, serving=health.healthy)
    pods = world.cluster.pods(rollout.colour)
    if pods is None:
        return replace(health, pods_ready=False)
    serving = len(pods.addresses & health.addresses) if pods.addresses else health.healthy
    return replace(
        health,
        expected=pods.wanted,
        pods_ready=pods.ready,
        missing=pods.addresses - health.addresses,
        serving=0 if pods.mixed else serving,
        trouble=pods.trouble,
        crash_loop=pods.crash_loop,
    )
