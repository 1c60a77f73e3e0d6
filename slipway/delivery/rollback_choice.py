"""Which release a rollback goes back to: the newest earlier one that the gates let pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.gates import UNNAMED, GateFacts, Refusal, evaluate_gates
from slipway.delivery.gates.facts import BRINGS, WAYS_BACK
from slipway.delivery.gating import HISTORY_DEPTH, collect_facts
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import RETRIED, Kind, Phase, Reason, Rollout
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.planning import as_colour_release, read_history
from slipway.delivery.ports import Context
from slipway.errors import NotFoundError, SlipwayError, UsageError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The release, how it comes back, and what the gates say: of one that was named anything, of one that was chosen here only
    that the way back was gone already."""

    release: Release
    runs: ColourRelease
    """The release with the settings that it had."""
    kind: Kind
    facts: GateFacts
    refusals: tuple[Refusal, ...]
    passed_over: tuple[str, ...] = ()
    """Newer releases, and why they may not come back."""


def choose_rollback(ctx: Context, wanted: Wanted, target: Target, to: str | None) -> Choice:
    """Release `to`, or the newest that may come back. Changes nothing, and tells nobody."""
    live, warm = (wanted.colour(colour) if colour else None for colour in (wanted.live, wanted.idle))
    instant = _is_up(ctx, wanted, target)

    def ask(running: ColourRelease) -> Choice:
        return _ask(ctx, target, running, warm, instant=instant)

    # In the order in which they were driven: the ledger's is by the clocks of machines, which differ.
    history = sorted(read_history(ctx.ledger, ctx.place, HISTORY_DEPTH), key=lambda past: past.fence, reverse=True)
    if to:
        if live and live.release == to:
            raise UsageError(f"{to} is live already", where=str(ctx.place))
        return ask(_as_it_ran(ctx, to, warm, history))
    history = _since_made(history)
    failed = _failed_lately(history)
    before = _went_back(ctx.ledger.rollout(ctx.place), history, live)
    passed_over: list[str] = []
    ways = ["go forward with a corrected release"]
    for running in _each_once([*([warm] if warm else []), *_were_live(history)]):
        release_id = running.release
        if live and live.runs(release_id, running.settings):
            continue
        # Where an act failed, a colour that is up by now is the instant way back for all that.
        if release_id in failed and not (instant and running == warm and failed[release_id] in RETRIED):
            passed_over.append(f"not {release_id}: the last rollback to it failed; trying the one before")
            ways.append(f"--to {release_id}")
            continue
        choice = ask(running)
        given_up = _given_up(running, history)
        if not choice.refusals and not given_up:
            return _once(choice, before, passed_over)
        why = "; ".join(refusal.text for refusal in choice.refusals) or given_up
        passed_over.append(f"not {release_id}: {why}; trying the one before")
        if all(refusal.can_be_forced for refusal in choice.refusals):
            ways.append(f"--to {release_id}" + (" --force --because REASON" if choice.refusals else ""))
    left = before.original.colour(before.original.live) if before and before.original.live else None
    if left:
        return _once(ask(left), before, passed_over)
    raise NotFoundError(
        "\n".join(("there is no earlier release that may come back", *passed_over)),
        where=str(ctx.place),
        remedy=", or ".join(dict.fromkeys(ways[:3])),
    )


def choose_warm(ctx: Context, wanted: Wanted, target: Target) -> Choice | None:
    """The release of the warm colour, as it would come back from there; None: none is kept. Changes nothing, and tells nobody."""
    warm = wanted.colour(wanted.idle) if wanted.live else None
    return _ask(ctx, target, warm, warm, instant=True) if warm else None


def _ask(ctx: Context, target: Target, running: ColourRelease, warm: ColourRelease | None, *, instant: bool) -> Choice:
    chosen = ctx.ledger.release(ctx.place.service, running.release)
    kind = Kind.SWITCH if instant and running == warm else Kind.ROLLBACK
    facts = replace(
        collect_facts(ctx, target, chosen, kind), ran_image=running.image if kind is Kind.ROLLBACK else None
    )
    runs = running if running == warm else as_colour_release(chosen, _brought_back(running.settings, target))
    return Choice(release=chosen, runs=runs, kind=kind, facts=facts, refusals=evaluate_gates(facts))


def _once(choice: Choice, before: Rollout | None, passed_over: Sequence[str]) -> Choice:
    """The choice, refused where the way back was gone already, by `before`."""
    again = evaluate_gates(replace(choice.facts, gone_back=before), UNNAMED)
    return replace(choice, refusals=(*again, *choice.refusals), passed_over=tuple(passed_over))


