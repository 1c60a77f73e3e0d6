"""A second `rollback` that names no release: refused, because nobody has looked at what it would bring."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.model.fitness import FitnessNote
from slipway.delivery.model.rollout import Kind, Phase
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import NotFoundError
from tests.unit.delivery.interrupting import DEAD, check_out_bad, company, killed_when, left_in


def live(rehearsal: Rehearsal) -> ColourRelease:
    wanted = rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    assert wanted.live
    running = wanted.colour(wanted.live)
    assert running
    return running


def made(rehearsal: Rehearsal, version: str) -> str:
    return next(item.id for item in rehearsal.ledger.releases("orders") if item.version == version)


def gone_back(*versions: str) -> Rehearsal:
    rehearsal = company(*versions)
    assert delivery.rollback(rehearsal.context("dev"), because="complaints").status == "completed"
    assert live(rehearsal).version == versions[-2]
    return rehearsal


def test_refuses_to_go_further_back_than_meant_and_says_how_to() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0", "3.0.0")
    first, left = made(rehearsal, "1.0.0"), made(rehearsal, "3.0.0")
    with pytest.raises(delivery.RefusedError) as refused:
        delivery.rollback(rehearsal.context("dev"), force=True, because="again")
    assert [each.gate for each in refused.value.refusals] == ["gone-back"]
    assert f"went back from {left} (3.0.0) at 2026-01-05 09:0" in refused.value.what
    assert f"would make {first} (1.0.0) live" in refused.value.what
    assert refused.value.remedy == f"if that is meant, name it: `slipway rollback dev --to {first}`"
    assert live(rehearsal).version == "2.0.0"
    assert delivery.rollback(rehearsal.context("dev"), first).status == "completed"
    assert live(rehearsal).version == "1.0.0"


def test_refuses_to_bring_the_rejected_release_back_where_it_is_the_only_one() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0")
    left = made(rehearsal, "2.0.0")
    with pytest.raises(delivery.RefusedError) as refused:
        delivery.rollback(rehearsal.context("dev"))
    assert [each.gate for each in refused.value.refusals] == ["gone-back", "rejected"]
    assert f"`slipway rollback dev --to {left} --force --because REASON`" in str(refused.value.remedy)
    outcome = delivery.rollback(rehearsal.context("dev"), left, force=True, because="it was the database")
    assert (outcome.status, live(rehearsal).version) == ("completed", "2.0.0")


def test_refuses_to_bring_the_newer_release_back_whose_rejection_was_lifted() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0")
    left = made(rehearsal, "2.0.0")
    delivery.lift(rehearsal.context("dev"), because="it was the database")
    with pytest.raises(delivery.RefusedError, match=f"would make {left}") as refused:
        delivery.rollback(rehearsal.context("dev"))
    assert refused.value.remedy == f"if that is meant, name it: `slipway rollback dev --to {left}`"
    assert delivery.rollback(rehearsal.context("dev"), left).rollout


def test_refuses_after_a_way_back_by_name_and_after_a_retire_too() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    delivery.rollback(rehearsal.context("dev"), made(rehearsal, "1.0.0"))
    delivery.retire(rehearsal.context("dev"), force=True, because="drill")
    with pytest.raises(delivery.RefusedError, match=r"would make .* \(2\.0\.0\) live"):
        delivery.rollback(rehearsal.context("dev"))


def test_plan_of_a_second_way_back_says_that_it_is_refused() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0", "3.0.0")
    plan = delivery.rollback(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert (plan.release and plan.release.version, plan.kind) == ("1.0.0", Kind.ROLLBACK)
    assert [refusal.gate for refusal in plan.refusals] == ["gone-back"]


def test_way_back_is_open_again_once_another_release_is_live() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0")
    rehearsal.check_out("3.0.0")
    delivery.release(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert live(rehearsal).version == "1.0.0"


def test_way_back_from_a_release_under_way_is_open_after_a_way_back() -> None:
    rehearsal = gone_back("1.0.0", "2.0.0")
    check_out_bad(rehearsal, "3.0.0")
    left_in(rehearsal, Phase.BAKING)
    assert delivery.rollback(rehearsal.context("dev")).status == "rolled-back"
    assert live(rehearsal).version == "1.0.0"


def test_way_back_that_failed_does_not_close_the_next_one() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    dev = rehearsal.environment("dev")
    dev.behaviour["2.0.0"] = Behaviour(healthy=False)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.rollback(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert live(rehearsal).version == "1.0.0"


def test_nothing_to_go_back_to_is_told_as_before() -> None:
    rehearsal = company("1.0.0")
    with pytest.raises(NotFoundError, match="no earlier release"):
        delivery.rollback(rehearsal.context("dev"))


def test_owner_that_nobody_knows_to_be_dead_is_believed_for_hours_and_not_for_ever() -> None:
    """It had seen to the way back; the rollback of the next day was told so too, and did nothing."""
    rehearsal = company("1.0.0", "2.0.0")
    check_out_bad(rehearsal, "3.0.0", error_ratio=0.5)
    killed_when(rehearsal, delivery.release, lambda event: event.text.startswith("rolled back"), known=False)
    rehearsal.events.clear()
    assert delivery.rollback(rehearsal.context("dev", pid=2)).status == "rolled-back"
    assert live(rehearsal).version == "2.0.0"
    assert any("`slipway rollback dev --to RELEASE` goes further back" in event.text for event in rehearsal.events)
    rehearsal.clock.sleep(3 * 3600)
    assert delivery.rollback(rehearsal.context("dev", pid=3)).status == "completed"
    assert live(rehearsal).version == "1.0.0"


def test_release_before_is_the_one_that_was_live_before_whatever_the_clock_of_its_machine_said() -> None:
    rehearsal = company()
    for version, skew_seconds in (("1.0.0", 7200), ("2.0.0", 0), ("3.0.0", 0), ("4.0.0", 0)):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev", skew_seconds=skew_seconds))
    dev = rehearsal.environment("dev")
    bad = next(item for item in rehearsal.ledger.releases("orders") if item.version == "3.0.0")
    note = FitnessNote(release=bad.id, by="ada", at=rehearsal.clock.now(), because="complaints")
    rehearsal.ledger.mark_rejected(dev.place, bad.digest, note)
    delivery.rollback(rehearsal.context("dev"))
    assert live(rehearsal).version == "2.0.0"


@pytest.fixture
def promoted() -> Rehearsal:
    """1.0.0 and 2.0.0 came to prod from dev; the next promotion brings 2.0.0 again, with other settings."""
    rehearsal = Rehearsal()
    rehearsal.environment("dev", steps=[50, 100])
    prod = rehearsal.environment("prod", steps=[50, 100], promoteFrom="dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev"))
        delivery.promote(rehearsal.context("prod"), "dev")
    prod.settings = ColourSettings(template='{"memory": "32Mi"}')
    return rehearsal


def test_second_way_back_to_the_same_release_with_other_settings_names_no_release(promoted: Rehearsal) -> None:
    """It said that going back would make live what is live, and `--to` answered that it is."""
    delivery.promote(promoted.context("prod"), "dev")
    delivery.rollback(promoted.context("prod"))
    with pytest.raises(delivery.RefusedError, match="going back once more would bring other settings of it") as refused:
        delivery.rollback(promoted.context("prod"))
    assert "set them in the stack file" in str(refused.value.remedy)


def test_way_back_passes_over_a_colour_that_was_only_ever_given_up(promoted: Rehearsal) -> None:
    """`rollback` took it for the warm way back: the same release as live, with settings that nobody had seen at work."""
    prod = promoted.environment("prod")

    def promote(ctx: delivery.Context) -> delivery.Outcome:
        return delivery.promote(replace(promoted.context("prod", pid=DEAD), progress=ctx.progress), "dev")

    left_in(promoted, Phase.BAKING, promote)
    prod.balancer_fault = "unreachable"
    delivery.abandon(promoted.context("prod"), because="32 MiB is too little")
    prod.balancer_fault = ""
    delivery.resume(promoted.context("prod"))
    promoted.events.clear()
    delivery.rollback(promoted.context("prod"))
    assert any("was never live here with these settings" in event.text for event in promoted.events)
    wanted = promoted.ledger.wanted(prod.place)
    running = wanted.colour(wanted.live) if wanted.live else None
    assert running
    assert running.version == "1.0.0"
