"""What a rollout does, in plain words: a line for each phase. Pure: time is a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from slipway.delivery.analysis.unanswered import decided_at
from slipway.delivery.machine import CONFIRM_SECONDS, patience_seconds
from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.rollout import Kind, Phase, Rollout
from slipway.delivery.model.route import say_routes
from slipway.delivery.retrying import next_attempt, retry_at


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is going on."""

    does: str
    waits_for: str = ""
    """"": nothing."""
    until: datetime | None = None
    """When the wait is over by itself, one way or the other; None: it has no end of its own."""
    ends: tuple[str, ...] = ()
    """What would turn it back, or end it."""


def narrate(rollout: Rollout, abort: str | None) -> Story:
    """The story of a rollout under way. `abort`: what was asked of it."""
    story = STORIES[rollout.phase](rollout)
    if rollout.routes and rollout.phase in {Phase.SIZING, Phase.SHIFTING, Phase.BAKING, Phase.VERIFYING}:
        story = replace(story, does=f"{story.does}, and has {say_routes(rollout.routes)}")
    if rollout.waits_for:
        story = _waiting_for_people(rollout, story)
    if abort is not None and rollout.may_retry:
        return replace(story, does=f"{story.does}; it is not tried again: {abort}", waits_for="", until=None, ends=())
    if abort is None or rollout.phase in {Phase.RETURNING, Phase.CLEANING, Phase.SETTLING}:
        return story
    return replace(story, does=f"{story.does}, and is about to turn back: {abort}", waits_for="", until=None)


def name_of(rollout: Rollout) -> str:
    """Which rollout it is, and whose."""
    candidate = rollout.candidate
    what = f"of {candidate.version} ({candidate.release}) " if candidate else ""
    attempt = f" ({rollout.attempt})" if rollout.retried else ""
    return f"the {rollout.kind} {what}by {rollout.actor}{attempt}"


def _waiting_for_people(rollout: Rollout, story: Story) -> Story:
    until, ends = None, story.ends
    if rollout.asked_since and not rollout.pause:
        until = rollout.asked_since + timedelta(seconds=rollout.settings.approval_seconds)
        ends = (*ends, f"nobody approves {rollout.steps[rollout.coming_step].percent} % until then")
    return replace(story, waits_for=rollout.waits_for, until=until, ends=ends)


def _after(rollout: Rollout, seconds: float) -> datetime:
    return rollout.attended_since + timedelta(seconds=seconds)


def _migrating(rollout: Rollout) -> Story:
    ids = ", ".join(revision.id for revision in rollout.migrations)
    return Story(
        does=f"runs the expand migrations {ids}" if ids else "is about to begin",
        waits_for="the migration's Job" if ids else "",
        ends=("a migration fails",) if ids else (),
    )


def _deploying(rollout: Rollout) -> Story:
    return Story(
        does=f"brings {rollout.colour} up, which has {rollout.original.weights.of(rollout.colour)} % of the traffic",
        waits_for="the `up` of the stack",
        ends=("the `up` fails", f"the load balancer gives {rollout.colour} traffic that nobody explains"),
    )


def _waiting(rollout: Rollout) -> Story:
    return Story(
        does=f"looks at the targets of {rollout.colour}",
        waits_for="all of them to be healthy at the load balancer",
        until=_after(rollout, patience_seconds(rollout)),
        ends=("not all targets are healthy by then",),
    )


def _smoking(rollout: Rollout) -> Story:
    return Story(
        does=f"asks {rollout.colour} over the test route",
        waits_for="the smoke test to pass",
        until=_after(rollout, rollout.settings.smoke_seconds),
        ends=("the smoke test does not pass by then",),
    )


def _sizing(rollout: Rollout) -> Story:
    percent = rollout.steps[rollout.coming_step].percent
    return Story(
        does=f"gives {rollout.colour} the pods that it needs for {percent} % of the traffic",
        waits_for="these pods to be healthy at the load balancer",
        until=_after(rollout, rollout.settings.size_seconds),
        ends=("not all of them are by then", "the judge's verdict on the traffic that it has is fail"),
    )


def _shifting(rollout: Rollout) -> Story:
    return Story(
        does=f"moves the traffic to {rollout.weights}",
        waits_for="the load balancer to confirm it",
        until=_after(rollout, CONFIRM_SECONDS),
        ends=("the load balancer does not confirm it by then", f"{rollout.colour} has no healthy target"),
    )


