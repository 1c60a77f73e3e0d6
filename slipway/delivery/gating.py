"""Asking the gates: what they must know is collected here, under the lease, and their overriding is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from slipway.contract.freeze import FreezeWindow
from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.errors import LeaseLostError, RefusedError
from slipway.delivery.gates import (
    AGAIN,
    GATES,
    GOING_ON,
    Gate,
    GateFacts,
    Refusal,
    evaluate_gates,
    find_ending,
    find_frozen,
    find_rejected,
    refuse_ending,
    refuse_without_room,
)
from slipway.delivery.gates.credentials import GATE as CREDENTIALS
from slipway.delivery.gates.facts import BRINGS, WAYS_BACK
from slipway.delivery.leasing import LeaseKeeper
from slipway.delivery.machine import turns_back
from slipway.delivery.model.credentials import LASTING
from slipway.delivery.model.fitness import Fitness
from slipway.delivery.model.provenance import Evidence
from slipway.delivery.model.release import Release, same_checkout
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.word import Topic
from slipway.delivery.planning import choose_steps, forced_entries, foreseen_seconds, read_history, window_closes_at
from slipway.delivery.ports import Context, Place
from slipway.delivery.recording import unwritten_rejections
from slipway.delivery.resizing import room_beside_live
from slipway.delivery.targeting import known_target, remembered_target
from slipway.errors import NotFoundError, SlipwayError, UsageError

HISTORY_DEPTH = 50
OF_THE_IMAGE = frozenset({"rejected", "image"})
"""Gates that ask about the image itself."""


@dataclass(frozen=True, kw_only=True)
class Override:
    """A person opens the gates that may be opened."""

    because: str = ""

    def __post_init__(self) -> None:
        if not self.because.strip():
            raise UsageError("--force wants a reason", remedy="add --because REASON; it is kept in the ledger")

    @classmethod
    def given(cls, because: str, *, force: bool) -> Override | None:
        """The override, if `force`; UsageError when it has no reason."""
        return cls(because=because) if force else None

    def recorded(self, refusals: Sequence[Refusal]) -> tuple[str, ...]:
        """What was overridden, and why, for the rollout."""
        return tuple(f"{refusal.gate}: {refusal.text}; overridden: {self.because}" for refusal in refusals)


def release_at(ctx: Context, place: Place) -> Release:
    """The release that is live in a place; NotFoundError when none is."""
    wanted = ctx.ledger.wanted(place)
    running = wanted.colour(wanted.live) if wanted.live else None
    if running is None:
        raise NotFoundError(
            f"nothing is live for {place}", remedy=f"bring a release to 100 % in {place.environment} first"
        )
    return ctx.ledger.release(place.service, running.release)


def source_environment(ctx: Context, target: Target | None) -> str | None:
    """Where releases come from, as the stack file says, or else the stack itself; None: they are built here."""
    declared = ctx.declared()
    return (declared and declared.promote_from) or (target.rollout.promote_from if target else None)


def refuse_direction(ctx: Context, promoted_from: str | None) -> None:
    """UsageError when releases come here another way. Before anything else: not even the infrastructure is touched."""
    target, here = known_target(ctx), ctx.place.environment
    source = source_environment(ctx, target)
    if source is None and promoted_from and (target or ctx.declared()):
        raise UsageError(
            f"{here} builds its releases itself", where=str(ctx.place), remedy=f"run `slipway release {here}`"
        )
    if source is not None and promoted_from != source:
        raise UsageError(
            f"{here} takes releases from {source} only",
            where=str(ctx.place),
            remedy=f"run `slipway promote {source} {here}`",
        )


def find_refusals(
    ctx: Context,
    target: Target | None,
    chosen: Release,
    kind: Kind,
    *,
    gates: Sequence[Gate] = GATES,
    settings: RolloutSettings | None = None,
) -> tuple[Refusal, ...]:
    """What the gates say now of bringing `chosen` here (or, for the other kinds, of leaving it alone here).

    `settings`: of the rollout; by default the stack's.
    """
    return evaluate_gates(collect_facts(ctx, target, chosen, kind, gates=gates, settings=settings), gates)


def collect_facts(
    ctx: Context,
    target: Target | None,
    chosen: Release,
    kind: Kind,
    *,
    gates: Sequence[Gate] = GATES,
    settings: RolloutSettings | None = None,
) -> GateFacts:
    """What the gates must know of bringing `chosen` here, read now."""
    wanted, history = ctx.ledger.wanted(ctx.place), read_history(ctx.ledger, ctx.place, HISTORY_DEPTH)
    source = source_environment(ctx, target) if kind not in WAYS_BACK or target is None else target.rollout.promote_from
    checkout = ctx.source.facts() if source and kind is Kind.RELEASE else None
    seconds = target.rollout.rollback_window_seconds if target else 0
    room, needed_pods = None, 0
    credentials = ctx.credentials() if kind is Kind.RELEASE and refuse_ending in gates else LASTING
    if target and kind is Kind.RELEASE and refuse_without_room in gates:
        room, needed_pods = room_beside_live(ctx, target, wanted)
    declared = ctx.declared() if kind is Kind.RELEASE else None  # a way back must not fail with the stack file
    demanded = [each.rehearsed for each in (declared, target.rollout if target else None) if each]
    return GateFacts(
        now=ctx.clock.now(),
        kind=kind,
        environment=ctx.place.environment,
        release=chosen,
        live=release_at(ctx, ctx.place) if wanted.live and kind is Kind.RELEASE else None,
        promote_from=source,
        freeze_windows=() if kind in WAYS_BACK else freeze_windows(ctx, target),
        fitness=_fitness_before(ctx, chosen, source),
        was_live=any(
            past.phase is Phase.COMPLETED
            and past.kind in BRINGS
            and past.candidate
            and past.candidate.release == chosen.id
            for past in history
        ),
        image_exists=kind not in {Kind.RELEASE, Kind.ROLLBACK} or ctx.has_image(chosen.image),
        evidence=_evidence(ctx, target, chosen) if source and kind is Kind.RELEASE else None,
        window_closes_at=window_closes_at(wanted, history, seconds),
        room=room,
        needed_pods=needed_pods,
        credentials=credentials,
        plan_seconds=0 if credentials.lasting else plan_seconds(ctx, target, settings),
        schema=ctx.ledger.schema(ctx.place),
        wants_rehearsal=kind is Kind.RELEASE and any(demanded),
        program_hash=checkout.program_hash if checkout else None,
        lock_hash=checkout.lock_hash if checkout else None,
    )


def refusals_of_draft(
    ctx: Context, target: Target | None, draft: Release, settings: RolloutSettings | None = None
) -> tuple[Refusal, ...]:
    """The same of a release whose image is still to be built.

    The draft has the image before, whose fate says something of it only if that was built from the same checkout.
    """
    found = find_refusals(ctx, target, draft, Kind.RELEASE, settings=settings)
    made = [each for each in ctx.ledger.releases(ctx.place.service) if each.image == draft.image]
    known = any(same_checkout(draft, each) for each in made)
    return tuple(refusal for refusal in found if known or refusal.gate not in OF_THE_IMAGE)


def refuse_beginning(ctx: Context, target: Target | None, settings: RolloutSettings | None) -> tuple[Refusal, ...]:
    """What stands in the way of a release whose image is still to be built."""
    now, credentials = ctx.clock.now(), ctx.credentials()
    frozen = find_frozen(ctx.place.environment, freeze_windows(ctx, target), now)
    seconds = 0 if credentials.lasting else plan_seconds(ctx, target, settings)
    return (*frozen, *find_ending(credentials, seconds, now))


def plan_seconds(ctx: Context, target: Target | None, settings: RolloutSettings | None = None) -> float:
    """How long a release may take here: one that is left half-way its remaining steps, a new one, with its `settings`, all of them."""
    left = ctx.ledger.rollout(ctx.place)
    if left and not left.phase.ended and settings is None:
        return foreseen_seconds(left.steps[left.step :], left.settings)
    settings = settings or (target.rollout if target else None) or ctx.declared() or RolloutSettings()
    settings = ctx.cadence.applied_to(settings)
    return foreseen_seconds(choose_steps(Kind.RELEASE, ctx.ledger.wanted(ctx.place), settings), settings)


def freeze_windows(ctx: Context, target: Target | None) -> tuple[FreezeWindow, ...]:
    """Those of the stack file at hand and those of the stack: neither an old checkout nor a late `up` opens one."""
    declared = ctx.declared()
    windows = (*(declared.freeze_windows if declared else ()), *(target.rollout.freeze_windows if target else ()))
    return tuple(window for number, window in enumerate(windows) if window not in windows[:number])


def demands_of(ctx: Context, target: Target | None) -> SupplyChain:
    """What the stack file at hand demands; the stack's own demands where it is silent: an old checkout switches nothing off."""
    declared = ctx.demands()
    return declared if declared.key or target is None else target.supply_chain


