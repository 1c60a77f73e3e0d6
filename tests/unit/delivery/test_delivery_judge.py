"""The judge: beyond doubt above the limit AND worse than the live colour; no data and doubt are said, never silently passed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.contract.analysis import MAXIMUM_ENTRIES, MOST_LETTERS
from slipway.delivery.analysis.judge import RISK, judge, replay
from slipway.delivery.analysis.measuring import RECENT, measure, with_measurement
from slipway.delivery.analysis.stretches import MAXIMUM_STRETCHES
from slipway.delivery.model.analysis import Answer, Comparison, Measurement, Sample, VerdictKind
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.observation import Verdict
from slipway.delivery.model.rollout import Phase, Reason, Rollout, dump_rollout, load_rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.ports import UNASKED, Analyst
from slipway.delivery.strategies import plan_steps
from slipway.delivery.testing.analyst import SimulatedAnalyst
from slipway.delivery.testing.traffic import NoisyTraffic, analyse_rollout
from slipway.errors import OperationError

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SETTINGS = RolloutSettings(max_error_ratio=0.01, max_p99_seconds=1.0, minimum_requests=20, error_factor=2)
PASS, FAIL, NO_DATA, UNDECIDED = VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.NO_DATA, VerdictKind.UNDECIDED


def sample(requests: int = 1000, errors: int = 0, slow: int | None = 0) -> Sample:
    return Sample(requests=requests, errors=errors, slow=slow)


def compared(candidate: Sample, live: Sample | None = None, source: str = "cloudwatch") -> Comparison:
    return Comparison(source=source, candidate=candidate, live=live or sample(9000))


def look(*comparisons: Comparison, step: int = 0, stretch: int = 0, seconds: float = 60) -> Measurement:
    since = NOW + timedelta(hours=step)
    at = since + timedelta(seconds=seconds)
    return Measurement(at=at, since=since, step=step, seconds=seconds, stretch=stretch, comparisons=comparisons)


def judged(*measurements: Measurement, settings: RolloutSettings = SETTINGS) -> Verdict:
    return judge(measurements, settings, plan_steps(settings))


@pytest.mark.parametrize(
    ("candidate", "live", "kind"),
    [
        pytest.param(sample(), sample(9000), PASS, id="clean"),
        pytest.param(sample(errors=11), sample(9000), PASS, id="above the limit, by chance perhaps"),
        pytest.param(sample(errors=60), sample(9000), FAIL, id="above the limit beyond doubt"),
        pytest.param(sample(errors=60), sample(9000, 450), PASS, id="no worse than the live colour"),
        pytest.param(sample(errors=60), sample(9000, 300), PASS, id="twice the live colour, which is bad itself"),
        pytest.param(sample(errors=200), sample(9000, 300), FAIL, id="six times the live colour"),
        pytest.param(sample(errors=60), sample(9, 9), FAIL, id="a live colour without data is no peer"),
        pytest.param(sample(20, 1), sample(180), PASS, id="one error in twenty proves nothing"),
        pytest.param(sample(23, 4), sample(181), UNDECIDED, id="four in 23 prove nothing yet, and get no more traffic"),
        pytest.param(sample(11, 1), sample(99), NO_DATA, id="one error in eleven proves nothing"),
        pytest.param(sample(19), sample(171), NO_DATA, id="too few requests"),
        pytest.param(sample(8, 8), sample(72), FAIL, id="few requests, all bad"),
        pytest.param(sample(errors=60), sample(30), FAIL, id="a few stragglers at the live colour are no peer"),
        pytest.param(sample(slow=None), sample(9000), NO_DATA, id="no answer times"),
        pytest.param(sample(20, slow=1), sample(180), PASS, id="one slow request in twenty proves nothing"),
        pytest.param(sample(slow=60), sample(9000), FAIL, id="slow"),
        pytest.param(sample(slow=60), sample(9000, slow=500), PASS, id="slow like the live colour"),
    ],
)
def test_verdict_follows_from_the_counts_of_both_colours(candidate: Sample, live: Sample, kind: VerdictKind) -> None:
    assert judged(look(compared(candidate, live))).kind is kind


@pytest.mark.parametrize(("errors", "kind"), [(2, NO_DATA), (3, FAIL)])
def test_two_errors_never_turn_a_release_back_however_low_the_limit(errors: int, kind: VerdictKind) -> None:
    strict = SETTINGS.model_copy(update={"max_error_ratio": 0.0001})
    assert judged(look(compared(sample(10, errors), sample(9000))), settings=strict).kind is kind


def test_verdict_says_both_numbers_and_the_limit() -> None:
    verdict = judged(look(compared(sample(errors=300), sample(9000, 9))))
    assert verdict.reason is Reason.ERRORS_ABOVE_LIMIT
    assert (
        verdict.text
        == "cloudwatch: 30.00% of 1000 requests to the candidate failed, 1.00% allowed; the live colour has 0.10% of 9000"
    )
    assert verdict.numbers["cloudwatch.candidate.errors"] == 300


PROBE = Comparison(source="probe", candidate=sample(30), synthetic=True)
POOR = compared(sample(5), sample(45))
UNREADABLE = replace(compared(sample()), source="prometheus", fault="timed out")


@pytest.mark.parametrize(
    ("comparisons", "settings", "kind", "text"),
    [
        ([compared(sample(errors=500)), UNREADABLE, POOR], {}, FAIL, "50.00% of 1000"),
        ([compared(sample()), replace(UNREADABLE, candidate=sample(errors=500))], {}, FAIL, "prometheus: 50.00%"),
        ([compared(sample()), UNREADABLE], {}, NO_DATA, "prometheus: measurements cannot be read: timed out"),
        ([compared(sample()), UNREADABLE], {"prometheus.latency": "pass"}, NO_DATA, "cannot be read"),
        ([POOR], {}, NO_DATA, "5 requests to the candidate, 20 needed"),
        ([POOR], {"errors": "pass", "latency": "pass"}, PASS, "20 needed, passed by policy"),
        ([POOR], {"errors": "fail", "latency": "pass"}, NO_DATA, "20 needed"),
        ([POOR, PROBE], {}, PASS, "5 requests to the candidate, 20 needed; 30 of our own stand in"),
        ([UNREADABLE, PROBE], {}, NO_DATA, "timed out"),
        ([replace(UNREADABLE, candidate=sample(0)), PROBE], {}, NO_DATA, "timed out"),
        ([compared(sample(slow=None)), PROBE], {}, NO_DATA, "no answer times"),
        ([POOR, replace(PROBE, candidate=sample(30, slow=15))], {}, FAIL, "probe: 50.00% of 30"),
        ([compared(sample()), replace(PROBE, candidate=sample(30, 15))], {}, FAIL, "probe: 50.00%"),
        ([compared(sample()), replace(PROBE, candidate=sample(30, 6))], {}, PASS, "probe: 20.00%"),
        ([compared(sample()), replace(PROBE, candidate=sample(5))], {}, PASS, "cloudwatch: 0.00%"),
        ([compared(sample(slow=500))], {"latency": "dry"}, PASS, "dry run, fail: cloudwatch: 50.00%"),
        ([compared(sample(errors=500))], {"errors": "dry", "latency": "dry"}, NO_DATA, "nothing is judged; dry run"),
        ([], {}, NO_DATA, "nothing is judged"),
    ],
)
def test_sources_and_metrics_are_joined_by_policy_and_nothing_is_hidden(
    comparisons: list[Comparison], settings: dict[str, str], kind: VerdictKind, text: str
) -> None:
    metrics = {
        name: {"dry_run": True} if policy == "dry" else {"on_no_data": policy} for name, policy in settings.items()
    }
    verdict = judged(look(*comparisons), settings=SETTINGS.model_validate(SETTINGS.model_dump() | {"metrics": metrics}))
    assert verdict.kind is kind
    assert text in verdict.text
    assert verdict.on_no_data == (
        ("fail" if "fail" in settings.values() else "hold")
        if kind is NO_DATA and comparisons and "dry" not in settings.values()
        else None
    )


@pytest.mark.parametrize(
    ("candidate", "kind", "text"),
    [
        (sample(500), PASS, "0.00% of 500"),
        (sample(200), UNDECIDED, "not enough to be sure"),
        (sample(1000, 14), UNDECIDED, "not enough to be sure"),
        (sample(30), PASS, "too few requests to tell it from 2 times as many"),
    ],
)
def test_last_step_goes_on_until_a_release_twice_as_bad_would_have_been_seen(
    candidate: Sample, kind: VerdictKind, text: str
) -> None:
    """Unless the traffic is too low for that however long it bakes, which is said."""
    verdict = judged(look(compared(candidate, sample(0)), step=2))
    assert verdict.kind is kind
    assert text in verdict.text


def test_good_hours_do_not_hide_bad_minutes() -> None:
    settings = RolloutSettings(bake_seconds=3600)
    calm = [look(compared(sample(6000 * n), sample(54000 * n)), stretch=n - 1) for n in range(1, 16)]
    broken = look(compared(sample(96000, errors=300), sample(54000 * 16)), stretch=15)
    assert judged(*calm, settings=settings).kind is PASS
    verdict = judged(*calm, broken, settings=settings)
    assert verdict.kind is FAIL
    assert "5.00% of 6000" in verdict.text


def test_live_colour_that_breaks_with_the_candidate_excuses_it_whatever_their_shares_were_before() -> None:
    before = look(compared(sample(100), sample(9900)))
    after = look(compared(sample(9000, 900), sample(1000, 100)), step=1)
    assert judged(before, after).kind is PASS


def rollout_of(settings: RolloutSettings, *, ratio: float, live: float, rate: float, seed: int) -> Rollout:
    traffic = NoisyTraffic(requests_per_second=rate, candidate_ratio=ratio, live_ratio=live, seed=seed)
    return analyse_rollout(settings, traffic)


@dataclass(frozen=True)
class Odds:
    settings: RolloutSettings
    rate: float
    ratio: float
    live: float


STEADY = RolloutSettings(steps=(50, 100), bake_seconds=60, max_error_ratio=0.01, max_extensions=1000)
SHORT = RolloutSettings(steps=(50, 100), bake_seconds=10, max_error_ratio=0.01, max_extensions=1000)


@pytest.mark.parametrize(
    ("odds", "least", "most"),
    [
        pytest.param(Odds(STEADY, 33, 0.005, 0.005), 0.0, RISK, id="identical, half of the limit, 1000 a step"),
        pytest.param(Odds(STEADY, 33, 0.009, 0.009), 0.0, RISK, id="identical, just within the limit"),
        pytest.param(Odds(STEADY, 33, 0.02, 0.005), 1 - RISK, 1.0, id="twice the limit"),
        pytest.param(Odds(SHORT, 10, 0.02, 0.005), 1 - RISK, 1.0, id="twice the limit, 50 requests a step"),
    ],
)
def test_judge_errs_in_one_rollout_of_a_hundred_at_most(odds: Odds, least: float, most: float) -> None:
    """kayenta#426: five looks had rolled back one identical release in three, and let a bad one pass as often."""
    ended = [
        rollout_of(odds.settings, ratio=odds.ratio, live=odds.live, rate=odds.rate, seed=seed) for seed in range(100)
    ]
    share = sum(rollout.phase is Phase.RETURNING for rollout in ended) / len(ended)
    assert least <= share <= most


