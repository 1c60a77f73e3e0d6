"""The verbs for people beside a release under way: pause, continue, approve. They hold no lease, and move nothing themselves."""

from __future__ import annotations

from slipway.delivery.conducting import Outcome
from slipway.delivery.holding import LISTENING
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.ports import Context
from slipway.errors import NotFoundError, UsageError


def pause(ctx: Context, *, because: str = "") -> Outcome:
    """Hold the traffic of the release under way where it is. It is judged meanwhile, and turned back if it is bad."""
    rollout = _listening(ctx)
    said = ctx.ledger.said(ctx.place, Topic.PAUSE, rollout.id)
    if said and said.holds:
        return Outcome(status="unchanged", text=f"it is paused {said.signature}", rollout=rollout)
    word = Word(rollout=rollout.id, by=ctx.owner.name, at=ctx.clock.now(), because=because)
    ctx.ledger.say(ctx.place, Topic.PAUSE, word)
    share = rollout.steps[rollout.step].percent if rollout.phase is Phase.BAKING else 0
    at = f"at {share} %" if share else "before it gets traffic"
    text = f"paused {at}; `slipway continue {ctx.place.environment}` ends that"
    return Outcome(status="completed", text=text, rollout=rollout)


def continue_(ctx: Context, *, because: str = "") -> Outcome:
    """End a pause. What was left of the bake is baked."""
    rollout = _listening(ctx)
    said = ctx.ledger.said(ctx.place, Topic.PAUSE, rollout.id)
    if not (said and said.holds):
        raise UsageError("the rollout is not paused", where=str(ctx.place))
    word = Word(rollout=rollout.id, by=ctx.owner.name, at=ctx.clock.now(), because=because, holds=False)
    ctx.ledger.say(ctx.place, Topic.PAUSE, word)
    return Outcome(status="completed", text=f"continued; it was paused {said.signature}", rollout=rollout)


def approve(ctx: Context, *, because: str = "") -> Outcome:
    """Let the traffic go to the step that waits for an approval."""
    rollout = _listening(ctx)
    if rollout.asked_since is None:
        raise UsageError("no step waits for an approval", where=str(ctx.place))
    step = rollout.coming_step
    word = Word(rollout=rollout.id, by=ctx.owner.name, at=ctx.clock.now(), because=because, step=step)
    ctx.ledger.say(ctx.place, Topic.APPROVAL, word)
    return Outcome(status="completed", text=f"{rollout.steps[step].percent} % approved", rollout=rollout)


def _listening(ctx: Context) -> Rollout:
    """The release under way, while its traffic is not decided."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or rollout.phase.ended or rollout.kind is not Kind.RELEASE:
        raise NotFoundError(f"no release of {ctx.place} is under way")
    if rollout.phase not in LISTENING:
        raise UsageError(f"the rollout is {rollout.phase}: its traffic is decided", where=str(ctx.place))
    return rollout
