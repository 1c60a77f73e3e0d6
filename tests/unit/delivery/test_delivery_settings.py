"""A colour keeps the settings that it was released with: only a release brings others out, and a way back brings them back."""

from __future__ import annotations

from typing import Any

import pytest

from slipway import delivery
from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Kind
from slipway.delivery.planning import build_release
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment
from slipway.errors import NotFoundError

SMALL = ColourSettings(template='{"memory": "192Mi"}', secrets="a1")
LARGE = ColourSettings(template='{"memory": "512Mi"}', secrets="a1")
ROTATED = ColourSettings(template='{"memory": "192Mi"}', secrets="b2")


def company(*settings: ColourSettings | None, **rollout: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    """An environment that has released version 1.0.0, 2.0.0 … with these settings."""
    rehearsal = Rehearsal()
    dev = rehearsal.environment("dev", **rollout)
    for number, each in enumerate(settings, 1):
        dev.settings = each
        rehearsal.check_out(f"{number}.0.0")
        delivery.release(rehearsal.context("dev"))
    return rehearsal, dev


def running(dev: SimulatedEnvironment) -> dict[str, tuple[str, ColourSettings | None]]:
    """Version and settings by colour."""
    return {str(colour): (each.version, each.settings) for colour, (each, _) in sorted(dev.running.items())}


def live(dev: SimulatedEnvironment) -> tuple[str, ColourSettings | None]:
    """Of the colour that has all of the traffic."""
    return running(dev)[next(colour for colour in Colour if dev.weights.of(colour) == 100)]


def test_up_after_a_changed_setting_leaves_both_colours() -> None:
    rehearsal, dev = company(SMALL, SMALL)
    before = dict(dev.running)
    dev.settings = LARGE
    rehearsal.context("dev").stack.up()
    assert (dev.running, dev.harm) == (before, [])


def test_up_after_a_changed_setting_replaces_pods_that_an_earlier_version_released() -> None:
    rehearsal, dev = company(None)
    dev.settings = LARGE
    rehearsal.context("dev").stack.up()
    assert live(dev) == ("1.0.0", LARGE)
    assert dev.harm, "what the ledger does not pin follows the stack file, as it did"


def test_release_brings_changed_settings_of_the_same_image_out_step_by_step() -> None:
    for changed in (LARGE, ROTATED):
        rehearsal, dev = company(SMALL)
        dev.settings = changed
        outcome = delivery.release(rehearsal.context("dev"))
        assert (outcome.status, live(dev), dev.harm) == ("completed", ("1.0.0", changed), [])
        assert running(dev)["green"] == ("1.0.0", SMALL)
        assert delivery.release(rehearsal.context("dev")).status == "unchanged"


def test_rollback_brings_the_warm_colour_back_with_its_settings() -> None:
    rehearsal, dev = company(SMALL)
    dev.settings = LARGE
    delivery.release(rehearsal.context("dev"))
    outcome = delivery.rollback(rehearsal.context("dev"))
    assert outcome.rollout
    assert (outcome.rollout.kind, live(dev), dev.harm) == (Kind.SWITCH, ("1.0.0", SMALL), [])


def test_rollback_to_an_older_release_brings_its_settings_back_with_the_present_secrets() -> None:
    rehearsal, dev = company(SMALL, LARGE, LARGE)
    oldest = next(item for item in rehearsal.ledger.releases("orders") if item.version == "1.0.0")
    dev.settings = LARGE.model_copy(update={"secrets": "b2"})
    rehearsal.context("dev").stack.up()
    outcome = delivery.rollback(rehearsal.context("dev"), to=oldest.id)
    assert outcome.rollout
    assert (outcome.rollout.kind, live(dev)) == (Kind.ROLLBACK, ("1.0.0", ROTATED))


def test_release_with_bad_settings_goes_back_and_leaves_the_image_good() -> None:
    rehearsal, dev = company(SMALL)
    dev.settings = LARGE
    made = build_release("orders", str(dev.image), rehearsal.facts(), rehearsal.clock.now(), LARGE)
    dev.behaviour = {made.id: Behaviour(error_ratio=0.5)}
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.release(rehearsal.context("dev"))
    assert (live(dev), dev.harm) == (("1.0.0", SMALL), [])
    dev.settings = SMALL
    assert delivery.release(rehearsal.context("dev")).status == "unchanged"


def test_each_settings_that_went_wrong_stay_rejected() -> None:
    """The second rejection of an image took the place of the first, and so did settings that were good."""
    rehearsal, dev = company(SMALL)
    tried = [LARGE, ROTATED]
    for settings in tried:
        dev.settings = settings
        made = build_release("orders", str(dev.image), rehearsal.facts(), rehearsal.clock.now(), settings)
        dev.behaviour[made.id] = Behaviour(error_ratio=0.5)
        with pytest.raises(delivery.ReleaseRolledBackError):
            delivery.release(rehearsal.context("dev"))
        rehearsal.clock.sleep(60)
    first, second = (each.id for each in reversed(rehearsal.ledger.releases("orders")) if each.id in dev.behaviour)

    def rejected() -> list[str]:
        record = rehearsal.ledger.fitness(dev.place, rehearsal.ledger.releases("orders")[0].digest)
        assert record
        return [each for each in (first, second) if record.rejects(each)]

    dev.settings = ColourSettings(template='{"memory": "256Mi"}', secrets="a1")
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert rejected() == [first, second]
    for settings in tried:
        dev.settings = settings
        with pytest.raises(delivery.RefusedError, match="was rejected"):
            delivery.release(rehearsal.context("dev"))
    assert delivery.lift(rehearsal.context("dev"), first, because="it was the network").text.startswith(first)
    assert rejected() == [second]
    with pytest.raises(NotFoundError, match=first):
        delivery.lift(rehearsal.context("dev"), first, because="once more")


def test_promotion_of_the_live_release_brings_changed_settings_out_and_back() -> None:
    rehearsal, _dev = company(SMALL)
    prod = rehearsal.environment("prod", promoteFrom="dev")
    prod.settings = SMALL
    delivery.promote(rehearsal.context("prod"), "dev")
    prod.settings = LARGE
    outcome = delivery.promote(rehearsal.context("prod"), "dev")
    assert (outcome.status, live(prod)) == ("completed", ("1.0.0", LARGE))
    assert delivery.promote(rehearsal.context("prod"), "dev").status == "unchanged"
    delivery.rollback(rehearsal.context("prod"))
    assert (live(prod), prod.harm) == (("1.0.0", SMALL), [])
    assert list(rehearsal.ledger.rejections(prod.place)) == []
