"""What goes on in a place, and what can be done about it now. Changes nothing, and needs no lease."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from slipway.delivery.conducting import asked_now, settings_of
from slipway.delivery.gates import Refusal, find_failing, find_frozen
from slipway.delivery.gating import (
    HISTORY_DEPTH,
    find_refusals,
    freeze_windows,
    refusals_of_draft,
    release_at,
    source_environment,
)
from slipway.delivery.holding import LISTENING
from slipway.delivery.machine import turns_back
from slipway.delivery.model.age import ago
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.owed import Debt, Owed
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import find_contract
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import Wanted
from slipway.delivery.model.word import Topic
from slipway.delivery.narrating import Story, name_of, narrate
from slipway.delivery.planning import draft_release, read_history, window_closes_at
from slipway.delivery.ports import Context, Place
from slipway.delivery.rehearsing import plan_rehearsal
from slipway.delivery.targeting import known_target, remembered_target
from slipway.delivery.way_back import plan_way_back, what_comes_first
from slipway.errors import NotFoundError, SlipwayError


@dataclass(frozen=True, kw_only=True)
class VerbAnswer:
    """One verb: whether it is possible now, what it would do or why it would not, and the gates that refuse it."""

    command: str
    possible: bool
    text: str
    refusals: tuple[Refusal, ...] = ()

    @property
    def can_be_forced(self) -> bool:
        """Whether only gates refuse it, and only such as a person may open."""
        return bool(self.refusals) and all(refusal.can_be_forced for refusal in self.refusals)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What goes on in a place now."""

    environment: str
    service: str
    at: datetime
    rollout: str | None
    """The id of the one under way; None: nothing is."""
    phase: Phase | None
    does: str
    waits_for: str
    until: datetime | None
    """When that is over by itself; None: it has no end of its own."""
    ends: tuple[str, ...]
    """What would turn the rollout back, or end it."""
    owner: str
    """Who runs it; "" when nobody does."""
    owed: tuple[Owed, ...]
    verbs: tuple[VerbAnswer, ...]


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What the verbs are judged from, read once."""

    ctx: Context
    target: Target | None
    wanted: Wanted
    rollout: Rollout | None
    owner: str
    abort: str | None
    owed: tuple[Owed, ...]
    frozen: tuple[Refusal, ...]

    @property
    def environment(self) -> str:
        return self.ctx.place.environment

    @property
    def busy(self) -> str:
        """Why a verb that goes forward has to wait; "": it has not."""
        if not self.owner:
            return ""
        instead = ", or release --supersede" if self.listens else ""
        return f"{self.owner} is at work here: wait for it (--wait SECONDS), or turn it back{instead}"

    @property
    def listens(self) -> Rollout | None:
        """The release under way, while people may say something about it."""
        rollout = self.rollout
        heard = rollout and rollout.kind is Kind.RELEASE and rollout.phase in LISTENING and self.abort is None
        return rollout if heard else None


def explain(ctx: Context) -> Explanation:
    """What goes on here, what it waits for, until when, what would end it, and which verbs are possible."""
    scene = _look(ctx)
    story = narrate(scene.rollout, scene.abort) if scene.rollout else _at_rest(scene)
    does = f"{name_of(scene.rollout)} {story.does}" if scene.rollout else story.does
    return Explanation(
        environment=ctx.place.environment,
        service=ctx.place.service,
        at=ctx.clock.now(),
        rollout=scene.rollout.id if scene.rollout else None,
        phase=scene.rollout.phase if scene.rollout else None,
        does=does,
        waits_for=story.waits_for if scene.owner or not scene.rollout else _nobody(scene, story),
        until=story.until,
        ends=story.ends,
        owner=scene.owner,
        owed=scene.owed,
        verbs=tuple(_answer(scene, name) for name in VERBS),
    )


def _look(ctx: Context) -> _Scene:
    rollout, lease = ctx.ledger.rollout(ctx.place), ctx.ledger.lease(ctx.place)
    under_way = rollout if rollout and not rollout.phase.ended else None
    target = remembered_target(ctx) or known_target(ctx)
    windows = freeze_windows(ctx, target)
    return _Scene(
        ctx=ctx,
        target=target,
        wanted=_wanted(ctx),
        rollout=under_way,
        owner="" if lease is None or ctx.owner_is_dead(lease.owner) else f"{lease.owner.name} (`{lease.purpose}`)",
        abort=ctx.ledger.abort_request(ctx.place, under_way.id) if under_way else None,
        owed=ctx.ledger.owed(ctx.place),
        frozen=tuple(find_frozen(ctx.place.environment, windows, ctx.clock.now())),
    )


def _wanted(ctx: Context) -> Wanted:
    try:
        return ctx.ledger.wanted(ctx.place)
    except NotFoundError:
        return Wanted.initial()  # nobody was ever at work here


def _at_rest(scene: _Scene) -> Story:
    wanted, ctx = scene.wanted, scene.ctx
    live, warm = (wanted.colour(colour) if colour else None for colour in (wanted.live, wanted.idle))
    if live is None:
        return Story(does="nothing is under way, and nothing was released here yet")
    does = f"nothing is under way: {live.version} ({live.release}) is live on {wanted.live}"
    if wanted.weights != Weights.towards(wanted.live or wanted.idle, 100):
        does += f", at {wanted.weights}"
    if warm is None or scene.target is None:
        return Story(does=does)
    history = read_history(ctx.ledger, ctx.place, HISTORY_DEPTH)
    closes = window_closes_at(wanted, history, scene.target.rollout.rollback_window_seconds)
    does += f"; {warm.version} ({warm.release}) is kept warm on {wanted.idle}"
    open_ = closes is not None and ctx.clock.now() < closes
    return Story(does=does, waits_for="the rollback window to close" if open_ else "", until=closes if open_ else None)


def _nobody(scene: _Scene, story: Story) -> str:
    """Said where the process that should go on is gone."""
    waits = f"{story.waits_for}; " if story.waits_for else ""
    return f"{waits}nobody runs it now: `slipway resume {scene.environment}`"


def _answer(scene: _Scene, name: str) -> VerbAnswer:
    """What a verb would do; one whose answer cannot be had must not hide the others."""
    try:
        return VERBS[name](scene)
    except SlipwayError as error:
        return VerbAnswer(command=f"slipway {name} {scene.environment}", possible=False, text=error.what)


def _gated(command: str, text: str, refusals: tuple[Refusal, ...], busy: str = "") -> VerbAnswer:
    """Possible, unless gates or somebody at work stand in the way."""
    if refusals:
        text = "refused by " + ", ".join(dict.fromkeys(refusal.gate for refusal in refusals))
        if all(refusal.can_be_forced for refusal in refusals):
            text += "; --force --because REASON overrides that"
    elif busy:
        text = busy
    return VerbAnswer(command=command, possible=not refusals and not busy, text=text, refusals=refusals)


def _release(scene: _Scene) -> VerbAnswer:
    ctx = scene.ctx
    source = source_environment(ctx, scene.target)
    command = f"slipway promote {source} {scene.environment}" if source else f"slipway release {scene.environment}"
    before = f"finishes {name_of(scene.rollout)} first, and then " if scene.rollout else ""
    settings = (
        settings_of(ctx, scene.target) if scene.target else None
    )  # its own plan, also where another one goes on first
    if source is None:
        draft = draft_release(ctx.place.service, scene.target, ctx.source.facts(), asked_now(ctx))
        refusals = refusals_of_draft(ctx, scene.target, draft, settings)
        return _gated(command, f"{before}builds {draft.version} and releases it", refusals, scene.busy)
    try:
        chosen = release_at(ctx, Place(environment=source, service=ctx.place.service))
    except SlipwayError as error:
        return VerbAnswer(command=command, possible=False, text=error.what)
    live = scene.wanted.colour(scene.wanted.live) if scene.wanted.live else None
    if live and live.runs(chosen.id, scene.target.colour_settings if scene.target else None):
        text = f"{chosen.id} is live already, with the settings of the last release"
        return VerbAnswer(command=command, possible=False, text=text)
    refusals = find_refusals(ctx, scene.target, chosen, Kind.RELEASE, settings=settings)
    return _gated(command, f"{before}brings {chosen.version} ({chosen.id}) here", refusals, scene.busy)


def _rollback(scene: _Scene) -> VerbAnswer:
    command = f"slipway rollback {scene.environment}"
    newest = scene.rollout or scene.ctx.ledger.rollout(scene.ctx.place)
    if newest and (first := what_comes_first(scene.ctx, newest, scene.abort)):
        completes = newest.kind is Kind.RELEASE and newest.phase is Phase.SETTLING
        possible = not completes or newest.original.live is not None
        return VerbAnswer(command=command, possible=possible, text=first)
    if scene.target is None:
        return VerbAnswer(command=command, possible=False, text="nothing is live here")
    plan = plan_way_back(scene.ctx, scene.target, None, None)
    if plan.release is None:
        return VerbAnswer(command=command, possible=False, text="there is no earlier release that may come back")
    how = "moves the traffic" if plan.kind is Kind.SWITCH else "deploys it again, and moves the traffic"
    rejects = scene.wanted.colour(scene.wanted.live) if scene.wanted.live else None
    text = f"goes back to {plan.release.version} ({plan.release.id}): {how}"
    text += f"; {rejects.release} is rejected then" if rejects else ""
    return _gated(command, text, plan.refusals)


def _rehearse(scene: _Scene) -> VerbAnswer:
    command = f"slipway rehearse {scene.environment}"
    if scene.target is None:
        return VerbAnswer(command=command, possible=False, text="nothing is live here")
    if scene.rollout:
        return VerbAnswer(command=command, possible=False, text=_first(scene.rollout))
    plan, live = plan_rehearsal(scene.ctx, scene.target, scene.target.rollout), _live(scene)
    before = scene.ctx.ledger.fitness(scene.ctx.place, live.digest)
    last = before.rehearsed if before else None
    version = plan.release.version if plan.release else "nothing"
    text = f"goes back to {version} and forward again; " + (
        f"last rehearsed {ago(last.at, scene.ctx.clock.now())} ago: {last.text}" if last else "it was never rehearsed"
    )
    return _gated(command, text, plan.refusals, scene.busy)


def _abort(scene: _Scene) -> VerbAnswer:
    command, rollout = f"slipway abort {scene.environment}", scene.rollout
    if rollout is None:
        return VerbAnswer(command=command, possible=False, text="no rollout is under way")
    if rollout.may_retry:
        return VerbAnswer(command=command, possible=True, text="keeps it from being tried again")
    if not turns_back(rollout):
        return VerbAnswer(command=command, possible=False, text=f"it is {rollout.phase}: nothing is left to turn back")
    return VerbAnswer(
        command=command, possible=True, text="turns it back within seconds, whether its process lives or not"
    )


def _abandon(scene: _Scene) -> VerbAnswer:
    text = "ends it as it is; what cannot be done now is owed" if scene.rollout else "no rollout is under way"
    return VerbAnswer(command=f"slipway abandon {scene.environment}", possible=scene.rollout is not None, text=text)


def _pause(scene: _Scene) -> VerbAnswer:
    command, rollout = f"slipway pause {scene.environment}", scene.listens
    if rollout is None or rollout.pause:
        text = f"it is paused {rollout.pause.signature}" if rollout and rollout.pause else _deaf(scene)
        return VerbAnswer(command=command, possible=False, text=text)
    return VerbAnswer(command=command, possible=True, text="holds the traffic where it is")


def _continue(scene: _Scene) -> VerbAnswer:
    command, rollout = f"slipway continue {scene.environment}", scene.listens
    if scene.rollout and scene.rollout.may_retry and scene.abort is None:
        rollout = scene.rollout  # a pause would hold the next attempt
    said = scene.ctx.ledger.said(scene.ctx.place, Topic.PAUSE, rollout.id) if rollout else None
    if rollout is None or said is None or not said.holds:
        return VerbAnswer(command=command, possible=False, text="it is not paused" if rollout else _deaf(scene))
    return _gated(command, "ends the pause", _freeze_of(scene, rollout))


def _approve(scene: _Scene) -> VerbAnswer:
    command, rollout = f"slipway approve {scene.environment}", scene.listens
    if rollout is None or rollout.asked_since is None:
        return VerbAnswer(
            command=command, possible=False, text="no step waits for an approval" if rollout else _deaf(scene)
        )
    percent = rollout.steps[rollout.coming_step].percent
    return _gated(command, f"lets the traffic go to {percent} %", _freeze_of(scene, rollout))


def _skip(scene: _Scene) -> VerbAnswer:
    command, rollout = f"slipway skip {scene.environment} --because REASON", scene.listens
    if rollout is None or rollout.phase is not Phase.BAKING:
        text = f"nothing bakes: the rollout is {rollout.phase}" if rollout else _deaf(scene)
        return VerbAnswer(command=command, possible=False, text=text)
    if rollout.waits_for:
        return VerbAnswer(command=command, possible=False, text=rollout.waits_for)
    refusals = (*find_failing(rollout), *_freeze_of(scene, rollout))
    return _gated(command, "ends the bake early, without the judge's verdict", refusals)


def _resume(scene: _Scene) -> VerbAnswer:
    command = f"slipway resume {scene.environment}"
    if scene.owner:
        return VerbAnswer(command=command, possible=False, text=f"{scene.owner} is at work here")
    if scene.rollout:
        held = () if scene.abort or not turns_back(scene.rollout) else _freeze_of(scene, scene.rollout)
        ways_back = scene.rollout.kind in {Kind.ROLLBACK, Kind.SWITCH, Kind.REHEARSAL}
        return _gated(command, "finishes what a dead process left", () if ways_back else held)
    if scene.owed:
        return VerbAnswer(
            command=command, possible=True, text=f"tries {', '.join(item.what for item in scene.owed)} again"
        )
    return VerbAnswer(command=command, possible=False, text="nothing was left, and nothing is owed")


def _lift(scene: _Scene) -> VerbAnswer:
    rejected = [each.rejected for each in scene.ctx.ledger.rejections(scene.ctx.place) if each.rejected]
    if not rejected:
        return VerbAnswer(command=f"slipway lift {scene.environment}", possible=False, text="nothing is rejected here")
    command = f"slipway lift {scene.environment} {rejected[0].release} --because REASON"
    return VerbAnswer(command=command, possible=True, text=f"ends the rejection: {rejected[0].because}")


def _retire(scene: _Scene) -> VerbAnswer:
    command, wanted = f"slipway retire {scene.environment}", scene.wanted
    if wanted.live is None or wanted.colour(wanted.idle) is None:
        return VerbAnswer(command=command, possible=False, text="no old colour is kept warm")
    if scene.rollout:
        return VerbAnswer(command=command, possible=False, text=_first(scene.rollout))
    refusals = find_refusals(scene.ctx, scene.target, _live(scene), Kind.RETIRE)
    return _gated(command, f"takes {wanted.idle} away, and the instant way back with it", refusals, scene.busy)


def _backfill(scene: _Scene) -> VerbAnswer:
    command = f"slipway backfill {scene.environment}"
    names = [item.release for item in scene.owed if item.debt is Debt.BACKFILL]
    text = f"waits for {', '.join(names)}" if names else "no backfill is owed"
    return VerbAnswer(command=command, possible=bool(names), text=text)


def _contract(scene: _Scene) -> VerbAnswer:
    command = f"slipway contract {scene.environment}"
    pending = find_contract(_live(scene), scene.ctx.ledger.schema(scene.ctx.place)) if scene.wanted.live else ()
    if not pending:
        return VerbAnswer(command=command, possible=False, text="no contract migration is pending")
    if scene.rollout:
        return VerbAnswer(command=command, possible=False, text=_first(scene.rollout))
    refusals = find_refusals(scene.ctx, scene.target, _live(scene), Kind.CONTRACT)
    return _gated(command, f"runs {', '.join(revision.id for revision in pending)}", refusals, scene.busy)


def _first(rollout: Rollout) -> str:
    return f"{name_of(rollout)} comes first"


def _live(scene: _Scene) -> Release:
    return release_at(scene.ctx, scene.ctx.place)


def _freeze_of(scene: _Scene, rollout: Rollout) -> tuple[Refusal, ...]:
    forced = any(text.startswith("freeze:") for text in rollout.forced)
    return () if forced else scene.frozen


def _deaf(scene: _Scene) -> str:
    if scene.abort:
        return f"the rollout is turning back: {scene.abort}"
    if scene.rollout and scene.rollout.kind is Kind.RELEASE:
        return f"the rollout is {scene.rollout.phase}: its traffic is decided"
    return "no release is under way"


VERBS: Mapping[str, Callable[[_Scene], VerbAnswer]] = {
    "rollback": _rollback,
    "rehearse": _rehearse,
    "abort": _abort,
    "abandon": _abandon,
    "pause": _pause,
    "continue": _continue,
    "approve": _approve,
    "skip": _skip,
    "resume": _resume,
    "release": _release,
    "retire": _retire,
    "backfill": _backfill,
    "contract": _contract,
    "lift": _lift,
}
