"""From a wish to a rollout that can begin: pure construction, and the checks that need no world."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.gates.facts import BRINGS, Refusal
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.release import Login, Release, Revision
from slipway.delivery.model.rollout import ROUTES, JournalEntry, Kind, Phase, Rollout, Step
from slipway.delivery.model.schema import MigrationPlan
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.ports import Ledger, Place, SourceFacts
from slipway.delivery.strategies import plan_steps
from slipway.delivery.strategies.all_at_once import plan_all_at_once

UNMEASURED_SECONDS = 900.0
"""Allowed for what no setting says: the `up`s before, in and after a rollout, targets, smoke tests and pods."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a command would do, for `--dry-run` and for the journal."""

    kind: Kind
    release: Release | None
    colour: Colour
    candidate: ColourRelease | None = None
    """What `colour` shall run; None where that is not known yet."""
    steps: tuple[Step, ...] = ()
    migrations: MigrationPlan = field(default_factory=MigrationPlan)
    refusals: tuple[Refusal, ...] = ()
    changes: Mapping[str, int] = field(default_factory=dict[str, int])
    """What `up` would change, by operation."""
    notes: tuple[str, ...] = ()
    """What people should know of it: releases that were passed over, and why; what the program warns of, such as changed settings."""
    revision: int = 0
    """Of the wanted state that a way back was planned from."""


def as_colour_release(release: Release, settings: ColourSettings | None) -> ColourRelease:
    """What a colour runs when it runs `release` with `settings`."""
    return ColourRelease(
        release=release.id, image=release.image, version=release.version, settings=settings, login=release.login
    )


def build_release(
    service: str,
    image: str,
    source: SourceFacts,
    now: datetime,
    settings: ColourSettings | None,
    *,
    login: Login = Login.PASSWORD,
) -> Release:
    """The release object of this checkout and this image, to be tried with `settings` first."""
    return Release(
        id="",
        service=service,
        version=source.version,
        image=image,
        git_commit=source.git_commit,
        program_hash=source.program_hash,
        lock_hash=source.lock_hash,
        config_hash=source.config_hash,
        policy_version=source.policy_version,
        revisions=source.revisions,
        created_at=now,
        settings_revision=settings.revision if settings else "",
        login=login,
    ).named()


def draft_release(service: str, target: Target | None, source: SourceFacts, now: datetime) -> Release:
    """The release of this checkout before its image is built: it has the image that the stack built last, if any."""
    image = target.image.reference if target and target.image else f"{service}@sha256:{'0' * 64}"
    settings, login = (target.colour_settings, target.login) if target else (None, Login.PASSWORD)
    return build_release(service, image, source, now, settings, login=login)


def choose_steps(kind: Kind, wanted: Wanted, settings: RolloutSettings) -> tuple[Step, ...]:
    """Releases go by the stack's strategy; the first one ever and every way back go to 100 % at once.

    Without a live colour there is nobody to protect and nobody to compare with; on the way back every second counts.
    """
    if kind in {Kind.RETIRE, Kind.CONTRACT}:
        return ()
    if kind is not Kind.RELEASE or wanted.live is None:
        return plan_all_at_once(settings)
    return plan_steps(settings)


def foreseen_seconds(steps: Sequence[Step], settings: RolloutSettings) -> float:
    """How long a rollout over these steps may take, if nothing goes wrong and people approve in time."""
    late = settings.delay_seconds + 2 * settings.metric_period_seconds  # until a period begins, and until one ends
    baking = sum(step.bake_seconds + late * step.analyse for step in steps)
    asking = settings.approval_seconds * sum(step.approval for step in steps)
    return UNMEASURED_SECONDS + baking + asking


def begin_rollout(
    *,
    kind: Kind,
    place: Place,
    actor: str,
    now: datetime,
    wanted: Wanted,
    candidate: ColourRelease | None,
    settings: RolloutSettings,
    migrations: Sequence[Revision] = (),
    forced: Sequence[str] = (),
    promoted_from: str | None = None,
) -> Rollout:
    """A rollout at the start of its route."""
    first = ROUTES[kind][0]
    return Rollout(
        id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}",
        kind=kind,
        environment=place.environment,
        service=place.service,
        actor=actor,
        started_at=now,
        colour=wanted.idle,
        candidate=candidate,
        original=wanted,
        steps=choose_steps(kind, wanted, settings),
        settings=settings,
        migrations=tuple(migrations),
        promoted_from=promoted_from,
        forced=tuple(forced),
        phase=first,
        phase_started_at=now,
        path=(first,),
        journal=forced_entries(forced, first, actor, now),
    )


def forced_entries(forced: Sequence[str], phase: Phase, by: str, now: datetime) -> tuple[JournalEntry, ...]:
    """The journal's lines for gates that were overridden."""
    return tuple(JournalEntry(at=now, phase=phase, event="forced", text=f"{by}: {text}") for text in forced)


def read_history(ledger: Ledger, place: Place, depth: int) -> Sequence[Rollout]:
    """The newest `depth` ended rollouts, or more: half of so many are no rehearsals, of which there may be any number.

    A rehearsal says nothing of what came live.
    """
    while True:
        found = ledger.history(place, depth)
        if len(found) < depth or 2 * sum(each.kind is not Kind.REHEARSAL for each in found) >= depth:
            return found
        depth *= 4


def window_closes_at(wanted: Wanted, history: Sequence[Rollout], rollback_window_seconds: float) -> datetime | None:
    """Until when the warm old colour is kept; None: nothing warm, or the traffic never moved here."""
    if wanted.live is None or wanted.colour(wanted.idle) is None:
        return None
    moved = [item for item in history if item.ended_at and item.kind in BRINGS and item.phase.ended and not item.reason]
    last = max(moved, key=lambda item: item.fence, default=None)  # not by the clocks of machines, which differ
    return last.ended_at + timedelta(seconds=rollback_window_seconds) if last and last.ended_at else None
