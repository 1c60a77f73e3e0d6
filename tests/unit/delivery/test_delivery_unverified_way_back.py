"""A way back leads to nothing that nobody has seen work: the gate of a promotion, where releases are built as well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slipway import delivery
from slipway.delivery.model.owed import Debt
from slipway.delivery.model.rollout import Phase, Reason
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.unit.delivery.interrupting import EXPAND, check_out_bad, company, left_in


def given_up_while_superseded() -> tuple[Rehearsal, str]:
    """3.0.0 was superseded, and given up before its colour had 2.0.0's predecessor back: it is kept warm, and was never live."""
    rehearsal = company("1.0.0", "2.0.0")
    dev, ledger = rehearsal.environment("dev"), rehearsal.ledger
    rehearsal.check_out("3.0.0", revisions=[EXPAND])
    left_in(rehearsal, Phase.BAKING)
    rollout = ledger.rollout(dev.place)
    assert rollout
    assert rollout.candidate
    ledger.say(dev.place, Topic.SUPERSEDE, Word(rollout=rollout.id, by="ada", at=dev.clock.now(), because="4.0.0"))
    left_in(rehearsal, Phase.RETURNING, delivery.resume)
    dev.balancer_fault = "throttled"
    delivery.abandon(rehearsal.context("dev"))
    dev.balancer_fault = ""
    delivery.resume(rehearsal.context("dev"))
    wanted, ended = ledger.wanted(dev.place), ledger.rollout(dev.place)
    assert ended
    assert (wanted.colour(wanted.idle), ended.reason) == (rollout.candidate, Reason.SUPERSEDED)
    assert [item for item in ledger.owed(dev.place) if item.debt is Debt.UP] == []
    return rehearsal, rollout.candidate.release


def test_passes_over_a_warm_release_that_was_never_live_and_says_so() -> None:
    rehearsal, _ = given_up_while_superseded()
    plan = delivery.rollback(rehearsal.context("dev"), dry_run=True).plan
    assert plan
    assert plan.release
    assert plan.release.version == "1.0.0"
    assert "was never verified in dev" in plan.notes[0]
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert any("goes back to 1.0.0" in event.text for event in rehearsal.events)


def test_release_that_was_never_live_comes_back_by_name_only_with_a_reason() -> None:
    rehearsal, release = given_up_while_superseded()
    with pytest.raises(delivery.RefusedError, match="was never verified in dev") as refused:
        delivery.rollback(rehearsal.context("dev"), release)
    assert [refusal.gate for refusal in refused.value.refusals] == ["upstream"]
    outcome = delivery.rollback(rehearsal.context("dev"), release, force=True, because="it is the fix")
    assert outcome.rollout
    assert outcome.rollout.forced


def test_release_whose_record_names_another_image_than_ran_here_does_not_come_back() -> None:
    """Every environment that builds may write the records of releases; what ran here only this one says."""
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    first, second, _ = sorted(rehearsal.ledger.releases("orders"), key=lambda release: release.version)
    forged = f"registry/orders@sha256:{'f' * 64}"
    rehearsal.ledger.put_release(replace(first, image=forged))
    rehearsal.ledger.put_release(replace(second, image=forged))
    delivery.rollback(rehearsal.context("dev"))  # warm: its pods run what they ran
    wanted = rehearsal.ledger.wanted(rehearsal.environment("dev").place)
    live = wanted.colour(wanted.live) if wanted.live else None
    assert live
    assert (live.version, live.image) == ("2.0.0", second.image)
    with pytest.raises(delivery.RefusedError, match="names registry/orders@sha256:ffff") as refused:
        delivery.rollback(rehearsal.context("dev"), first.id, force=True, because="it must be")
    assert [refusal.gate for refusal in refused.value.refusals] == ["image"]


def test_way_back_is_open_where_the_record_of_what_was_live_is_not_written_yet() -> None:
    rehearsal = company("1.0.0", "2.0.0")
    ledger = rehearsal.ledger
    fitness = ledger.fitness
    ledger.fitness = lambda *_: {}  # type: ignore[method-assign]
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    ledger.fitness = fitness  # type: ignore[method-assign]


def test_rehearsal_is_refused_where_the_warm_release_was_never_live() -> None:
    rehearsal, _ = given_up_while_superseded()
    with pytest.raises(delivery.RefusedError, match="was never verified in dev"):
        delivery.rehearse(rehearsal.context("dev"))


def test_second_way_back_after_a_release_that_turned_back_by_itself_is_refused() -> None:
    rehearsal = company("1.0.0", "2.0.0", "3.0.0")
    check_out_bad(rehearsal, "4.0.0", error_ratio=0.5)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert delivery.rollback(rehearsal.context("dev")).status == "completed"
    assert any("goes back to 2.0.0" in event.text for event in rehearsal.events)
    with pytest.raises(delivery.RefusedError, match=r"would make .* \(1\.0\.0\) live") as refused:
        delivery.rollback(rehearsal.context("dev"))
    assert [refusal.gate for refusal in refused.value.refusals] == ["gone-back"]
