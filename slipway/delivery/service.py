"""The verbs of delivery, for the command line and for programs.

Each takes a `Context` and holds the environment's lease while it works. Those that go forward first finish what a dead process left;
those that go back leave it in the quickest way. What is owed is tried last.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from slipway.delivery.conducting import (
    Outcome,
    asked_now,
    bring_up,
    conclude,
    finish_unfinished,
    go_on,
    pass_before_up,
    refuse_repeated,
    roll_out,
    run,
    settings_of,
    told_of,
    unfinished,
)
from slipway.delivery.contracting import live_now, pay_contract, while_live
from slipway.delivery.drift import repair_drift, say_drift
from slipway.delivery.ending import ending_of
from slipway.delivery.gating import (
    Override,
    demands_of,
    find_refusals,
    pass_gates,
    refusals_of_draft,
    refuse_beginning,
    refuse_direction,
    refuse_going_on,
    release_at,
)
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.fitness import FitnessNote
from slipway.delivery.model.owed import RECORDS, Debt
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.schema import plan_migrations
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.owing import at_work, pay
from slipway.delivery.planning import (
    Plan,
    begin_rollout,
    build_release,
    choose_steps,
    draft_release,
)
from slipway.delivery.ports import Context, Place, SourceFacts
from slipway.delivery.superseding import supersede_for_checkout, supersede_for_release
from slipway.delivery.targeting import (
    known_balancer,
    known_target,
    reachable_target,
    refuse_other_account,
    require_target,
)
from slipway.delivery.telling import tell
from slipway.delivery.way_back import (
    actor_of,
    answered,
    ask_back,
    being_brought_back,
    ended_meanwhile,
    finish_other,
    give_up,
    gone_back,
    grace_seconds,
    leave,
    left_behind,
    live_release,
    plan_quickly,
    plan_way_back,
    turned_back,
    turned_meanwhile,
    unconfirmed,
    what_comes_first,
)
from slipway.errors import NotFoundError, OperationError, UsageError


def release(
    ctx: Context,
    *,
    force: bool = False,
    because: str = "",
    pace: Pace | None = None,
    dry_run: bool = False,
    supersede: bool = False,
) -> Outcome:
    """Build a release from the checkout and bring it to 100 % here. Raises ReleaseRolledBackError when it is turned back.

    `supersede`: a release under way is turned back first, without being rejected.
    """
    refuse_other_account(ctx)
    if dry_run:
        return _plan_release(ctx, pace)
    override, asked_at = Override.given(because, force=force), asked_now(ctx)
    refuse_direction(ctx, None)
    superseding = supersede_for_checkout(ctx, override, because, asked_at, pace) if supersede else None
    patience = superseding.patience if superseding else None
    with at_work(ctx, f"slipway release {ctx.place.environment}", patience=patience) as keeper:
        if superseding:
            superseding.look()
        refuse_going_on(ctx, keeper)
        resumed = finish_unfinished(ctx, keeper)
        # Not even the infrastructure moves in these cases. The other gates need the image, which the `up` builds.
        known = known_target(ctx)
        pass_gates(ctx, refuse_beginning(ctx, known, settings_of(ctx, known, pace) if known else None), override)
        source = ctx.source.facts()
        target = bring_up(ctx, keeper)
        refuse_direction(ctx, None)
        draft = _make_release(ctx, target, source, asked_at)
        _attest(ctx, target, draft)
        made = ctx.ledger.put_release(draft)
        refuse_repeated(resumed, made)
        return roll_out(ctx, keeper, target, made, promoted_from=None, override=override, pace=pace)


def promote(
    ctx: Context,
    from_environment: str,
    *,
    release_id: str | None = None,
    force: bool = False,
    because: str = "",
    pace: Pace | None = None,
    dry_run: bool = False,
    supersede: bool = False,
) -> Outcome:
    """Bring the release that is live in `from_environment` (or `release_id`) to 100 % here: the same object, by digest."""
    refuse_other_account(ctx)
    refuse_direction(ctx, from_environment)
    override = None if dry_run else Override.given(because, force=force)
    upstream = Place(environment=from_environment, service=ctx.place.service)
    chosen = ctx.ledger.release(ctx.place.service, release_id) if release_id else release_at(ctx, upstream)
    if dry_run:
        wanted, known = ctx.ledger.wanted(ctx.place), known_target(ctx)
        previewed = ctx.stack.preview()
        settings = settings_of(ctx, known, pace) if known else RolloutSettings()
        plan = Plan(
            kind=Kind.RELEASE,
            release=chosen,
            colour=wanted.idle,
            steps=choose_steps(Kind.RELEASE, wanted, settings),
            migrations=plan_migrations(chosen, ctx.ledger.schema(ctx.place), live=wanted.live is not None),
            refusals=find_refusals(ctx, known, chosen, Kind.RELEASE, settings=settings),
            changes=previewed.changes,
            notes=previewed.preview.problems if previewed.preview else (),
        )
        return Outcome(
            status="planned", text=f"would promote {chosen.id} to {ctx.place.environment}", release=chosen, plan=plan
        )
    purpose = f"slipway promote {from_environment} {ctx.place.environment}"
    superseding = supersede_for_release(ctx, chosen, override, because, pace) if supersede else None
    with at_work(ctx, purpose, patience=superseding.patience if superseding else None) as keeper:
        if superseding:
            superseding.look()
        refuse_going_on(ctx, keeper)
        resumed = finish_unfinished(ctx, keeper)
        refuse_repeated(resumed, chosen)
        # After the wait for the lease, and before anything is built here: a refused promotion does not touch the infrastructure.
        known = known_target(ctx)
        pass_before_up(ctx, known, chosen, override, settings_of(ctx, known, pace) if known else None)
        target = bring_up(ctx, keeper)
        refuse_direction(ctx, from_environment)
        return roll_out(ctx, keeper, target, chosen, promoted_from=from_environment, override=override, pace=pace)


def rollback(
    ctx: Context,
    to: str | None = None,
    *,
    because: str = "",
    force: bool = False,
    pace: Pace | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Bring traffic back: to the warm old colour at once, or to release `to` (or the newest that fits) by deploying it.

    A rollout under way is turned back instead. The image of the release rolled away from is rejected here.
    """
    if dry_run:
        return _plan_rollback(ctx, to, pace)
    override = Override.given(because, force=force)
    if to:  # before anybody is stopped for it
        ctx.ledger.release(ctx.place.service, to)
    before = ctx.ledger.rollout(ctx.place)
    turned = being_brought_back(ctx, before) or ask_back(ctx, before, because) or turned_meanwhile(ctx, before)
    if answer := answered(ctx, turned, to):
        return answer
    if turned:
        tell(ctx, f"{turned.kind} {turned.id} by {turned.actor} was turned back first")
    current, planned = ctx.ledger.rollout(ctx.place), None
    leaving = live_release(ctx.ledger.wanted(ctx.place))
    behind = None if to else left_behind(ctx, current)
    if behind:
        with at_work(ctx, f"slipway rollback {ctx.place.environment}", urgent=True) as keeper:
            repair_drift(ctx, keeper, known_balancer(ctx))
        return turned_back(behind)
    contracting = current is not None and current.kind is Kind.CONTRACT
    if current is None or current.phase.ended or contracting:
        if current and not current.phase.ended:
            only = "an older release comes back only where none of its migrations has begun"
            tell(ctx, f"{current.kind} {current.id} by {current.actor} is under way, in phase {current.phase}: {only}")
        # What is refused is refused before anybody is stopped for it.
        planned = plan_quickly(ctx, to, pace)
        pass_gates(ctx, planned[1].refusals, override)
    purpose = f"slipway rollback {ctx.place.environment}"
    with at_work(ctx, purpose, urgent=True, grace_seconds=grace_seconds(current)) as keeper:
        left = leave(ctx, keeper, to, because) or turned_meanwhile(ctx, before)
        answer = answered(ctx, left, to) or gone_back(ctx, leaving, to)
        if answer:
            return answer
        wanted = ctx.ledger.wanted(ctx.place)
        if planned is None or left or planned[1].revision != wanted.revision:
            planned = plan_quickly(ctx, to, pace)
        target, plan = planned
        for note in plan.notes:
            tell(ctx, note)
        if plan.release:
            tell(ctx, f"goes back to {plan.release.version} ({plan.release.id}), from {live_release(wanted)}")
        rollout = begin_rollout(
            kind=plan.kind,
            place=ctx.place,
            actor=actor_of(ctx, because),
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=plan.candidate,
            settings=settings_of(ctx, target, pace),
            forced=pass_gates(ctx, plan.refusals, override),
        )
        return run(ctx, keeper, target, rollout, plan.release)


