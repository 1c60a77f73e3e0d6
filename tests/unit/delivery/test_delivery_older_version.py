"""Rollouts that an older version of the code left in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from slipway import delivery
from slipway.delivery.leasing import hold_lease
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import load_rollout
from slipway.delivery.model.wanted import load_wanted
from tests.unit.delivery.interrupting import NEW, OLD, company

RECORDED = json.loads((Path(__file__).parent / "recorded" / "rollouts.json").read_text())
"""Documents of the version before owed work, pauses and approvals: a release killed in three phases."""


@pytest.mark.parametrize("verb", [delivery.resume, delivery.release, delivery.rollback, delivery.abandon])
@pytest.mark.parametrize("phase", RECORDED)
def test_rollout_that_an_older_version_left_is_taken_up(phase: str, verb: Callable[..., delivery.Outcome]) -> None:
    rehearsal, recorded = company(), RECORDED[phase]
    dev = rehearsal.environment("dev")
    present, dev.settings = dev.settings, None  # its ledger knew of no settings
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    rehearsal.check_out("2.0.0")
    release = TypeAdapter(Release).validate_python(recorded["release"])
    rehearsal.ledger.put_release(release)
    wanted = load_wanted(json.dumps(recorded["wanted"]))
    with hold_lease(rehearsal.context("dev"), "slipway release dev") as keeper:
        now = rehearsal.ledger.wanted(dev.place)
        rehearsal.ledger.write_wanted(dev.place, replace(wanted, revision=now.revision), keeper.lease)
        rehearsal.ledger.write_rollout(dev.place, load_rollout(json.dumps(recorded["rollout"])), keeper.lease)
    blue = wanted.colour(Colour.BLUE)
    assert blue
    dev.running[Colour.BLUE], dev.weights = (blue, dev.clock.now() - timedelta(minutes=1)), wanted.weights
    try:
        status = verb(rehearsal.context("dev")).status
    except delivery.ReleaseRolledBackError:
        status = "rolled-back"
    forward = phase != "cleaning-up" and verb in {delivery.resume, delivery.release}
    past = phase == "settling" and verb is delivery.abandon
    assert (status == "rolled-back") is not (forward or past or (phase == "settling" and verb is delivery.rollback))
    assert (dev.weights, dev.harm) == (NEW if forward or past else OLD, [])
    # The program of today, which says of the same pods what they are made from.
    dev.settings = present
    dev.running = {colour: (replace(each, settings=present), since) for colour, (each, since) in dev.running.items()}
    rehearsal.check_out("3.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert list(rehearsal.ledger.owed(dev.place)) == []
