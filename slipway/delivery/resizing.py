"""What autoscalers keep, brought in line with the ledger once the traffic is decided. Each call is safe to repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from slipway.delivery.gates.facts import WAYS_BACK
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.owed import Debt, Owed, with_debt
from slipway.delivery.model.rollout import Phase, Rollout
from slipway.delivery.model.size import Room, Size, pods_for_all
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import Floor, Wanted
from slipway.delivery.ports import Cluster, Context
from slipway.delivery.sizing import HOLD_SECONDS
from slipway.delivery.targeting import remembered_target
from slipway.delivery.telling import tell
from slipway.errors import SlipwayError


def read_sizes(cluster: Cluster) -> dict[Colour, Size]:
    """Of the colours that an autoscaler has."""
    return {colour: size for colour in Colour if (size := cluster.size(colour))}


def room_beside_live(ctx: Context, target: Target, wanted: Wanted) -> tuple[Room | None, int]:
    """What the nodes still take, and how many pods a release would need there that are not there yet. None: it cannot be told."""
    live, cluster = wanted.live, ctx.connect(target).cluster
    if live is None:
        return None, 0
    try:
        sizes = read_sizes(cluster)
        if live not in sizes:
            return None, 0
        whole = min(pods_for_all(live, wanted.weights, wanted.floors, sizes), sizes[live].maximum)
        present = sizes[live.other].pods if live.other in sizes else 0
        return cluster.room(live), max(whole - present, 0)
    except SlipwayError as error:
        tell(ctx, f"whether the nodes hold both colours cannot be told: {error.what}")
        return None, 0


def end_floors(ctx: Context, keeper: LeaseKeeper) -> None:
    """Floors whose time is over leave the ledger; that the autoscalers follow is owed first, so that no crash loses it."""
    wanted, rollout, now = ctx.ledger.wanted(ctx.place), ctx.ledger.rollout(ctx.place), ctx.clock.now()
    if not wanted.floors or (rollout and not rollout.phase.ended):
        return
    left = {colour: floor for colour, floor in wanted.floors.items() if now < _end(floor, rollout, now)}
    if left == wanted.floors:
        return
    owed = Owed(debt=Debt.CAPACITY, by=ctx.owner.name, rollout=rollout.id if rollout else "", since=now)
    ctx.ledger.write_owed(ctx.place, with_debt(ctx.ledger.owed(ctx.place), owed), keeper.lease)
    ctx.ledger.write_wanted(ctx.place, replace(wanted, floors=left), keeper.lease)
    tell(ctx, "the time is over for which pods were kept: their number is the autoscaler's, as the stack file says")


def follow_floors(ctx: Context, keeper: LeaseKeeper) -> None:
    """Let each autoscaler keep what the ledger says. After a way back the colour with the traffic gets the pods that the other one had."""
    target = remembered_target(ctx)
    if target is None:
        return
    cluster, wanted = ctx.connect(target).cluster, ctx.ledger.wanted(ctx.place)
    sizes = read_sizes(cluster)
    floors = _after_way_back(ctx, wanted, sizes)
    if floors != wanted.floors:
        keeper.confirm()
        wanted = ctx.ledger.write_wanted(ctx.place, replace(wanted, floors=floors), keeper.lease)
    for colour, size in sizes.items():
        keeping = size.keeping(wanted.floors.get(colour))
        if size.minimum != keeping:
            keeper.confirm()
            cluster.keep(colour, keeping)
            tell(ctx, f"the autoscaler keeps {keeping} pods of {colour} at least")


def _end(floor: Floor, rollout: Rollout | None, now: datetime) -> datetime:
    """Where a rollout was given up in the middle its floors have no end of their own."""
    since = (rollout and rollout.ended_at) or now - timedelta(seconds=HOLD_SECONDS)
    return floor.until or since + timedelta(seconds=HOLD_SECONDS)


def _after_way_back(ctx: Context, wanted: Wanted, sizes: Mapping[Colour, Size]) -> Mapping[Colour, Floor]:
    rollout, live, now = ctx.ledger.rollout(ctx.place), wanted.live, ctx.clock.now()
    until = rollout.ended_at + timedelta(seconds=HOLD_SECONDS) if rollout and rollout.ended_at else now
    back = rollout and rollout.kind in WAYS_BACK and rollout.phase is Phase.COMPLETED and now < until
    if not back or live is None or live not in sizes or live.other not in sizes:
        return wanted.floors
    had, floor = min(sizes[live.other].pods, sizes[live].maximum), wanted.floors.get(live)
    if had <= max(sizes[live].keeping(floor), sizes[live].pods):
        return wanted.floors
    return {**wanted.floors, live: Floor(pods=had, until=until)}