def test_identical_release_is_not_turned_back_while_a_dependency_breaks_both_and_live_still_shows_it() -> None:
    """At 100 % there is no peer left: then the limit alone decides."""
    ended = [rollout_of(STEADY, ratio=0.05, live=0.05, rate=33, seed=seed) for seed in range(100)]
    assert sum(rollout.step == 0 for rollout in ended) <= 1


def test_kept_measurements_are_bounded_survive_the_ledger_and_give_the_same_verdicts() -> None:
    settings = RolloutSettings(steps=(1, 100), bake_seconds=3600, analysis_interval_seconds=30)
    ended = rollout_of(settings, ratio=0.004, live=0.004, rate=20, seed=1)
    kept = load_rollout(dump_rollout(ended))
    assert len(kept.measurements) <= MAXIMUM_STRETCHES + RECENT
    assert {measurement.step for measurement in kept.measurements} == {0, 1}
    assert len(dump_rollout(ended)) < 60_000
    assert all(measurement.verdict is verdict.kind for measurement, verdict in replay(kept))


@pytest.mark.parametrize("step", [-1, 2, 2**80])
def test_rollout_whose_measurements_are_of_no_step_is_not_read(step: int) -> None:
    ended = rollout_of(SHORT, ratio=0.001, live=0.001, rate=50, seed=1)
    broken = replace(ended, steps=ended.steps[:2], step=0, measurements=(replace(ended.measurements[0], step=step),))
    with pytest.raises(ValueError, match="none of the rollout's 2"):
        load_rollout(dump_rollout(broken))
    with pytest.raises(ValueError, match="none of the rollout's 2"):
        load_rollout(dump_rollout(replace(broken, step=step, measurements=())))