def _baking(rollout: Rollout) -> Story:
    step, settings = rollout.steps[rollout.step], rollout.settings
    last = rollout.measurements[-1] if rollout.measurements else None
    said = f"; the judge's last verdict is {last.verdict}" if last and last.step == rollout.step else ""
    extended = f", extended {rollout.extensions} of {settings.max_extensions} times" if rollout.extensions else ""
    ends = [f"{rollout.colour} has no healthy target"]
    if step.analyse:
        ends.append(
            f"the judge says {VerdictKind.FAIL}: more than {settings.max_error_ratio:.2%} of the requests fail, "
            f"or more than 1.00% take longer than {settings.max_p99_seconds:g} s"
        )
        if settings.on_no_data != "pass":
            ends.append("too few requests to judge, in the end")
    until, missed = decided_at(rollout)
    held = f", and then for requests that are missing: {missed}" if missed else ""
    return Story(
        does=f"bakes at {step.percent} % on {rollout.colour} (step {rollout.step + 1} of {len(rollout.steps)}){said}",
        waits_for=f"the end of the bake{extended}{held}",
        until=until,
        ends=tuple(ends),
    )


def _verifying(rollout: Rollout) -> Story:
    return Story(
        does=f"asks {rollout.colour}, which has all the traffic, over the live listener",
        waits_for="the smoke test to pass",
        until=_after(rollout, rollout.settings.smoke_seconds),
        ends=("the smoke test does not pass by then",),
    )


def _settling(rollout: Rollout) -> Story:
    return Story(does=f"notes that {rollout.colour} is live; nothing turns it back any more")


def _retiring(rollout: Rollout) -> Story:
    contract = rollout.kind is Kind.CONTRACT
    return Story(
        does=f"takes {rollout.colour} away" + (", before the contract migrations run" if contract else ""),
        waits_for="the `up` of the stack" if contract else "",
        ends=("the `up` fails",) if contract else (),
    )


def _contracting(rollout: Rollout) -> Story:
    ids = ", ".join(revision.id for revision in rollout.migrations)
    return Story(
        does=f"runs the contract migrations {ids}", waits_for="the migration's Job", ends=("a migration fails",)
    )


def _returning(rollout: Rollout) -> Story:
    if not rollout.reason:
        return Story(
            does=f"has rehearsed the way back, and brings the traffic forward again, to {rollout.original.weights}",
            waits_for="the load balancer to confirm it",
        )
    return Story(
        does=f"brings the traffic back to {rollout.original.weights}: {rollout.reason}: {rollout.reason_text}",
        waits_for="the load balancer to confirm it",
        ends=_ends_of_retry(rollout),
    )


def _cleaning(rollout: Rollout) -> Story:
    if not rollout.reason:
        return Story(does="has the traffic where it was before the rehearsal")
    again = rollout.may_retry
    return Story(
        does=f"has the traffic back, and gives {rollout.colour} back what it was to run before: "
        f"{rollout.reason}: {rollout.reason_text}",
        waits_for=f"{next_attempt(rollout)} to begin" if again else "",
        until=retry_at(rollout) if again else None,
        ends=_ends_of_retry(rollout),
    )


def _ends_of_retry(rollout: Rollout) -> tuple[str, ...]:
    """What would keep a rollout that turned back from beginning again."""
    if not rollout.may_retry:
        return ()
    return (f"before {next_attempt(rollout)}: somebody aborts, rolls back or supersedes it, or a gate refuses it",)


STORIES: Mapping[Phase, Callable[[Rollout], Story]] = {
    Phase.MIGRATING: _migrating,
    Phase.DEPLOYING: _deploying,
    Phase.WAITING: _waiting,
    Phase.SMOKING: _smoking,
    Phase.SIZING: _sizing,
    Phase.SHIFTING: _shifting,
    Phase.BAKING: _baking,
    Phase.VERIFYING: _verifying,
    Phase.SETTLING: _settling,
    Phase.RETIRING: _retiring,
    Phase.CONTRACTING: _contracting,
    Phase.RETURNING: _returning,
    Phase.CLEANING: _cleaning,
}