def _went_back(newest: Rollout | None, history: Sequence[Rollout], live: ColourRelease | None) -> Rollout | None:
    """The way back by which the live release came; None: it was released, or promoted."""
    moved = (past for past in (newest, *history) if past and past.phase is Phase.COMPLETED and past.kind in BRINGS)
    last = next(moved, None)
    return last if last and last.kind in WAYS_BACK and last.candidate == live else None


def _given_up(running: ColourRelease, history: Sequence[Rollout]) -> str:
    """Why a colour is no way back that `abandon` left: none of its rollouts here went well, settings included; "": it is one."""
    reasons = [past.reason for past in history if past.candidate == running and past.kind in BRINGS]
    return f"it was never live here with these settings ({reasons[0]})" if reasons and all(reasons) else ""


def _is_up(ctx: Context, wanted: Wanted, target: Target) -> bool:
    """Whether the warm colour's pods are of its release. After a rollout that was turned back there it is the owed `up` that sees to it."""
    last, warm = ctx.ledger.rollout(ctx.place), wanted.colour(wanted.idle)
    owed = next((item for item in ctx.ledger.owed(ctx.place) if item.debt is Debt.UP), None)
    if last is None or owed is None or _just_left(last, wanted):
        return True
    replaced = last.colour is wanted.idle and (
        _taken_away(last) or (bool(last.reason) and Phase.DEPLOYING in last.path)
    )
    if replaced and warm and last.candidate and last.candidate.release == warm.release:
        return False  # with other settings, and pods say no more than their release
    if replaced and (owed.rollout != last.id or not owed.attempts):
        return False  # its own `up` may be under way still, and would replace the pods once they have the traffic
    try:
        pods = ctx.connect(target).cluster.pods(wanted.idle)
    except SlipwayError:
        return not replaced
    return pods is not None and warm is not None and pods.release == warm.release


def _taken_away(last: Rollout) -> bool:
    """Whether somebody else has ended a contract whose `up` may have been taking the colour away."""
    return last.kind is Kind.CONTRACT and last.reason is Reason.ABORTED and Phase.RETIRING in last.path


def _just_left(last: Rollout, wanted: Wanted) -> bool:
    """Whether the warm colour had the traffic until the last rollout: its pods served, and every `up` since has left them as they were."""
    left = last.original.live
    return (
        last.phase is Phase.COMPLETED
        and left is not None
        and left is wanted.idle
        and last.original.colour(left) == wanted.colour(left)
    )


def _were_live(history: Sequence[Rollout]) -> Iterator[ColourRelease]:
    return (past.candidate for past in history if past.candidate and past.kind in BRINGS and not past.reason)


def _since_made(history: Sequence[Rollout]) -> Sequence[Rollout]:
    """The newest part, back to the first release of an environment that was made: what ran before it was destroyed is no way back."""
    first = next((number for number, past in enumerate(history, 1) if past.original.live is None), len(history))
    return history[:first]


def _each_once(releases: Sequence[ColourRelease]) -> Sequence[ColourRelease]:
    return [each for number, each in enumerate(releases) if each not in releases[:number]]


def _as_it_ran(ctx: Context, release_id: str, warm: ColourRelease | None, history: Sequence[Rollout]) -> ColourRelease:
    """A release with the settings that it was live with here last; without any where it never was, or before settings were kept."""
    if warm and warm.release == release_id:
        return warm
    ran = (running for running in _were_live(history) if running.release == release_id)
    return next(ran, None) or as_colour_release(ctx.ledger.release(ctx.place.service, release_id), None)


def _brought_back(settings: ColourSettings | None, target: Target) -> ColourSettings | None:
    """Settings that a release had, with the present secrets: former ones are not kept, and may be good for nothing any more."""
    present = target.colour_settings
    if settings is None or present is None:
        return present
    return settings.model_copy(update={"secrets": present.secrets})


def _failed_lately(history: Sequence[Rollout]) -> Mapping[str, Reason]:
    """Releases whose last way back here failed by itself, and why: asking for the same once more would fail as long again."""
    ended: dict[str, Reason] = {}
    for past in history:
        if past.candidate and past.kind in BRINGS and past.reason not in {Reason.ABORTED, Reason.SUPERSEDED}:
            failed = past.reason if past.kind is not Kind.RELEASE else Reason.NONE
            ended.setdefault(past.candidate.release, failed)
    return {name: reason for name, reason in ended.items() if reason}