def pass_gates(ctx: Context, refusals: Sequence[Refusal], override: Override | None) -> tuple[str, ...]:
    """What was overridden, for the rollout; RefusedError when something stands."""
    standing = tuple(refusal for refusal in refusals if override is None or not refusal.can_be_forced)
    if standing or override is None:
        if standing:
            raise RefusedError(standing, where=str(ctx.place))
        return ()
    return override.recorded(refusals)


def refuse_going_on(
    ctx: Context, keeper: LeaseKeeper, override: Override | None = None, *, meant: Kind | None = None
) -> None:
    """A rollout that a dead process left goes on only if it could begin now. Ways back are not asked, nor what was forced before.

    `override`: what is forced for another release is not forced for this one, so `release` and `promote` have none. `meant`: it is for
    rollouts of this kind only; None: of any.
    One that is turning back goes on with that in any case; the gates are asked before it begins again.
    """
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or rollout.kind in {*WAYS_BACK, Kind.REHEARSAL} or not turns_back(rollout):
        return
    if ctx.ledger.abort_request(ctx.place, rollout.id) is not None:
        return
    if ctx.ledger.said(ctx.place, Topic.SUPERSEDE, rollout.id) is not None:
        return
    refusals = [
        replace(
            refusal,
            text=f"{refusal.text}; {rollout.kind} {rollout.id} was left in phase {rollout.phase}",
            remedy=f"{refusal.remedy}; `slipway abort {ctx.place.environment}` takes the rollout back"
            if refusal.gate == CREDENTIALS
            else f"take it back with `slipway abort {ctx.place.environment}`, or go on with "
            f"`slipway resume {ctx.place.environment} --force --because REASON`",
        )
        for refusal in _unforced(ctx, rollout, GOING_ON)
    ]
    overridden = pass_gates(ctx, refusals, override if meant in {None, rollout.kind} else None)
    if overridden:
        journal = forced_entries(overridden, rollout.phase, ctx.owner.name, ctx.clock.now())
        written = replace(rollout, forced=(*rollout.forced, *overridden), journal=(*rollout.journal, *journal))
        ctx.ledger.write_rollout(ctx.place, written, keeper.lease)


