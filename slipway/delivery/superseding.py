"""Superseding: a release under way makes room for another one. It is turned back, and nothing is held against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from slipway.delivery.conducting import contract_may_run, settings_of
from slipway.delivery.gates import Refusal
from slipway.delivery.gating import Override, find_refusals, pass_gates
from slipway.delivery.leasing import Patience
from slipway.delivery.machine import can_be_stopped
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release, same_checkout
from slipway.delivery.model.rollout import Kind, Rollout
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.planning import draft_release
from slipway.delivery.ports import Context
from slipway.delivery.targeting import known_target
from slipway.delivery.telling import tell
from slipway.errors import UsageError

OBEDIENCE_SECONDS = 3600.0
"""An owner that lives hears it once its `up` is through, which takes up to half an hour on AWS, and then tries what is owed."""
BEFORE_THE_IMAGE = frozenset({"credentials", "freeze", "migrations", "pending-contract", "schema"})
"""Gates that need no image: the checkout says enough."""


@dataclass(frozen=True, kw_only=True)
class Supersession:
    """What comes instead of whatever release is under way, and begins while this one waits."""

    ctx: Context
    new: Release
    because: str
    asked: set[str] = field(default_factory=set[str])
    """Rollouts that were asked to make room."""

    @property
    def patience(self) -> Patience:
        """Releases are waited for, which end soon; what is never superseded is waited for as ever."""
        rollout = self.ctx.ledger.rollout(self.ctx.place)
        kept = rollout is not None and not rollout.phase.ended and rollout.kind is not Kind.RELEASE
        return Patience(seconds=0 if kept else OBEDIENCE_SECONDS, meanwhile=self.look)

    def look(self) -> None:
        """Ask a release that has begun meanwhile, unless it was asked for later than this one, or is the same."""
        running = _running(self.ctx)
        if running is None or running.id in self.asked:
            return
        candidate = _candidate(self.ctx, running)
        if candidate.created_at <= self.new.created_at and not same_checkout(self.new, candidate):
            self.ask(running)

    def ask(self, running: Rollout) -> None:
        """Say it, and go on whatever comes of it: it may be past the point of turning back."""
        ctx = self.ctx
        self.asked.add(running.id)
        text = f"{self.new.version} is released instead{': ' + self.because if self.because else ''}"
        word = Word(rollout=running.id, by=ctx.owner.name, at=ctx.clock.now(), because=text)
        ctx.ledger.say(ctx.place, Topic.SUPERSEDE, word)
        tell(ctx, f"{running.kind} {running.id} by {running.actor} is turned back first: it is superseded")


def supersede_for_checkout(
    ctx: Context, override: Override | None, because: str, asked_at: datetime, pace: Pace | None
) -> Supersession:
    """Ask the release under way to make room for this checkout's. What is refused is refused before anybody is stopped for it."""
    running, target = _running(ctx), known_target(ctx)
    draft = draft_release(ctx.place.service, target, ctx.source.facts(), asked_at)
    supersession = Supersession(ctx=ctx, new=draft, because=because)
    if running:
        if same_checkout(draft, _candidate(ctx, running)):
            _refuse_itself(ctx, running)
        refusals = _refusals(ctx, target, draft, pace)
        pass_gates(ctx, [each for each in refusals if each.gate in BEFORE_THE_IMAGE], override)
        supersession.ask(running)
    return supersession


def supersede_for_release(
    ctx: Context, chosen: Release, override: Override | None, because: str, pace: Pace | None
) -> Supersession:
    """The same for a release that is known already. An older one does not supersede a newer one."""
    running, supersession = _running(ctx), Supersession(ctx=ctx, new=chosen, because=because)
    if running:
        candidate = _candidate(ctx, running)
        if candidate.id == chosen.id:
            _refuse_itself(ctx, running)
        refusals = [*_refuse_older(ctx, chosen, candidate), *_refusals(ctx, known_target(ctx), chosen, pace)]
        pass_gates(ctx, refusals, override)
        supersession.ask(running)
    return supersession


def _refusals(ctx: Context, target: Target | None, new: Release, pace: Pace | None) -> Sequence[Refusal]:
    """What will stand against the new release once it has room: by its own plan, and as if contract migrations that may run had run."""
    settings = settings_of(ctx, target, pace) if target else ctx.declared() or RolloutSettings()
    found = find_refusals(ctx, target, new, Kind.RELEASE, settings=settings)
    opened = contract_may_run(ctx, settings.rollback_window_seconds)
    return [refusal for refusal in found if not (opened and refusal.gate == "pending-contract")]


def _running(ctx: Context) -> Rollout | None:
    rollout = ctx.ledger.rollout(ctx.place)
    # A way back is never stopped, and a release whose traffic is decided is through soon.
    return rollout if rollout and rollout.kind is Kind.RELEASE and can_be_stopped(rollout) else None


def _candidate(ctx: Context, running: Rollout) -> Release:
    if running.candidate is None:
        raise ValueError(f"rollout {running.id} is a release of nothing")
    return ctx.ledger.release(ctx.place.service, running.candidate.release)


def _refuse_itself(ctx: Context, running: Rollout) -> None:
    raise UsageError(
        f"the release under way is this very one: {running.candidate.release if running.candidate else running.id}",
        where=str(ctx.place),
        remedy="wait for it (--wait SECONDS), or turn it back with `slipway abort`",
    )


def _refuse_older(ctx: Context, chosen: Release, running: Release) -> Sequence[Refusal]:
    if running.created_at <= chosen.created_at:
        return ()
    refusal = Refusal(
        gate="order",
        text=f"{chosen.id} is older than {running.id}, which is on its way to {ctx.place.environment}",
        remedy="wait for it, or supersede it all the same with --force --because REASON",
    )
    return (refusal,)
