"""What a destroyed environment leaves in the ledger: its history, its releases and its fitness records, but nothing that says what runs."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from slipway.delivery.leasing import LeaseKeeper, hold_lease
from slipway.delivery.model.owed import RECORDS
from slipway.delivery.model.rollout import JournalEntry, Phase, Reason, Rollout
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.owing import pay
from slipway.delivery.ports import Context
from slipway.delivery.transitions import enter
from slipway.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Beliefs:
    """What the ledger says runs in a place."""

    wanted: Wanted
    schema: Schema
    rollout: Rollout | None
    """The one that has not ended."""
    registered: bool
    """`status` asks the load balancer of this place."""

    @property
    def texts(self) -> tuple[str, ...]:
        """One thing each, for people; empty: nothing was ever released here, or all is forgotten."""
        texts = [
            f"{colour} {running.version} ({running.release}) at {self.wanted.weights.of(colour)} % of the traffic"
            for colour, running in self.wanted.releases().items()
        ]
        if self.schema.head:
            texts.append(f"a database migrated to {self.schema.head}")
        if self.rollout:
            texts.append(f"a {self.rollout.kind.value} that was left in {self.rollout.phase.value}")
        if self.registered:
            texts.append("the address of its load balancer")
        if not texts and not self.wanted.same_as(Wanted.initial()):
            texts.append("how traffic was divided")
        return tuple(texts)


def refuse_during_rollout(ctx: Context) -> None:
    """UsageError while a rollout is under way: whoever runs it would go on with what is being deleted."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is not None and not rollout.phase.ended:
        raise UsageError(
            f"a {rollout.kind.value} is under way, in {rollout.phase.value}",
            where=str(ctx.place),
            remedy=f"end it first: `slipway resume {ctx.place.environment}`, or `slipway abandon {ctx.place.environment}` as it is",
        )


@contextmanager
def being_destroyed(ctx: Context) -> Generator[None]:
    """Within, the environment is deleted, its database too, and nobody else is at work here: a release would build upon what goes.

    Forgotten at the end, unless that fails: the next one of this name begins without releases and migrations. UsageError while a rollout
    is under way, LockedError while somebody is at work here.
    """
    refuse_during_rollout(ctx)
    with hold_lease(ctx, f"slipway destroy {ctx.place.environment}") as keeper:
        refuse_during_rollout(ctx)  # one may have begun before we were alone
        yield
        keeper.confirm()
        _forget(ctx, keeper)


def forget_destroyed(ctx: Context) -> Beliefs:
    """Forget an environment that somebody else deleted; what the ledger believed of it until now.

    UsageError while the stack has resources, LockedError while somebody is at work here, NotFoundError for a place that was never made.
    """
    _refuse_what_is_there(ctx)
    beliefs = _read(ctx)
    if beliefs.texts:
        with hold_lease(ctx, f"slipway forget {ctx.place.environment}") as keeper:
            _refuse_what_is_there(ctx)  # somebody may have brought it up before we were alone with it
            _forget(ctx, keeper)
    return beliefs


def _refuse_what_is_there(ctx: Context) -> None:
    count = ctx.stack.resources()
    if count:
        raise UsageError(
            f"the stack still has {count} resource(s)",
            where=str(ctx.place),
            remedy=f"`slipway destroy {ctx.place.environment}` deletes them and forgets the environment",
        )


def _read(ctx: Context) -> Beliefs:
    rollout = ctx.ledger.rollout(ctx.place)
    return Beliefs(
        wanted=ctx.ledger.wanted(ctx.place),
        schema=ctx.ledger.schema(ctx.place),
        rollout=rollout if rollout and not rollout.phase.ended else None,
        registered=ctx.ledger.target(ctx.place) is not None,
    )


def _forget(ctx: Context, keeper: LeaseKeeper) -> None:
    _end_rollout(ctx, keeper)
    pay(ctx, keeper, RECORDS)
    ctx.ledger.write_owed(ctx.place, (), keeper.lease)
    wanted = ctx.ledger.wanted(ctx.place)
    ctx.ledger.write_wanted(ctx.place, replace(Wanted.initial(), revision=wanted.revision), keeper.lease)
    ctx.ledger.write_schema(ctx.place, Schema(), keeper.lease)
    ctx.ledger.unregister(ctx.place)


def _end_rollout(ctx: Context, keeper: LeaseKeeper) -> None:
    """We have the lease, so whoever ran it is dead; and nobody can take it up in a world that is gone."""
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None:
        return
    if not rollout.phase.ended:
        now, why = ctx.clock.now(), f"the environment was destroyed, and forgotten by {ctx.owner.name}"
        rollout = enter(replace(rollout, reason=Reason.ABORTED, reason_text=why), Phase.ROLLED_BACK, now)
        entry = JournalEntry(at=now, phase=rollout.phase, event="entered", text=why)
        rollout = replace(rollout, journal=(*rollout.journal, entry))
        ctx.ledger.write_rollout(ctx.place, rollout, keeper.lease)
    newest = ctx.ledger.history(ctx.place, 1)
    if not newest or newest[0].id != rollout.id:
        ctx.ledger.put_history(ctx.place, rollout)