@pytest.mark.parametrize("stretch", [-1, 2**80])
def test_rollout_with_a_stretch_that_cannot_be_is_not_read(stretch: int) -> None:
    ended = rollout_of(SHORT, ratio=0.001, live=0.001, rate=50, seed=1)
    broken = replace(ended, measurements=(replace(ended.measurements[0], stretch=stretch),))
    with pytest.raises(ValueError, match="no bake has a stretch of the number"):
        load_rollout(dump_rollout(broken))


class Bake:
    """A rollout's bakes, as long as asked for, looked at each ten seconds."""

    def __init__(self, settings: RolloutSettings, *, rate: float, seed: int = 1) -> None:
        self.traffic = NoisyTraffic(requests_per_second=rate, candidate_ratio=0.001, live_ratio=0.001, seed=seed)
        ended = rollout_of(settings, ratio=0.001, live=0.001, rate=50, seed=1)
        self.rollout = replace(ended, measurements=(), baking_since=None)
        self.now = NOW
        self.analyst: Analyst = UNASKED

    def fail(self, candidate: float, live: float = 0.001) -> None:
        """From now on requests fail by these ratios."""
        self.traffic.candidate_ratio, self.traffic.live_ratio = candidate, live

    def go_on(self, step: int, seconds: int, *, anew: bool = True) -> list[VerdictKind]:
        """What each look says."""
        if anew:
            self.rollout = replace(self.rollout, step=step, baking_since=self.now)
            self.traffic.begin(self.now)
        found: list[VerdictKind] = []
        for _ in range(0, seconds, 10):
            self.traffic.flow(10, self.rollout.steps[step].percent)
            self.now += timedelta(seconds=10)
            measured = measure(self.rollout, [self.traffic], self.now, self.analyst)
            assert measured
            verdict = judge((*self.rollout.measurements, measured), self.rollout.settings, self.rollout.steps)
            self.rollout = with_measurement(self.rollout, replace(measured, verdict=verdict.kind))
            found.append(verdict.kind)
        return found