def _plan_rollback(ctx: Context, to: str | None, pace: Pace | None) -> Outcome:
    newest = ctx.ledger.rollout(ctx.place)
    abort = ctx.ledger.abort_request(ctx.place, newest.id) if newest else None
    if first := what_comes_first(ctx, newest, abort):
        under_way = f"{newest.kind} {newest.id} is under way: " if newest and not newest.phase.ended else ""
        then = f", and then goes back to {to}" if to and under_way else ""
        return Outcome(status="planned", text=f"{under_way}a rollback {first}{then}")
    plan = plan_way_back(ctx, reachable_target(ctx), to, pace)
    text = f"would go back to {plan.release.id if plan.release else to} ({plan.kind})"
    return Outcome(status="planned", text=text, release=plan.release, plan=plan)


def resume(ctx: Context, *, force: bool = False, because: str = "") -> Outcome:
    """Continue what a dead process left, set the weights that the ledger says, and try what is owed. UNCHANGED: nothing was to do."""
    override = Override.given(because, force=force)
    refuse_other_account(ctx)
    with hold_lease(ctx, f"slipway resume {ctx.place.environment}", watch=True) as keeper:
        ctx.ledger.ensure(ctx.place)
        owed = {item.what for item in ctx.ledger.owed(ctx.place)}
        pay(ctx, keeper, RECORDS)
        left, balancer = unfinished(ctx, keeper), known_balancer(ctx)
        if left and not left.phase.ended:
            say_drift(ctx, keeper, balancer, left)
            refuse_going_on(ctx, keeper, override)
            going = unfinished(ctx, keeper) or left  # with what was forced just now
            left = told_of(ctx, going, lambda: go_on(ctx, keeper, going))
        keeper.sets_weights = True
        repaired = repair_drift(ctx, keeper, balancer)
        pay(ctx, keeper)
        pay_contract(ctx, keeper)
        if left:
            return conclude(left, None)
        still = {item.what for item in ctx.ledger.owed(ctx.place)}
        paid = "; ".join(f"done, which was owed: {what}" for what in sorted(owed - still))
        if repaired or paid:
            return Outcome(status="completed", text="; ".join(filter(None, (repaired, paid))))
        left_over = "; ".join(f"still owed: {what}" for what in sorted(still))
        text = f"no rollout of {ctx.place} is under way"
        return Outcome(status="unchanged", text=f"{text}; {left_over}" if left_over else text)


