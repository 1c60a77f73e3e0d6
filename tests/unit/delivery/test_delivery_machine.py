"""The state machine: properties that hold for every sequence of observations, and the decisions of each phase."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.delivery.machine import RULES, after_failure, decide, fold
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.decision import Act, Converge, Enter, MoveWeights, Wait, WriteWanted
from slipway.delivery.model.observation import BalancerState, Health, Observation, Verdict, VerdictKind
from slipway.delivery.model.release import MigrationPhase, Revision
from slipway.delivery.model.rollout import RETRIED, Kind, Phase, Reason, Rollout, dump_rollout, load_rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.planning import begin_rollout
from slipway.delivery.ports import Place

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
OLD = ColourRelease(release="r-old", image="orders@sha256:" + "0" * 64, version="1")
NEW = ColourRelease(release="r-new", image="orders@sha256:" + "1" * 64, version="2")
LIVE = Wanted(live=Colour.BLUE, test=Colour.GREEN, blue=OLD, green=None, weights=Weights(blue=100, green=0), revision=4)
SETTINGS = RolloutSettings(
    steps=(10, 50, 100), bake_seconds=10, analysis_interval_seconds=2, on_no_data="hold", max_extensions=2
)
GOOD = Verdict(kind=VerdictKind.PASS, text="fine")
BAD = Verdict(kind=VerdictKind.FAIL, text="30 % errors", reason=Reason.ERRORS_ABOVE_LIMIT, numbers={"error_ratio": 0.3})
NOTHING = Verdict(kind=VerdictKind.NO_DATA, text="3 requests", reason=Reason.NO_DATA)


def rollout(kind: Kind = Kind.RELEASE, wanted: Wanted = LIVE, settings: RolloutSettings = SETTINGS) -> Rollout:
    candidate = None if kind in {Kind.RETIRE, Kind.CONTRACT} else NEW
    return begin_rollout(
        kind=kind,
        place=Place(environment="dev", service="orders"),
        actor="ada",
        now=NOW,
        wanted=wanted,
        candidate=candidate,
        settings=settings,
        migrations=[Revision(id="0002", phase=MigrationPhase.EXPAND)] if kind is Kind.RELEASE else [],
    )


def baking(step: int = 0, settings: RolloutSettings = SETTINGS) -> Rollout:
    return replace(rollout(settings=settings), phase=Phase.BAKING, step=step, baking_since=NOW, phase_started_at=NOW)


def seen(weights: Weights, verdict: Verdict | None = None, healthy: int = 2, abort: str | None = None) -> Observation:
    wanted = replace(LIVE, green=NEW, weights=weights)
    state = BalancerState(weights=weights, test=Colour.GREEN)
    return Observation(
        wanted=wanted, balancer=state, health=Health(healthy=healthy, unhealthy=0), verdict=verdict, abort=abort
    )


TEN = Weights(blue=90, green=10)


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("kind", list(Kind))
def test_rules_of_traffic_hold_for_any_sequence_of_observations(kind: Kind, seed: int) -> None:
    """Whatever the world shows: weights sum to 100, the ledger comes first, nothing with traffic is taken away."""
    dice = random.Random(f"{kind}-{seed}")
    wanted = LIVE if kind in {Kind.RELEASE, Kind.ROLLBACK} else replace(LIVE, green=NEW)
    settings = SETTINGS.model_copy(update={"retries": seed % 3})
    state, actual, test, now = rollout(kind, wanted, settings), wanted.weights, wanted.test, NOW
    for _ in range(400):
        if state.phase.ended:
            break
        confirmed = (
            actual
            if dice.random() < 0.7
            else dice.choice([None, TEN, Weights(blue=100, green=0), Weights(blue=0, green=100)])
        )
        observed = Observation(
            wanted=wanted,
            balancer=dice.choice([BalancerState(weights=confirmed, test=test)] * 5 + [None]),
            health=dice.choice(
                [None, Health(healthy=2, unhealthy=0, expected=2), Health(healthy=0, unhealthy=2, expected=2)]
            ),
            verdict=dice.choice([None, GOOD, GOOD, BAD, NOTHING]),
            abort="stop" if dice.random() < 0.01 else None,
            barred=dice.choice([None, None, "", "freeze: audit"]),
        )
        decision = decide(state, observed, now)
        now += timedelta(seconds=dice.choice([0, 0.2, 1, 5, 70]))
        if isinstance(decision, Enter):
            if decision.rollout.retried > state.retried:
                assert (state.kind, state.phase, observed.abort, observed.barred) == (
                    Kind.RELEASE,
                    Phase.CLEANING,
                    None,
                    "",
                ), "it begins again where somebody or something is against it"
                assert state.reason in RETRIED
                assert actual.of(state.colour) == 0 or confirmed != actual, "it begins again with traffic"
                assert decision.rollout.retried <= settings.retries
            state = decision.rollout
        elif isinstance(decision, Act):
            action = decision.action
            if dice.random() < 0.05:
                state = after_failure(state, "it broke", now) or state
                continue
            if isinstance(action, MoveWeights):
                assert action.weights == wanted.weights, "the load balancer is touched before the ledger"
                assert action.weights.blue + action.weights.green == 100
                actual = action.weights
            if isinstance(action, WriteWanted):
                for colour in Colour:
                    taken_away = wanted.colour(colour) and not action.wanted.colour(colour)
                    shown = observed.balancer.weights if observed.balancer else None
                    assert not taken_away or (shown and shown.of(colour) == 0), "a colour goes that may carry traffic"
                wanted = replace(action.wanted, revision=wanted.revision + 1)
            state = fold(state, action, now)
    assert load_rollout(dump_rollout(state)) == state


@pytest.mark.parametrize("kind", list(Kind))
def test_good_world_brings_every_kind_to_its_end(kind: Kind) -> None:
    wanted = LIVE if kind in {Kind.RELEASE, Kind.ROLLBACK} else replace(LIVE, green=NEW)
    state, weights, test, now = rollout(kind, wanted), wanted.weights, wanted.test, NOW
    asked: Weights | None = None
    for _ in range(200):
        if state.phase.ended:
            break
        observed = Observation(
            wanted=wanted,
            asked=asked,
            balancer=BalancerState(weights=weights, test=test),
            health=Health(healthy=2, unhealthy=0, expected=2),
            verdict=GOOD,
        )
        decision = decide(state, observed, now)
        if isinstance(decision, Enter):
            state = decision.rollout
        elif isinstance(decision, Wait):
            now += timedelta(seconds=decision.seconds)
        else:
            if isinstance(decision.action, WriteWanted):
                wanted = replace(decision.action.wanted, revision=wanted.revision + 1)
            if isinstance(decision.action, MoveWeights):
                weights = asked = decision.action.weights
            state = fold(state, decision.action, now)
    assert state.phase is Phase.COMPLETED
    takes_traffic = kind not in {Kind.RETIRE, Kind.CONTRACT, Kind.REHEARSAL}
    assert wanted.live is (Colour.GREEN if takes_traffic else Colour.BLUE)
    assert weights == (Weights(blue=0, green=100) if takes_traffic else Weights(blue=100, green=0))
    assert wanted.blue is not None
    assert (wanted.green is None) is (kind in {Kind.RETIRE, Kind.CONTRACT})


def test_bake_waits_for_the_next_analysis_when_all_is_well() -> None:
    decision = decide(baking(), seen(TEN, GOOD), NOW + timedelta(seconds=3))
    assert decision == Wait(seconds=2, text="baking at 10 %")


def test_step_follows_when_the_bake_is_over_and_the_verdict_is_good() -> None:
    decision = decide(baking(), seen(TEN, GOOD), NOW + timedelta(seconds=10))
    assert isinstance(decision, Enter)
    assert (decision.rollout.phase, decision.rollout.step) == (Phase.SIZING, 0)
    decision = decide(decision.rollout, seen(TEN, GOOD), NOW + timedelta(seconds=10))
    assert isinstance(decision, Enter)
    assert (decision.rollout.phase, decision.rollout.step) == (Phase.SHIFTING, 1)


def test_bad_verdict_turns_back_before_the_bake_is_over_and_keeps_the_numbers() -> None:
    decision = decide(baking(), seen(TEN, BAD), NOW + timedelta(seconds=4))
    assert isinstance(decision, Enter)
    turned = decision.rollout
    assert (turned.phase, turned.reason, turned.reason_text) == (
        Phase.RETURNING,
        Reason.ERRORS_ABOVE_LIMIT,
        "30 % errors",
    )
    assert turned.numbers == {"error_ratio": 0.3}
    assert turned.timings["detect"] == 4


def test_colour_without_a_healthy_target_turns_back_whatever_the_numbers_say() -> None:
    decision = decide(baking(), seen(TEN, GOOD, healthy=0), NOW + timedelta(seconds=1))
    assert isinstance(decision, Enter)
    assert decision.rollout.reason is Reason.TARGETS_UNHEALTHY


def test_weights_moved_by_somebody_else_are_set_again_before_anything_is_judged() -> None:
    decision = decide(
        baking(), replace(seen(TEN, BAD), balancer=BalancerState(weights=Weights(blue=0, green=100), test=None)), NOW
    )
    assert isinstance(decision, Enter)
    assert (decision.rollout.phase, decision.rollout.step) == (Phase.SHIFTING, 0)


def test_want_of_data_extends_the_bake_a_bounded_number_of_times_and_then_fails() -> None:
    state, now, extensions = baking(), NOW, list[int]()
    for _ in range(10):
        now = state.bake_ends_at
        decision = decide(state, seen(TEN, NOTHING), now)
        assert isinstance(decision, Enter)
        state = decision.rollout
        if state.phase is not Phase.BAKING:
            break
        extensions.append(state.extensions)
    assert extensions == [1, 2]
    assert (state.phase, state.reason) == (Phase.RETURNING, Reason.NO_DATA)
    assert state.reason_text == "3 requests after 2 extensions"


@pytest.mark.parametrize(("policy", "phase"), [("fail", Phase.RETURNING), ("pass", Phase.SIZING)])
def test_want_of_data_is_decided_by_the_policy(policy: str, phase: Phase) -> None:
    settings = RolloutSettings.model_validate(SETTINGS.model_dump() | {"on_no_data": policy})
    decision = decide(baking(settings=settings), seen(TEN, NOTHING), NOW + timedelta(seconds=10))
    assert isinstance(decision, Enter)
    assert decision.rollout.phase is phase


def test_returning_writes_the_ledger_then_the_load_balancer_then_waits_for_its_word() -> None:
    turned = after_failure(baking(), "it broke", NOW)
    assert turned
    first = decide(turned, seen(TEN), NOW)
    assert isinstance(first, Act)
    assert isinstance(first.action, WriteWanted)
    assert first.action.wanted.weights == Weights(blue=100, green=0)
    written = replace(seen(TEN), wanted=first.action.wanted)
    assert decide(turned, written, NOW) == Act(action=MoveWeights(weights=Weights(blue=100, green=0)))
    confirmed = replace(written, balancer=BalancerState(weights=Weights(blue=100, green=0), test=Colour.GREEN))
    back = decide(turned, confirmed, NOW + timedelta(seconds=1.5))
    assert isinstance(back, Enter)
    assert (back.rollout.phase, back.rollout.timings["weights_back"]) == (Phase.CLEANING, 1.5)


def test_cleaning_keeps_a_warm_colour_that_the_rollout_never_touched() -> None:
    """A migration failed: the old release that is still warm in the idle colour must not go."""
    warm = replace(LIVE, green=OLD)
    turned = after_failure(rollout(wanted=warm), "no lock", NOW)
    assert turned
    assert turned.reason is Reason.MIGRATION_FAILED
    cleaning = replace(turned, phase=Phase.CLEANING)
    ended = decide(
        cleaning, Observation(wanted=warm, balancer=BalancerState(weights=warm.weights, test=Colour.GREEN)), NOW
    )
    assert isinstance(ended, Enter)
    assert ended.rollout.phase is Phase.ROLLED_BACK


@pytest.mark.parametrize("phase", [phase for phase, rule in RULES.items() if rule.failure is None])
def test_phases_past_the_point_of_no_return_do_not_turn_back_when_something_fails(phase: Phase) -> None:
    assert after_failure(replace(baking(), phase=phase), "it broke", NOW) is None


def test_abort_turns_back_while_baking_and_not_while_settling() -> None:
    aborted = decide(baking(), seen(TEN, GOOD, abort="aborted by ada"), NOW)
    assert isinstance(aborted, Enter)
    assert aborted.rollout.reason is Reason.ABORTED
    settling = replace(baking(2), phase=Phase.SETTLING)
    late = decide(settling, seen(Weights(blue=0, green=100), abort="aborted by ada"), NOW)
    assert isinstance(late, Act)


def test_shift_that_is_never_confirmed_turns_back() -> None:
    shifting = replace(rollout(), phase=Phase.SHIFTING)
    stuck = replace(seen(TEN), balancer=BalancerState(weights=None, test=None))
    decision = decide(shifting, stuck, NOW + timedelta(seconds=61))
    assert isinstance(decision, Enter)
    assert decision.rollout.reason is Reason.WEIGHTS_NOT_CONFIRMED


def test_idle_colour_is_brought_up_at_its_present_weight() -> None:
    deploying = replace(rollout(), phase=Phase.DEPLOYING)
    state = BalancerState(weights=LIVE.weights, test=Colour.GREEN)
    decision = decide(deploying, Observation(wanted=LIVE, balancer=state), NOW)
    assert isinstance(decision, Act)
    assert isinstance(decision.action, WriteWanted)
    assert decision.action.wanted == replace(LIVE, green=NEW)
    then = decide(deploying, Observation(wanted=decision.action.wanted, balancer=state), NOW)
    assert isinstance(then, Act)
    assert isinstance(then.action, Converge)


def test_refuses_to_decide_about_an_ended_rollout() -> None:
    with pytest.raises(ValueError, match="has ended"):
        decide(replace(rollout(), phase=Phase.COMPLETED), Observation(wanted=LIVE), NOW)


@pytest.mark.parametrize(
    ("healthy", "expected", "unhealthy", "all_healthy"),
    [(1, 1, 0, True), (1, 0, 0, True), (0, 0, 0, False), (1, 2, 0, False), (2, 2, 1, False), (3, 2, 0, True)],
)
def test_targets_are_all_healthy_where_each_pod_is_one_and_there_is_one(
    healthy: int, expected: int, unhealthy: int, all_healthy: bool
) -> None:
    assert Health(healthy=healthy, expected=expected, unhealthy=unhealthy).all_healthy is all_healthy
