"""Backfills: owed once their release has all the traffic, run by Jobs that no process waits for, looked at by every verb."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slipway.delivery.events import BackfillSeen
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.model.owed import Debt, Owed, with_backfills, with_owed_by
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import find_backfills
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Cluster, Context, Ledger, Place
from slipway.delivery.targeting import remembered_target
from slipway.delivery.telling import announce, facts
from slipway.errors import NotFoundError, OperationError, SlipwayError


def owe(ctx: Context, keeper: LeaseKeeper, ended: Rollout) -> None:
    """Write what an ended rollout leaves, before its end is written: no crash loses it. Safe to repeat."""
    ledger, place = ctx.ledger, ctx.place
    owed = with_owed_by(ledger.owed(place), ended)
    for running in _wrote_rows(ended):
        try:
            release = ledger.release(place.service, running.release)
        except NotFoundError:
            continue
        before = ledger.schema(place)
        schema = before.under(release)
        if schema != before:
            ledger.write_schema(place, schema, keeper.lease)
        owed = with_backfills(owed, ended, find_backfills(release, schema))
    ledger.write_owed(place, owed, keeper.lease)


def _wrote_rows(ended: Rollout) -> Iterator[ColourRelease]:
    """Releases that a rollout let users reach, in order: the last one has the traffic, and fills what the one before did not.

    One that was turned back wrote rows, too, as does the older one in a rehearsal, whatever their share of the traffic was.
    """
    stays = ended.kind is not Kind.REHEARSAL and ended.phase is Phase.COMPLETED
    live = ended.original.colour(ended.original.live) if ended.original.live else None
    returned = live if ended.was_shown and not stays else None
    if ended.candidate and (stays or returned):
        yield ended.candidate
    if returned:
        yield returned


def follow_backfill(ctx: Context, keeper: LeaseKeeper, item: Owed) -> bool:
    """Start a backfill's Job, or look at it; whether all is filled. OperationError when it has failed: it was started again then."""
    ledger, place, name = ctx.ledger, ctx.place, item.release
    if name in ledger.schema(place).filled:
        return True
    wanted, target = ledger.wanted(place), remembered_target(ctx)
    running = wanted.colour(wanted.live) if wanted.live else None
    if target is None or running is None:
        return False
    cluster = ctx.connect(target).cluster
    seen = cluster.backfill(name, item.rollout)
    if seen and seen.done:
        ledger.write_schema(place, ledger.schema(place).with_filled(name), keeper.lease)
        complete = BackfillSeen(**facts(ctx, f"backfill {name} is complete"), revision=name, done=True)
        announce(ctx, complete, keeper.outbox)
        return True
    if seen is None or seen.failure:
        keeper.confirm()
        cluster.start_backfill(running, name, item.rollout)
    if seen and seen.failure:
        raise OperationError(f"{seen.failure}; started again, it goes on where it stopped")
    text = f"backfill {name}: {seen.text if seen else 'started'}"
    ctx.progress(BackfillSeen(**facts(ctx, text), revision=name, done=False))
    return False


def look_at_backfills(ledger: Ledger, place: Place, cluster: Cluster) -> Mapping[str, str]:
    """How far each owed backfill is, by its migration. Changes nothing, and needs no lease; what cannot be asked is said."""
    found: dict[str, str] = {}
    for item in owed_backfills(ledger, place):
        try:
            seen = cluster.backfill(item.release, item.rollout)
            found[item.release] = seen.text if seen else "not started yet"
        except SlipwayError as error:
            found[item.release] = f"cannot be asked: {error.what}"
    return found


def owed_backfills(ledger: Ledger, place: Place) -> tuple[Owed, ...]:
    """Backfills that are owed in a place."""
    return tuple(item for item in ledger.owed(place) if item.debt is Debt.BACKFILL)