def abort(ctx: Context, *, because: str = "") -> Outcome:
    """Turn the rollout under way back, whoever runs it: traffic is back within seconds, whether its owner lives or not."""
    asked = _require_under_way(ctx)
    turned = ask_back(ctx, asked, because) or ended_meanwhile(ctx, asked)
    if turned is None:
        purpose = f"slipway abort {ctx.place.environment}"
        with at_work(ctx, purpose, urgent=True, grace_seconds=grace_seconds(asked)) as keeper:
            turned = finish_other(ctx, keeper, asked) or leave(ctx, keeper, None, because, turning=True)
            turned = turned or ctx.ledger.rollout(ctx.place)
    if turned and turned.phase is Phase.ROLLED_BACK:
        return turned_back(turned)
    if turned and turned.kind is Kind.REHEARSAL:
        return Outcome(status="completed", text=_too_late(turned), rollout=turned)
    raise OperationError(
        "it was past the point of turning back and has completed",
        where=str(ctx.place),
        remedy=f"`slipway rollback {ctx.place.environment}` goes back from it",
    )


def abandon(ctx: Context, *, because: str = "") -> Outcome:
    """End the rollout under way in whatever phase it is. What cannot be done now, traffic included, is left to `resume`."""
    asked = _require_under_way(ctx)
    with at_work(ctx, f"slipway abandon {ctx.place.environment}", urgent=True) as keeper:
        ended = finish_other(ctx, keeper, asked) or give_up(ctx, keeper, because)
    text = f"given up: {ended.reason_text}" if ended.reason else _too_late(ended)
    text += unconfirmed(ctx)
    return Outcome(status="rolled-back" if ended.reason else "completed", text=text, rollout=ended)


def _too_late(ended: Rollout) -> str:
    if ended.kind is Kind.REHEARSAL:
        return f"the traffic was on its way forward already, to what stays live; {ending_of(ended)}"
    return "it was past the point of turning back and has completed"


def _require_under_way(ctx: Context) -> Rollout:
    rollout = ctx.ledger.rollout(ctx.place)
    if rollout is None or rollout.phase.ended:
        raise NotFoundError(
            f"no rollout of {ctx.place} is under way",
            remedy=f"`slipway rollback {ctx.place.environment}` goes back from a finished one",
        )
    return rollout


