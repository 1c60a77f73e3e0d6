"""`explain`: the answer agrees with what the verbs then do, in every phase and between rollouts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.explaining import VERBS
from slipway.delivery.gates import Refusal
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import ROUTES, Kind, Phase
from slipway.delivery.narrating import STORIES
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import SlipwayError
from tests.unit.delivery.interrupting import CONTRACT, EXPAND, check_out_bad, company, left_in
from tests.unit.delivery.test_delivery_gates import FROZEN
from tests.unit.delivery.test_delivery_gates import company as companies
from tests.unit.delivery.test_delivery_people import APPROVED, Company

FORCED: Any = {"force": True, "because": "drill"}
CALLS: dict[str, Callable[[delivery.Context], delivery.Outcome]] = {
    "rollback": delivery.rollback,
    "rehearse": delivery.rehearse,
    "abort": delivery.abort,
    "abandon": delivery.abandon,
    "pause": delivery.pause,
    "continue": delivery.continue_,
    "approve": delivery.approve,
    "skip": lambda ctx: delivery.skip(ctx, because="drill"),
    "resume": delivery.resume,
    "release": delivery.release,
    "retire": delivery.retire,
    "backfill": delivery.backfill,
    "contract": delivery.contract,
    "lift": lambda ctx: delivery.lift(ctx, because="drill"),
}
IDLE = {"resume", "retire", "backfill", "contract"}
"""Verbs that answer `unchanged` where nothing is to do."""


def choices(explanation: delivery.Explanation) -> dict[str, delivery.VerbAnswer]:
    return dict(zip(VERBS, explanation.verbs, strict=True))


def asked(rehearsal: Rehearsal, name: str = "dev") -> delivery.Explanation:
    return delivery.explain(rehearsal.context(name, pid=5))


def left(phase: Phase) -> Rehearsal:
    rehearsal = company("1.0.0")
    check_out_bad(rehearsal, "2.0.0", error_ratio=0.5 if phase in {Phase.RETURNING, Phase.CLEANING} else 0)
    left_in(rehearsal, phase)
    return rehearsal


def rehearsing(phase: Phase) -> Rehearsal:
    rehearsal = company("1.0.0", "2.0.0")
    left_in(rehearsal, phase, delivery.rehearse)
    return rehearsal


def at_rest() -> Rehearsal:
    return company("1.0.0", "2.0.0")


def gone_back() -> Rehearsal:
    rehearsal = company("1.0.0", "2.0.0")
    delivery.rollback(rehearsal.context("dev"))
    return rehearsal


def never_released() -> Rehearsal:
    rehearsal = Rehearsal()
    rehearsal.check_out("1.0.0")
    return rehearsal


def frozen() -> Rehearsal:
    rehearsal = company("1.0.0", "2.0.0")
    rehearsal.environment("dev").rollout = {**rehearsal.environment("dev").rollout, **FROZEN}
    rehearsal.check_out("3.0.0")
    return rehearsal


def contracting() -> Rehearsal:
    rehearsal = company("1.0.0")
    rehearsal.check_out("2.0.0", revisions=[EXPAND, CONTRACT])
    delivery.release(rehearsal.context("dev"))
    return rehearsal


SCENES: dict[str, Callable[[], Rehearsal]] = {
    **{
        phase.value: lambda phase=phase: left(phase)
        for phase in (*ROUTES[Kind.RELEASE][:-1], Phase.RETURNING, Phase.CLEANING)
    },
    **{f"rehearsal {phase}": lambda phase=phase: rehearsing(phase) for phase in ROUTES[Kind.REHEARSAL][:-1]},
    "at rest": at_rest,
    "gone back": gone_back,
    "never released": never_released,
    "frozen": frozen,
    "contract pending": contracting,
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("scene", SCENES)
def test_verb_is_possible_where_it_is_said_to_be_and_nowhere_else(scene: str, verb: str) -> None:
    rehearsal = SCENES[scene]()
    explanation = asked(rehearsal)
    said = choices(explanation)[verb]
    outcome, refusals, turned_back = answer(lambda: CALLS[verb](rehearsal.context("dev", pid=5)))
    if refusals:
        assert not said.possible
        assert said.refusals == refusals or explanation.rollout  # that one is finished first
    elif outcome is None:
        assert said.possible is turned_back, said
    else:
        idle = verb in IDLE and outcome.status == "unchanged"
        assert said.possible or idle or (verb == "abort" and "nothing is left to turn back" in said.text), said


def answer(call: Callable[[], delivery.Outcome]) -> tuple[delivery.Outcome | None, tuple[Refusal, ...], bool]:
    """What a verb did; or which gates refused it; or whether a release was turned back by itself."""
    try:
        return call(), (), False
    except delivery.RefusedError as refused:
        return None, refused.refusals, False
    except SlipwayError as error:
        return None, (), isinstance(error, delivery.ReleaseRolledBackError)


def test_every_phase_has_its_story() -> None:
    assert set(STORIES) == {phase for phase in Phase if not phase.ended}


def test_bake_is_explained_with_its_end_and_what_would_turn_it_back() -> None:
    company = Company()
    company.until(lambda rollout: rollout.phase is Phase.BAKING)
    company.clock.sleep(20)
    told = delivery.explain(company.rehearsal.context("dev", pid=5))
    assert told.does.startswith("the release of 2.0.0 (r-20260105-")
    assert (
        "by ada@bench (process 11) bakes at 50 % on blue (step 1 of 2); the judge's last verdict is pass" in told.does
    )
    assert (told.waits_for, told.until) == ("the end of the bake", company.rollout.bake_ends_at)
    assert told.until
    assert 30 < (told.until - told.at).total_seconds() < 45
    assert "more than 1.00% of the requests fail" in " ".join(told.ends)
    assert told.owner == "ada@bench (process 11) (`slipway release dev`)"
    said = choices(told)
    assert "is at work here: wait for it (--wait SECONDS)" in said["release"].text
    assert [name for name, each in said.items() if each.possible] == ["rollback", "abort", "abandon", "pause", "skip"]
    assert delivery.as_json(told)["until"] == company.rollout.bake_ends_at.isoformat().replace("+00:00", "Z")


def test_wait_for_people_is_explained_with_its_deadline_and_a_freeze_holds_their_verbs() -> None:
    company = Company(steps=APPROVED, approvalSeconds=600)
    company.until(lambda rollout: rollout.asked_since)
    told = delivery.explain(company.rehearsal.context("dev", pid=5))
    assert "100 % waits for approval since" in told.waits_for
    assert company.rollout.asked_since
    assert told.until == company.rollout.asked_since + timedelta(seconds=600)
    assert told.ends[-1] == "nobody approves 100 % until then"
    assert choices(told)["approve"].possible
    company.dev.rollout = {**company.dev.rollout, **FROZEN}
    company.person(delivery.pause, "lunch")
    company.until(lambda rollout: rollout.pause)
    told = delivery.explain(company.rehearsal.context("dev", pid=5))
    assert ("lunch; `slipway continue dev` ends that" in told.waits_for, told.until) == (True, None)
    said = choices(told)
    for verb in ("continue", "approve", "release"):
        assert [refusal.gate for refusal in said[verb].refusals] == ["freeze"]
        assert said[verb].text == "refused by freeze; --force --because REASON overrides that"


def test_dead_owner_and_an_abort_that_nobody_has_heard_are_said() -> None:
    rehearsal = left(Phase.BAKING)
    assert asked(rehearsal).waits_for == "the end of the bake; nobody runs it now: `slipway resume dev`"
    rollout = rehearsal.ledger.rollout(rehearsal.environment("dev").place)
    assert rollout
    rehearsal.ledger.request_abort(rehearsal.environment("dev").place, rollout.id, "aborted by grace")
    told = asked(rehearsal)
    assert "is about to turn back: aborted by grace" in told.does
    assert choices(told)["pause"].text == "the rollout is turning back: aborted by grace"


def test_return_is_explained_by_its_reason() -> None:
    told = asked(left(Phase.RETURNING))
    assert "brings the traffic back to blue 0 %, green 100 %: errors-above-limit: " in told.does


def test_warm_colour_is_explained_with_its_window_and_what_is_owed() -> None:
    rehearsal = at_rest()
    told = asked(rehearsal)
    assert "2.0.0 (r-20260105-" in told.does
    assert "is live on blue; 1.0.0 (r-20260105-" in told.does
    assert told.waits_for == "the rollback window to close"
    assert told.until
    assert choices(told)["retire"].can_be_forced
    rehearsal.environment("dev").up_fault = "quota exceeded"
    delivery.rollback(rehearsal.context("dev"))
    told = asked(rehearsal)
    assert [item.what for item in told.owed] == ["up"]
    assert choices(told)["resume"].text == "tries up again"
    assert [refusal.gate for refusal in choices(told)["rollback"].refusals] == ["gone-back", "rejected"]


def test_promotion_is_explained_by_its_gates() -> None:
    rehearsal = companies("1.0.0", upto="staging")
    said = choices(asked(rehearsal, "prod"))["release"]
    assert (said.command, said.possible) == ("slipway promote staging prod", True)
    rehearsal.environment("prod").rollout = {**rehearsal.environment("prod").rollout, **FROZEN}
    assert [refusal.gate for refusal in choices(asked(rehearsal, "prod"))["release"].refusals] == ["freeze"]


def test_promotion_of_what_is_live_is_explained_by_its_settings() -> None:
    rehearsal = companies("1.0.0", upto="staging")
    prod = rehearsal.environment("prod")
    for memory in ("192Mi", "512Mi"):
        prod.settings = ColourSettings(template=f'{{"memory": "{memory}"}}')
        delivery.promote(rehearsal.context("prod"), "staging")
    said = choices(asked(rehearsal, "prod"))["release"]
    assert (said.possible, said.text.partition(" ")[2]) == (
        False,
        "is live already, with the settings of the last release",
    )
    delivery.rollback(rehearsal.context("prod"))
    assert choices(asked(rehearsal, "prod"))["release"].possible


def test_migration_that_the_lint_refuses_is_told_before_anything_is_built() -> None:
    rehearsal = company("1.0.0")
    bad = Revision(id="0002", phase=MigrationPhase.EXPAND, faults=("0002 rewrites the table",))
    rehearsal.check_out("2.0.0", revisions=[EXPAND, bad])
    said = choices(asked(rehearsal))["release"]
    assert ([refusal.gate for refusal in said.refusals], said.can_be_forced) == (["migrations"], False)


def test_nothing_is_changed_and_no_lease_is_taken() -> None:
    rehearsal = left(Phase.BAKING)
    writes: list[str] = []
    ledger: Any = rehearsal.ledger
    ledger.before_write = writes.append
    asked(rehearsal)
    assert writes == []