def gates_against_retry(ctx: Context, rollout: Rollout) -> str:
    """Which gates stand against another attempt of a release that is turned back, and what they say; "": none does."""
    try:
        refusals = _unforced(ctx, rollout, AGAIN)
    except LeaseLostError:
        raise
    except SlipwayError as error:
        return f"the gates cannot be asked: {error.what}"  # another attempt is wanted, the end of this one is due
    return "; ".join(f"{refusal.gate}: {refusal.text}" for refusal in refusals)


def refusals_before_step(ctx: Context, rollout: Rollout) -> tuple[str, str]:
    """What freeze windows and what rejections upstream say against more traffic, since the rollout began; "": nothing."""
    target, candidate = remembered_target(ctx), rollout.candidate
    here, forced = ctx.place.environment, _forced_gates(rollout)
    frozen = rejected = ""
    if "freeze" not in forced:
        windows = _windows_meanwhile(ctx, target)
        frozen = "; ".join(each.text for each in find_frozen(here, windows, ctx.clock.now()))
    if candidate and target and target.rollout.promote_from and "rejected" not in forced:
        chosen = ctx.ledger.release(ctx.place.service, candidate.release)
        fitness = _fitness_before(ctx, chosen, target.rollout.promote_from)
        upstream = {name: found for name, found in fitness.items() if name != here}
        rejected = "; ".join(each.text for each in find_rejected(chosen.id, upstream))
    return frozen, rejected


