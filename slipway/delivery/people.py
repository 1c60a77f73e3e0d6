"""The verbs for people beside a release under way: pause, continue, approve, skip. They hold no lease, and move nothing themselves."""

from __future__ import annotations

from collections.abc import Iterable

from slipway.delivery.conducting import Outcome
from slipway.delivery.gates import Refusal, find_failing, find_frozen
from slipway.delivery.gating import Override, freeze_windows, pass_gates
from slipway.delivery.holding import LISTENING
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.ports import Context
from slipway.delivery.targeting import remembered_target
from slipway.errors import NotFoundError, UsageError


def pause(ctx: Context, *, because: str = "") -> Outcome:
    """Hold the traffic of the release under way where it is. It is judged meanwhile, and turned back if it is bad."""
    rollout = _listening(ctx)
    said = ctx.ledger.said(ctx.place, Topic.PAUSE, rollout.id)
    if said and said.holds:
        return Outcome(status="unchanged", text=f"it is paused {said.signature}", rollout=rollout)
    word = Word(rollout=rollout.id, by=ctx.owner.name, at=ctx.clock.now(), because=because)
    ctx.ledger.say(ctx.place, Topic.PAUSE, word)
    text = f"paused {_where(ctx, rollout)}; `slipway continue {ctx.place.environment}` ends that"
    return Outcome(status="completed", text=text + _nobody(ctx), rollout=rollout)


def continue_(ctx: Context, *, because: str = "", force: bool = False) -> Outcome:
    """End a pause. What was left of the bake is baked. RefusedError in a freeze window, unless forced."""
    rollout = _listening(ctx, again=True)
    said = ctx.ledger.said(ctx.place, Topic.PAUSE, rollout.id)
    if not (said and said.holds):
        raise UsageError("the rollout is not paused", where=str(ctx.place))
    because = _pass_freeze(ctx, rollout, because, force=force)
    word = Word(rollout=rollout.id, by=ctx.owner.name, at=ctx.clock.now(), because=because, holds=False)
    ctx.ledger.say(ctx.place, Topic.PAUSE, word)
    text = f"continued; it was paused {said.signature}"
    return Outcome(status="completed", text=text + _nobody(ctx), rollout=rollout)


def approve(ctx: Context, *, because: str = "", force: bool = False) -> Outcome:
    """Let the traffic go to the step that waits for an approval. RefusedError in a freeze window, unless forced."""
    rollout = _listening(ctx)
    if rollout.asked_since is None:
        raise UsageError("no step waits for an approval", where=str(ctx.place))
    step = rollout.coming_step
    because = _pass_freeze(ctx, rollout, because, force=force)
    word = Word(
        rollout=rollout.id,
        by=ctx.owner.name,
        at=ctx.clock.now(),
        because=because,
        step=step,
        attempt=rollout.retried,
    )
    ctx.ledger.say(ctx.place, Topic.APPROVAL, word)
    text = f"{rollout.steps[step].percent} % approved"
    if rollout.pause:
        text += f"; it is still paused: `slipway continue {ctx.place.environment}`"
    return Outcome(status="completed", text=text + _nobody(ctx), rollout=rollout)


def skip(ctx: Context, *, because: str, force: bool = False) -> Outcome:
    """End the present bake early: the next step comes without its verdict. RefusedError in a freeze window, unless forced, and where
    the judge's last verdict is fail."""
    if not because.strip():
        raise UsageError("ending a bake early wants a reason", remedy="add --because REASON; it is kept in the ledger")
    rollout = _listening(ctx)
    if rollout.phase is not Phase.BAKING:
        raise UsageError(f"nothing bakes: the rollout is {rollout.phase}", where=str(ctx.place))
    if rollout.waits_for:
        raise UsageError(rollout.waits_for, where=str(ctx.place))
    said = ctx.ledger.said(ctx.place, Topic.SKIP, rollout.id)
    if said and said.bake == rollout.bake:
        return Outcome(status="unchanged", text=f"the bake is ended early {said.signature}", rollout=rollout)
    because = _pass_freeze(ctx, rollout, because, force=force, refusals=find_failing(rollout))
    word = Word(
        rollout=rollout.id,
        by=ctx.owner.name,
        at=ctx.clock.now(),
        because=because,
        step=rollout.step,
        bake=rollout.bake,
    )
    ctx.ledger.say(ctx.place, Topic.SKIP, word)
    text = f"the bake at {rollout.steps[rollout.step].percent} % is ended early, without the judge's verdict"
    return Outcome(status="completed", text=text + _nobody(ctx), rollout=rollout)


def _listening(ctx: Context, *, again: bool = False) -> Rollout:
    """The release under way, while its traffic is not decided. `again`: or while it turns back, to be tried again."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or rollout.phase.ended or rollout.kind is not Kind.RELEASE:
        raise NotFoundError(f"no release of {ctx.place} is under way")
    if rollout.phase not in LISTENING and not (again and rollout.may_retry):
        raise UsageError(f"the rollout is {rollout.phase}: its traffic is decided", where=str(ctx.place))
    abort = ctx.ledger.abort_request(ctx.place, rollout.id)
    if abort is not None:
        raise UsageError(f"the rollout is turning back: {abort}", where=str(ctx.place))
    return rollout


def _where(ctx: Context, rollout: Rollout) -> str:
    """The share that a pause holds: a step that has begun is not undone."""
    sizing = rollout.phase is Phase.SIZING and rollout.baking_since is not None
    begun = (
        sizing
        or rollout.phase is Phase.BAKING
        or (
            rollout.phase is Phase.SHIFTING
            and (rollout.step or ctx.ledger.wanted(ctx.place).weights == rollout.weights)
        )
    )
    return f"at {rollout.steps[rollout.step].percent} %" if begun else "before it gets traffic"


def _nobody(ctx: Context) -> str:
    """Said where the process that should obey is gone."""
    lease = ctx.ledger.lease(ctx.place)
    gone = lease is None or ctx.owner_is_dead(lease.owner)
    return f"; nobody runs it now: `slipway resume {ctx.place.environment}`" if gone else ""


def _pass_freeze(ctx: Context, rollout: Rollout, because: str, *, force: bool, refusals: Iterable[Refusal] = ()) -> str:
    """The reason to keep. Traffic goes forward by these words, so a freeze that has begun meanwhile holds them back."""
    override = Override.given(because, force=force)
    standing = [*refusals]
    if not any(text.startswith("freeze:") for text in rollout.forced):
        windows = freeze_windows(ctx, remembered_target(ctx))
        standing += find_frozen(ctx.place.environment, windows, ctx.clock.now())
    forced = pass_gates(ctx, standing, override)
    return "; ".join(forced) or because