@pytest.mark.parametrize("minutes", [1, 60, 240])
@pytest.mark.parametrize(("ratio", "most"), [(0.3, 20), (0.1, 60)])
def test_failure_after_a_long_wait_is_found_as_soon_as_an_early_one(minutes: int, ratio: float, most: int) -> None:
    """30 % of errors after 34 minutes, when half a day was waited: all that came after the planned bake had been one stretch."""
    bake = Bake(STEADY, rate=20)
    assert FAIL not in bake.go_on(0, minutes * 60)
    bake.fail(ratio)
    assert (bake.go_on(0, 300, anew=False).index(FAIL) + 1) * 10 <= most
    assert len(bake.rollout.measurements) <= MAXIMUM_STRETCHES
    assert all(measurement.verdict is verdict.kind for measurement, verdict in [*replay(bake.rollout)][-RECENT:])


@pytest.mark.parametrize("seconds", [20, 60, 300])
def test_outage_of_both_colours_excuses_the_candidate_when_the_live_one_has_no_traffic_any_more(seconds: int) -> None:
    """It turned identical releases back once they had all of the traffic, where nobody was left to be compared with."""
    settings = RolloutSettings(steps=(90, 100), bake_seconds=300)
    turned = 0
    for seed in range(30):
        bake = Bake(settings, rate=50, seed=seed)
        before = bake.go_on(0, 60)
        bake.fail(0.5, 0.5)
        before += bake.go_on(0, seconds, anew=False)
        bake.fail(0.001)
        turned += FAIL in [*before, *bake.go_on(0, 60, anew=False), *bake.go_on(1, 300)]
    assert turned <= 1


