"""The judge: absolute limit AND worse than the live colour; certainty before the bake is over; no data is never a pass."""

from __future__ import annotations

import pytest

from slipway.delivery.analysis.judge import judge, lower_bound
from slipway.delivery.model.analysis import Comparison, Sample
from slipway.delivery.model.observation import VerdictKind
from slipway.delivery.model.rollout import Reason
from slipway.delivery.model.target import RolloutSettings

SETTINGS = RolloutSettings(max_error_ratio=0.01, max_p99_seconds=1.0, minimum_requests=20, error_factor=2)


def sample(requests: int = 1000, errors: int = 0, p99: float | None = 0.1) -> Sample:
    return Sample(requests=requests, errors=errors, p99_seconds=p99)


def compared(candidate: Sample, live: Sample | None = None) -> Comparison:
    return Comparison(source="cloudwatch", candidate=candidate, live=live or sample())


@pytest.mark.parametrize(
    ("candidate", "live", "final", "kind"),
    [
        pytest.param(sample(), sample(), True, VerdictKind.PASS, id="clean"),
        pytest.param(sample(errors=10), sample(), True, VerdictKind.PASS, id="exactly at the limit"),
        pytest.param(sample(errors=11), sample(), True, VerdictKind.FAIL, id="above the limit at the end"),
        pytest.param(sample(errors=11), sample(), False, VerdictKind.PASS, id="above the limit, not certain yet"),
        pytest.param(sample(errors=60), sample(), False, VerdictKind.FAIL, id="certain before the end"),
        pytest.param(sample(errors=60), sample(errors=50), True, VerdictKind.PASS, id="no worse than the live colour"),
        pytest.param(sample(errors=60), sample(errors=20), True, VerdictKind.FAIL, id="three times the live colour"),
        pytest.param(
            sample(errors=60),
            sample(requests=5, errors=5),
            True,
            VerdictKind.FAIL,
            id="live colour without data is no peer",
        ),
        pytest.param(
            sample(requests=20, errors=1), sample(), False, VerdictKind.PASS, id="one error in twenty proves nothing"
        ),
        pytest.param(sample(requests=19), sample(), True, VerdictKind.NO_DATA, id="too few requests"),
        pytest.param(
            sample(requests=19, errors=19), sample(), True, VerdictKind.NO_DATA, id="too few requests, all bad"
        ),
        pytest.param(sample(p99=None), sample(), True, VerdictKind.NO_DATA, id="no answer times"),
        pytest.param(sample(p99=1.5), sample(), False, VerdictKind.FAIL, id="slow"),
        pytest.param(sample(p99=1.5), sample(p99=1.2), False, VerdictKind.PASS, id="slow like the live colour"),
        pytest.param(sample(p99=1.5), sample(p99=None), False, VerdictKind.FAIL, id="slow, live colour not measured"),
    ],
)
def test_verdict_follows_from_both_colours(candidate: Sample, live: Sample, final: bool, kind: VerdictKind) -> None:
    assert judge([compared(candidate, live)], SETTINGS, final=final).kind is kind


def test_verdict_says_both_numbers_and_the_limit() -> None:
    verdict = judge([compared(sample(errors=300), sample(requests=9000, errors=9))], SETTINGS, final=False)
    assert verdict.reason is Reason.ERRORS_ABOVE_LIMIT
    assert (
        verdict.text
        == "cloudwatch: 30.00% of 1000 requests to the candidate failed, 1.00% allowed; the live colour has 0.10% of 9000"
    )
    assert verdict.numbers["cloudwatch.candidate.error_ratio"] == 0.3


def test_failure_of_any_source_outweighs_passes_and_missing_data() -> None:
    sources = [compared(sample()), compared(sample(requests=0)), compared(sample(errors=500))]
    assert judge(sources, SETTINGS, final=True).kind is VerdictKind.FAIL


def test_required_source_without_data_is_no_data_however_good_the_others_are() -> None:
    assert judge([compared(sample()), compared(sample(requests=0))], SETTINGS, final=True).kind is VerdictKind.NO_DATA


def test_no_source_at_all_is_no_data() -> None:
    assert judge([], SETTINGS, final=True).kind is VerdictKind.NO_DATA


@pytest.mark.parametrize(
    ("errors", "kind"), [(0, VerdictKind.PASS), (1, VerdictKind.PASS), (3, VerdictKind.FAIL), (5, VerdictKind.FAIL)]
)
def test_requests_of_our_own_fail_a_release_only_when_most_of_them_fail(errors: int, kind: VerdictKind) -> None:
    probe = Comparison(source="probe", candidate=sample(5, errors, None), live=None, synthetic=True, required=False)
    verdict = judge([compared(sample()), probe], SETTINGS, final=True)
    assert verdict.kind is kind
    assert (verdict.reason is Reason.PROBE_FAILED) is (kind is VerdictKind.FAIL)


@pytest.mark.parametrize(("errors", "requests"), [(0, 0), (0, 10), (1, 20), (5, 20), (20, 20), (300, 1000)])
def test_lower_bound_is_below_the_ratio_and_rises_with_evidence(errors: int, requests: int) -> None:
    bound = lower_bound(errors, requests)
    assert 0 <= bound <= (errors / requests if requests else 0)
    assert lower_bound(errors * 10, requests * 10) >= bound
