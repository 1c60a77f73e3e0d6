"""What needs no lease: reading the ledger and the load balancers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from slipway.delivery.analysis.judge import replay
from slipway.delivery.filling import look_at_backfills
from slipway.delivery.gating import sources_of, upstream_chain
from slipway.delivery.model.analysis import Measurement
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.fitness import Fitness
from slipway.delivery.model.observation import BalancerState, Health, Verdict
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Phase, Rollout
from slipway.delivery.model.schema import find_contract
from slipway.delivery.model.status import ColourStatus, PlaceStatus
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.planning import read_history, window_closes_at
from slipway.delivery.ports import Cluster, Context, Ledger, LoadBalancer, Place
from slipway.errors import NotFoundError, SlipwayError

STATUS_HISTORY = 10
JUDGED_HISTORY = 50


def as_json(value: object) -> Any:
    """Any value of delivery (an outcome, a status, a rollout, an event) as plain JSON data, for `--json` and for pages."""
    return TypeAdapter(Any).dump_python(value, mode="json")


def status(ctx: Context, *, ask_load_balancers: bool = True) -> tuple[PlaceStatus, ...]:
    """Every place in this ledger, as wanted and as its load balancer says. Changes nothing, needs no lease."""
    if not ask_load_balancers:
        return read_status(ctx.ledger, None)
    return read_status(
        ctx.ledger, lambda target: ctx.connect(target).balancer, lambda target: ctx.connect(target).cluster
    )


def history(ctx: Context, limit: int = 20) -> Sequence[Rollout]:
    """Ended rollouts of this place, newest first, each with its whole journal."""
    return ctx.ledger.history(ctx.place, limit)


def judgements(ctx: Context, rollout_id: str | None = None) -> tuple[tuple[Measurement, Verdict], ...]:
    """What was measured of a rollout and how it is judged, oldest first; by default of the newest one that was analysed."""
    newest = ctx.ledger.rollout(ctx.place)
    rollouts = [*([newest] if newest else []), *ctx.ledger.history(ctx.place, JUDGED_HISTORY)]
    for rollout in rollouts:
        if rollout.id == rollout_id or (rollout_id is None and rollout.measurements):
            return tuple(replay(rollout))
    if rollout_id is None:
        return ()
    raise NotFoundError(f"{ctx.place} has no rollout {rollout_id} among its last {JUDGED_HISTORY}")


def read_status(
    ledger: Ledger,
    balancer_of: Callable[[Target], LoadBalancer] | None,
    cluster_of: Callable[[Target], Cluster] | None = None,
) -> tuple[PlaceStatus, ...]:
    """Every place that was ever released to, in the order of environments. `balancer_of` None: the load balancers are not asked.

    `cluster_of` is asked where a backfill is owed, for how far it is.
    """
    targets = ledger.targets()
    sources = {target.service: sources_of(targets, target.service) for target in targets}
    ordered = sorted(
        targets,
        key=lambda each: (
            len(upstream_chain(sources[each.service], each.environment)),
            each.environment,
            each.service,
        ),
    )
    return tuple(_place_status(ledger, target, sources[target.service], balancer_of, cluster_of) for target in ordered)


def _place_status(
    ledger: Ledger,
    target: Target,
    environments: Collection[str],
    balancer_of: Callable[[Target], LoadBalancer] | None,
    cluster_of: Callable[[Target], Cluster] | None,
) -> PlaceStatus:
    place = Place(environment=target.environment, service=target.service)
    wanted = ledger.wanted(place)
    history = read_history(ledger, place, STATUS_HISTORY)
    newest = ledger.rollout(place)
    rollout = newest if newest and not newest.phase.ended else None
    replaced = rollout.colour if rollout and Phase.DEPLOYING in rollout.path else None
    lease = ledger.lease(place)
    live = _live_release(ledger, place, wanted)
    fitness: Mapping[str, Fitness] = {
        name: found
        for name in environments
        if live and (found := ledger.fitness(Place(environment=name, service=live.service), live.digest))
    }
    state, health, problem = _ask(target, balancer_of)
    return PlaceStatus(
        environment=target.environment,
        service=target.service,
        url=target.load_balancer.url,
        promote_from=target.rollout.promote_from,
        live=wanted.live,
        commit=live.git_commit if live else "",
        colours={
            colour: _colour_status(wanted, colour, state, health.get(colour), replaced=colour is replaced)
            for colour in Colour
        },
        rollout=rollout,
        lease=f"{lease.owner.name}: {lease.purpose}" if lease else "",
        rejected=tuple(ledger.rejections(place)),
        owed=ledger.owed(place),
        backfills=look_at_backfills(ledger, place, cluster_of(target)) if cluster_of else {},
        pending_contract=tuple(revision.id for revision in find_contract(live, ledger.schema(place))) if live else (),
        warm_until=window_closes_at(wanted, history, target.rollout.rollback_window_seconds),
        verified={name: each.verified.at for name, each in fitness.items() if each.verified},
        rehearsed=fitness[place.environment].rehearsed if place.environment in fitness else None,
        history=tuple(history),
        problem=problem,
    )


def _colour_status(
    wanted: Wanted, colour: Colour, state: BalancerState | None, health: Health | None, *, replaced: bool
) -> ColourStatus:
    actual = state.weights.of(colour) if state and state.weights else None
    return ColourStatus(
        running=wanted.colour(colour),
        floor=wanted.floors.get(colour),
        wanted_percent=wanted.weights.of(colour),
        actual_percent=actual,
        healthy=health.healthy if health else None,
        unhealthy=health.unhealthy if health else None,
        live=colour is wanted.live,
        warm=wanted.live is not None
        and not replaced  # what comes up there was never live
        and colour is not wanted.live
        and wanted.colour(colour) is not None
        and wanted.weights.of(colour) == 0,
    )


def _ask(
    target: Target, balancer_of: Callable[[Target], LoadBalancer] | None
) -> tuple[BalancerState | None, dict[Colour, Health], str]:
    if balancer_of is None:
        return None, {}, ""
    try:
        balancer = balancer_of(target)
        return balancer.read(), {colour: balancer.health(colour) for colour in Colour}, ""
    except SlipwayError as error:
        return None, {}, error.what  # one environment that does not answer must not hide the others


def _live_release(ledger: Ledger, place: Place, wanted: Wanted) -> Release | None:
    running = wanted.colour(wanted.live) if wanted.live else None
    if running is None:
        return None
    try:
        return ledger.release(place.service, running.release)
    except NotFoundError:
        return None