def lift(ctx: Context, release_id: str | None = None, *, because: str) -> Outcome:
    """Lift the rejection of a release's image here (of the only one, without `release_id`). It moves nothing."""
    if not because.strip():
        raise UsageError("lifting a rejection wants a reason", remedy="add --because REASON; it is kept in the ledger")
    if any(item.debt is Debt.REJECTED for item in ctx.ledger.owed(ctx.place)):
        with hold_lease(ctx, f"slipway lift {ctx.place.environment}") as keeper:
            pay(ctx, keeper, RECORDS)
    rejected = ctx.ledger.rejections(ctx.place)
    if release_id:
        digest = ctx.ledger.release(ctx.place.service, release_id).digest
        rejected = [each for each in rejected if each.digest == digest and each.rejects(release_id)]
    names = release_id or ", ".join(name for each in rejected if each.rejected for name in each.rejected.releases)
    if not rejected:
        what = f"{release_id} is not rejected here" if release_id else "nothing is rejected here"
        raise NotFoundError(what, where=str(ctx.place))
    if len(rejected) > 1 or (not release_id and ", " in names):  # releases of one image have one record
        raise UsageError(f"several are rejected here: {names}", where=str(ctx.place), remedy="name one of them")
    note = FitnessNote(release=names, because=because, by=ctx.owner.name, at=ctx.clock.now())
    (lifted,) = rejected
    still = lifted.rejected.without(release_id) if lifted.rejected and release_id else None
    ctx.ledger.lift_rejection(ctx.place, lifted.digest, note, still)
    return Outcome(status="completed", text=f"{names} is no longer rejected in {ctx.place.environment}")


def retire(ctx: Context, *, force: bool = False, because: str = "") -> Outcome:
    """Take the warm old colour away once its rollback window is closed (or with `force`)."""
    override, meant = Override.given(because, force=force), live_now(ctx)
    with at_work(ctx, f"slipway retire {ctx.place.environment}") as keeper:
        refuse_going_on(ctx, keeper, override, meant=Kind.RETIRE)
        finish_unfinished(ctx, keeper)
        override = while_live(ctx, override, meant)
        target = require_target(ctx)
        wanted = ctx.ledger.wanted(ctx.place)
        if wanted.live is None or wanted.colour(wanted.idle) is None:
            return Outcome(status="unchanged", text="no old colour is kept warm")
        refusals = find_refusals(ctx, target, release_at(ctx, ctx.place), Kind.RETIRE)
        rollout = begin_rollout(
            kind=Kind.RETIRE,
            place=ctx.place,
            actor=ctx.owner.name,
            now=ctx.clock.now(),
            wanted=wanted,
            candidate=None,
            settings=settings_of(ctx, target),
            forced=pass_gates(ctx, refusals, override),
        )
        return run(ctx, keeper, target, rollout, None)


def _make_release(ctx: Context, target: Target, source: SourceFacts, asked_at: datetime) -> Release:
    """`source`: the checkout as it was before the `up` that built the image."""
    if target.image is None:
        raise UsageError(
            f"the stack {target.environment} builds no image",
            where="delivery.image",
            remedy="set the build context in the stack file",
        )
    # The first `up` of a stack writes its key into the stack file.
    if replace(ctx.source.facts(), config_hash=source.config_hash) != source:
        raise UsageError(
            "the checkout changed while its image was built: nobody knows which sources are in it",
            where=str(ctx.place),
            remedy=f"leave the checkout alone, and `slipway release {target.environment}` again",
        )
    settings = target.colour_settings
    return build_release(ctx.place.service, target.image.reference, source, asked_at, settings, login=target.login)


def _attest(ctx: Context, target: Target, made: Release) -> None:
    """Sign what was built, before anyone can ask for it elsewhere."""
    demands = demands_of(ctx, target)
    if not demands.key:
        return
    unknown = ctx.attestations.attest(made.image, made.git_commit, demands)
    if unknown:
        tell(ctx, f"no licence is known of {len(unknown)} packages of the image: {', '.join(unknown)}")


def _plan_release(ctx: Context, pace: Pace | None) -> Outcome:
    """The plan of a release whose image is not built: gates of the checkout, steps, migrations, the stack's changes."""
    wanted, target = ctx.ledger.wanted(ctx.place), known_target(ctx)
    previewed = ctx.stack.preview()
    settings = settings_of(ctx, target, pace) if target else RolloutSettings()
    draft = draft_release(ctx.place.service, target, ctx.source.facts(), asked_now(ctx))
    plan = Plan(
        kind=Kind.RELEASE,
        release=draft,
        colour=wanted.idle,
        steps=choose_steps(Kind.RELEASE, wanted, settings),
        migrations=plan_migrations(draft, ctx.ledger.schema(ctx.place), live=wanted.live is not None),
        refusals=refusals_of_draft(ctx, target, draft, settings),
        changes=previewed.changes,
        notes=previewed.preview.problems if previewed.preview else (),
    )
    return Outcome(
        status="planned", text=f"would release version {draft.version} to {ctx.place.environment}", plan=plan
    )