def test_release_that_fails_under_all_of_the_traffic_only_does_not_end_as_certain() -> None:
    """7 to 12 of 100 did, at twice the limit: what was in order under half of it had counted."""
    certain = 0
    for seed in range(60):
        bake = Bake(SHORT, rate=40, seed=seed)
        bake.go_on(0, 60)
        bake.fail(0.02)
        verdicts = bake.go_on(1, 600)
        certain += PASS in verdicts and FAIL not in verdicts[: verdicts.index(PASS)]
    assert certain <= 1


def test_errors_that_a_source_takes_back_and_brings_again_do_not_add_up() -> None:
    looks = [
        look(compared(sample(1000 * number, errors=errors), sample(9000 * number)), stretch=number - 1)
        for number, errors in enumerate((60, 0, 60, 0, 60, 0), 1)
    ]
    assert judged(*looks, settings=RolloutSettings(bake_seconds=3600)).kind is PASS


@pytest.mark.parametrize(
    "factors", [{"detect_factor": 100}, {"detect_factor": 1e31}, {"detect_factor": 1.0000001}, {"error_factor": 1e308}]
)
def test_any_factor_gives_a_verdict(factors: dict[str, float]) -> None:
    """From 64 on the judge itself failed; near 1 it found nothing."""
    settings = SETTINGS.model_copy(update=factors)
    looks = [look(compared(sample(1000, errors=400), sample(9000, 9))), look(compared(sample(1000)), step=1)]
    assert judged(looks[0], settings=settings).kind in {FAIL, UNDECIDED}
    assert judged(*looks, look(compared(sample(20)), step=2), settings=settings).kind in set(VerdictKind)


def test_metric_of_one_source_is_as_that_of_all_where_it_says_nothing() -> None:
    settings = RolloutSettings.model_validate(
        {
            "onNoData": "fail",
            "metrics": {
                "latency": {"dryRun": True},
                "cloudwatch.latency": {"onNoData": "pass"},
                "probe.latency": {"dryRun": False},
            },
        }
    )
    found = [settings.metric(source, "latency") for source in ("cloudwatch", "probe", "prometheus")]
    assert [(each.on_no_data, each.dry_run) for each in found] == [("pass", True), ("fail", False), ("fail", True)]


def test_rollout_with_all_that_may_be_measured_fits_into_an_item_of_the_ledger() -> None:
    """Of DynamoDB: 400 KB. The longest entries, of which none can be asked, in the longest rollout."""
    entry = {"type": "prometheus", "url": "https://p.example", "maximum": 0.1}
    letters = (MOST_LETTERS - MAXIMUM_ENTRIES * 140) // MAXIMUM_ENTRIES // 2
    entries = [
        {**entry, "name": f"{'n' * 38}-{number}", "bad": "b" * letters, "total": "t" * letters}
        for number in range(MAXIMUM_ENTRIES)
    ]
    bake = Bake(STEADY.model_copy(update={"bake_seconds": 1800}), rate=20)
    settings = RolloutSettings.model_validate(bake.rollout.settings.model_dump() | {"analysis": entries})
    bake.rollout = replace(bake.rollout, settings=settings)
    bake.analyst = SimulatedAnalyst(lambda _question: Answer(fault="é" * 500))
    for step in (0, 1):
        bake.go_on(step, 4 * 3600)
    assert len(bake.rollout.measurements) > MAXIMUM_STRETCHES
    assert len(dump_rollout(bake.rollout).encode()) < 380_000


