"""Schema: the release must be able to live with the database, its migrations with users; older contract migrations go first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from slipway.delivery.gates.facts import BRINGS, GateFacts, Refusal
from slipway.delivery.model.release import MigrationPhase
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.schema import find_incompatibilities, plan_migrations


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
        plan = plan_migrations(release, schema)
        for revision in plan.first:
            if revision.phase is MigrationPhase.CONTRACT:
                yield Refusal(
                    gate="pending-contract",
                    text=f"contract migration {revision.id} is pending and comes before this release's own migrations",
                    remedy=f"run `slipway contract {facts.environment}` once the rollback window is closed, then release again",
                    can_be_forced=False,
                )
        schema = replace(schema, applied=schema.with_applied(plan.expand).applied)
    for reason in (
        ()
        if facts.kind is Kind.RELEASE and plan_migrations(release, facts.schema).first
        else find_incompatibilities(release, schema)
    ):
        yield Refusal(
            gate="schema",
            text=f"{release.id} {reason}",
            remedy="choose a release that works with the schema as it is, or go forward with a corrected one",
            can_be_forced=False,
        )
