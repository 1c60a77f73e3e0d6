"""Schema: the release must be able to live with the database, its migrations with users; older contract migrations go first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from slipway.delivery.gates.facts import BRINGS, GateFacts, Refusal
from slipway.delivery.model.release import MigrationPhase
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.schema import find_backfills, find_incompatibilities, plan_migrations


def refuse_incompatible_schema(facts: GateFacts) -> Iterator[Refusal]:
    """Refusals that nobody can force: the release would meet a schema that it cannot read."""
    if facts.kind not in BRINGS:
        return
    release, schema = facts.release, facts.schema
    for revision in release.revisions if facts.kind is Kind.RELEASE else ():
        if revision.faults and not schema.has(revision):
            yield Refusal(
                gate="migrations",
                text="; ".join(revision.faults),
                remedy="docs/migrations.md has a way that passes for each rule",
                can_be_forced=False,
            )
    if facts.kind is Kind.RELEASE:
        plan, pending = plan_migrations(release, schema, live=facts.live is not None), find_backfills(release, schema)
        first = f"backfill {', '.join(item.id for item in pending)} is complete and " if pending else ""
        for revision in plan.first:
            if revision.phase is MigrationPhase.CONTRACT:
                remedy = f"run `slipway contract {facts.environment}` once {first}the rollback window is closed, then release again"
                if facts.live and all(item.id != revision.id for item in facts.live.revisions):
                    remedy = (
                        f"what is live does not have it: first bring a release here that ends with it; then {remedy}"
                    )
                yield Refusal(
                    gate="pending-contract",
                    text=f"contract migration {revision.id} is pending and comes before this release's own migrations",
                    remedy=remedy,
                    can_be_forced=False,
                )
        schema = replace(schema, applied=schema.with_applied(plan.expand).applied)
    ends = f"; `slipway contract {facts.environment}` runs what has begun to its end" if schema.begun else ""
    for reason in (
        ()
        if facts.kind is Kind.RELEASE and plan_migrations(release, facts.schema, live=facts.live is not None).first
        else find_incompatibilities(release, schema)
    ):
        yield Refusal(
            gate="schema",
            text=f"{release.id} {reason}",
            remedy=f"choose a release that works with the schema as it is, or go forward with a corrected one{ends}",
            can_be_forced=False,
        )


def refuse_unfilled(facts: GateFacts) -> Iterator[Refusal]:
    """Refusals to take away what a backfill still reads: nobody can force that, because data would be lost."""
    if facts.kind is not Kind.CONTRACT:
        return
    for revision in find_backfills(facts.release, facts.schema):
        yield Refusal(
            gate="backfill",
            text=f"backfill {revision.id} is not complete, and the contract migrations come after it",
            remedy=f"`slipway backfill {facts.environment}` waits for it, then run `slipway contract {facts.environment}`",
            can_be_forced=False,
        )