class Stub:
    """Implements `ports.Metrics` with prepared answers."""

    def __init__(self, source: str, *answers: Comparison | None) -> None:
        self.source, self.synthetic = source, source == "probe"
        self._answers = iter(answers)

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        found = next(self._answers)
        if found is None:
            raise OperationError("timed out")
        return found


@pytest.mark.parametrize(
    ("seconds", "stretch"), [(9, 0), (10, 0), (11, 1), (20, 1), (29, 2), (30, 2), (31, 3), (600, 59)]
)
def test_measurement_is_of_a_stretch_of_the_bake_however_long_that_lasts(seconds: int, stretch: int) -> None:
    settings = SHORT.model_copy(update={"bake_seconds": 30, "metric_window_seconds": 10})
    baking = replace(rollout_of(settings, ratio=0, live=0, rate=1, seed=1), measurements=(), step=0)
    assert baking.baking_since
    found = measure(baking, [], baking.baking_since + timedelta(seconds=seconds))
    assert found
    assert found.stretch == stretch


@pytest.mark.parametrize("limit", [1.0, 0.01])
def test_limit_that_nothing_exceeds_turns_no_release_back(limit: float) -> None:
    settings = SETTINGS.model_copy(update={"max_error_ratio": limit})
    verdict = judged(look(compared(sample(1000, 1000), sample(9000))), settings=settings)
    assert (verdict.kind is VerdictKind.FAIL) is (limit < 1)


def test_requests_of_our_own_that_could_never_be_made_are_not_missed() -> None:
    """A probe that could read no rule turned a good release back, for want of data."""
    baking = replace(rollout_of(SHORT, ratio=0.001, live=0.001, rate=50, seed=1), measurements=(), step=0)
    assert baking.baking_since
    users = Comparison(source="cloudwatch", candidate=sample(3000, 1), live=sample(3000, 1), counts_synthetic=True)
    found = measure(
        baking, [Stub("cloudwatch", users), Stub("probe", None)], baking.baking_since + timedelta(seconds=5)
    )
    assert found
    assert [(each.source, each.synthetic, each.fault) for each in found.comparisons] == [
        ("cloudwatch", False, ""),
        ("probe", True, "timed out"),
    ]
    assert judge([found], SHORT, baking.steps).kind is VerdictKind.PASS


@pytest.mark.parametrize(
    ("errors", "limit", "words"),
    [(20, 0.0, "0.002% of 1000000 requests to the candidate failed, 0.00% allowed"), (100, 1e-5, "0.001% allowed")],
)
def test_ratios_are_told_with_digits_that_say_something(errors: int, limit: float, words: str) -> None:
    settings = SETTINGS.model_copy(update={"max_error_ratio": limit})
    verdict = judged(look(compared(sample(1_000_000, errors), sample(9_000_000))), settings=settings)
    assert verdict.kind is VerdictKind.FAIL
    assert words in verdict.text


def test_measurement_sums_our_own_requests_leaves_them_out_of_the_users_and_outlives_a_fault() -> None:
    baking = replace(rollout_of(SHORT, ratio=0.001, live=0.001, rate=50, seed=1), measurements=(), step=0)
    assert baking.baking_since
    probe = Comparison(source="probe", candidate=sample(10, 1), synthetic=True)
    users = Comparison(source="cloudwatch", candidate=sample(30, 2), live=sample(90), counts_synthetic=True)
    later = replace(users, candidate=sample(50, 2))
    sources = [Stub("cloudwatch", users, later, None), Stub("probe", probe, probe, None)]
    seen: list[list[tuple[Sample, str]]] = []
    for seconds in (2, 4, 6):
        found = measure(baking, sources, baking.baking_since + timedelta(seconds=seconds))
        assert found
        seen.append([(each.candidate, each.fault) for each in found.comparisons])
        baking = with_measurement(baking, found)
    assert seen[0] == [(sample(30, 2), ""), (sample(10, 1), "")]
    assert seen[1] == [(sample(40, 1), ""), (sample(20, 2), "")]
    assert seen[2] == [(sample(40, 1), "timed out"), (sample(20, 2), "timed out")]