def _windows_meanwhile(ctx: Context, target: Target | None) -> tuple[FreezeWindow, ...]:
    """A stack file that cannot be read in the middle of a rollout must not turn it back."""
    try:
        return freeze_windows(ctx, target)
    except SlipwayError:
        return target.rollout.freeze_windows if target else ()


def _forced_gates(rollout: Rollout) -> frozenset[str]:
    return frozenset(text.partition(":")[0] for text in rollout.forced)


def _unforced(ctx: Context, rollout: Rollout, gates: Sequence[Gate]) -> list[Refusal]:
    """What gates say of a rollout's going on, but for those that were overridden when it began."""
    chosen = ctx.ledger.release(ctx.place.service, rollout.candidate.release) if rollout.candidate else None
    target, forced = known_target(ctx), _forced_gates(rollout)
    found = find_refusals(ctx, target, chosen or release_at(ctx, ctx.place), rollout.kind, gates=gates)
    return [refusal for refusal in found if refusal.gate not in forced]


def sources_of(targets: Sequence[Target], service: str) -> Mapping[str, str | None]:
    """Where each environment of a service takes its releases from."""
    return {target.environment: target.rollout.promote_from for target in targets if target.service == service}


def upstream_chain(sources: Mapping[str, str | None], environment: str) -> tuple[str, ...]:
    """The environments that a release passes before this one, nearest first."""
    chain: list[str] = []
    source = sources.get(environment)
    while source and source not in chain and source != environment:  # a circle of settings must not become one of ours
        chain.append(source)
        source = sources.get(source)
    return tuple(chain)


def _evidence(ctx: Context, target: Target | None, chosen: Release) -> Evidence | None:
    demands = demands_of(ctx, target)
    return ctx.attestations.evidence(chosen.image, chosen.git_commit, demands) if demands.key else None


def _fitness_before(ctx: Context, chosen: Release, source: str | None) -> Mapping[str, Fitness]:
    """Records of here and of upstream, and rejections that are decided and not recorded yet.

    Where an upstream environment is gone, what stood before it is not known: then all but what is downstream from here counts.
    """
    here, fitness = ctx.place.environment, dict[str, Fitness]()
    sources = {**sources_of(ctx.ledger.targets(), ctx.place.service), here: source}
    chain = upstream_chain(sources, here)
    seen = {here, *chain}
    if chain and chain[-1] not in sources:
        seen |= {name for name in sources if here not in upstream_chain(sources, name)}
    for name in seen:
        place = Place(environment=name, service=ctx.place.service)
        if found := ctx.ledger.fitness(place, chosen.digest):
            fitness[name] = found
        for digest, note in unwritten_rejections(ctx.ledger, place, under_way=name != here):
            if digest == chosen.digest:
                known = fitness.get(name, Fitness(environment=name, digest=digest))
                fitness[name] = replace(known, rejected=note)
    return fitness
