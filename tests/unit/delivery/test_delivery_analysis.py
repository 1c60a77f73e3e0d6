"""`rollout.analysis`: values and counts of any source, judged with the rest; what does not answer is no data, and no failure is hidden."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from slipway import delivery
from slipway.contract.analysis import MAXIMUM_ENTRIES
from slipway.delivery.analysis.judge import judge, replay
from slipway.delivery.model.analysis import Answer, Comparison, Measurement, Reading, Sample, VerdictKind
from slipway.delivery.model.cadence import AWS
from slipway.delivery.model.pace import Pace
from slipway.delivery.model.rollout import Reason, Rollout, dump_rollout, load_rollout
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.strategies import plan_steps
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour, SimulatedEnvironment

PASS, FAIL, NO_DATA, UNDECIDED = VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.NO_DATA, VerdictKind.UNDECIDED
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
VALUE = {"name": "queue-age", "type": "prometheus", "url": "https://p.example", "value": "max(age)", "maximum": 60}
COUNTS = {
    "name": "payments",
    "type": "prometheus",
    "url": "https://p.example",
    "bad": "sum(b)",
    "total": "sum(t)",
    "maximum": 0.01,
}


def company(*entries: dict[str, Any], **rollout: Any) -> tuple[Rehearsal, SimulatedEnvironment]:
    rehearsal = Rehearsal()
    dev = rehearsal.environment("dev", analysis=[*entries], **rollout)
    rehearsal.check_out("1.0.0")
    delivery.release(rehearsal.context("dev"))
    return rehearsal, dev


def release(rehearsal: Rehearsal, dev: SimulatedEnvironment, live: Answer | None = None, **answers: Answer) -> Rollout:
    """2.0.0 with these answers to the entries, by their names with `_` for `-`."""
    named = {name.replace("_", "-"): answer for name, answer in answers.items()}
    dev.behaviour["2.0.0"] = Behaviour(analysis=named)
    if live:
        dev.behaviour["1.0.0"] = Behaviour(analysis=dict.fromkeys(named, live))
    rehearsal.check_out("2.0.0")
    try:
        ended = delivery.release(rehearsal.context("dev")).rollout
    except delivery.ReleaseRolledBackError as error:
        ended = error.rollout
    assert ended
    return ended


@pytest.mark.parametrize(
    ("settings", "answer", "live", "reason"),
    [
        ({}, Answer(value=60), None, Reason.NONE),
        ({}, Answer(value=60.5), None, Reason.ANALYSIS_FAILED),
        ({}, Answer(value=61), Answer(value=500), Reason.ANALYSIS_FAILED),
        ({"compareWithLive": True}, Answer(value=61), Answer(value=61), Reason.NONE),
        ({"compareWithLive": True}, Answer(value=121), Answer(value=61), Reason.NONE),
        ({"compareWithLive": True}, Answer(value=123), Answer(value=61), Reason.ANALYSIS_FAILED),
        ({"compareWithLive": True}, Answer(value=61), Answer(value=60), Reason.ANALYSIS_FAILED),
        ({"compareWithLive": True}, Answer(value=61), Answer(), Reason.ANALYSIS_FAILED),
        ({"compareWithLive": True}, Answer(value=1), Answer(fault="timed out"), Reason.NONE),
        ({"compareWithLive": True}, Answer(value=61), Answer(fault="timed out"), Reason.NO_DATA),
        (
            {"compareWithLive": True},
            Answer(value=61),
            Answer(fault="ended with 75", silent=True),
            Reason.ANALYSIS_FAILED,
        ),
        ({"maximum": None, "minimum": 10}, Answer(value=9), None, Reason.ANALYSIS_FAILED),
        ({"maximum": None, "minimum": 10, "compareWithLive": True}, Answer(value=4), Answer(value=8), Reason.NONE),
        ({"minimum": 10}, Answer(value=9), None, Reason.ANALYSIS_FAILED),
        ({"dryRun": True}, Answer(value=600), None, Reason.NONE),
        ({"dryRun": True}, Answer(fault="timed out"), None, Reason.NONE),
        ({}, Answer(), None, Reason.NO_DATA),
        ({}, Answer(fault="timed out"), None, Reason.NO_DATA),
        ({"onNoData": "fail"}, Answer(fault="timed out"), None, Reason.NO_DATA),
        ({"onNoData": "pass"}, Answer(fault="timed out"), None, Reason.NONE),
    ],
)
def test_release_is_judged_by_a_value_its_limit_and_the_live_colour(
    settings: dict[str, Any], answer: Answer, live: Answer | None, reason: Reason
) -> None:
    ended = release(*company(VALUE | settings), live, queue_age=answer)
    assert ended.reason is reason
    if reason is Reason.NO_DATA and (answer.fault or live):
        assert "queue-age: no answer: timed out" in ended.reason_text


@pytest.mark.parametrize(
    ("settings", "answer", "reason"),
    [
        ({}, Answer(bad=10, total=1000), Reason.NONE),
        ({}, Answer(bad=100, total=1000), Reason.ANALYSIS_FAILED),
        ({"compareWithLive": True}, Answer(bad=100, total=1000), Reason.NONE),
        ({"dryRun": True}, Answer(bad=100, total=1000), Reason.NONE),
        ({}, Answer(bad=0, total=9), Reason.NO_DATA),
        ({"minimumTotal": 9}, Answer(bad=0, total=9), Reason.NONE),
        ({}, Answer(bad=11, total=10), Reason.NO_DATA),
        ({}, Answer(bad=0, total=2**53), Reason.NO_DATA),
        ({}, Answer(bad=0, total=round(1.2e308)), Reason.NO_DATA),
        ({}, Answer(fault="timed out"), Reason.NO_DATA),
    ],
)
def test_release_is_judged_by_a_pair_of_counts(settings: dict[str, Any], answer: Answer, reason: Reason) -> None:
    ended = release(*company(COUNTS | settings), Answer(bad=100, total=1000), payments=answer)
    assert ended.reason is reason
    if reason is Reason.ANALYSIS_FAILED:
        assert ended.reason_text == "payments: 10.00% of 1000 of the candidate are bad, 1.00% allowed"


def test_requests_of_our_own_do_not_stand_in_for_counts() -> None:
    settings = RolloutSettings.model_validate({"analysis": [COUNTS], "onNoData": "hold"})
    users = Comparison(source="cloudwatch", candidate=Sample(requests=1000, slow=0))
    probe = Comparison(source="probe", candidate=Sample(requests=100, slow=0), synthetic=True)
    few = Comparison(source="payments", candidate=Sample(requests=3), analysis=True)
    verdict = judge([look(users, probe, few)], settings, plan_steps(settings))
    assert (verdict.kind, verdict.text) == (NO_DATA, "payments: 3 counted of the candidate, 20 needed")


def look(*comparisons: Comparison, readings: tuple[Reading, ...] = ()) -> Measurement:
    return Measurement(
        at=NOW,
        since=NOW - timedelta(seconds=60),
        step=0,
        seconds=60,
        stretch=0,
        comparisons=comparisons,
        readings=readings,
    )


GOOD = Comparison(source="cloudwatch", candidate=Sample(requests=1000, slow=0))
BAD = Comparison(source="cloudwatch", candidate=Sample(requests=1000, errors=500, slow=0))


@pytest.mark.parametrize(
    ("comparison", "readings", "kind", "texts"),
    [
        (GOOD, (Reading(name="queue-age", candidate=5), Reading(name="lag", candidate=5)), PASS, ["queue-age: 5", "lag: 5"]),
        (GOOD, (Reading(name="queue-age", candidate=70, beyond=1), Reading(name="lag", fault="x")), FAIL, ["queue-age: 70"]),
        (BAD, (Reading(name="queue-age", candidate=70, beyond=1), Reading(name="lag", fault="x")), FAIL, ["50.00%", "queue-age: 70"]),
        (BAD, (Reading(name="queue-age", fault="x"), Reading(name="lag", candidate=0)), FAIL, ["50.00%"]),
        (GOOD, (Reading(name="queue-age", candidate=5),), NO_DATA, ["lag: no answer: it was not asked"]),
        (GOOD, (), NO_DATA, ["queue-age: no answer: it was not asked; lag"]),
        (GOOD, (Reading(name="queue-age", candidate=70, beyond=1), Reading(name="lag", candidate=3, beyond=1)), FAIL, ["queue-age: 70"]),
        (GOOD, (Reading(name="queue-age", candidate=5), Reading(name="lag", candidate=30, beyond=1)), UNDECIDED, ["1 of 2 looks in a row"]),
    ],
)  # fmt: skip
def test_verdicts_of_all_are_joined_and_no_failure_is_hidden(
    comparison: Comparison, readings: tuple[Reading, ...], kind: VerdictKind, texts: list[str]
) -> None:
    lag = VALUE | {"name": "lag", "maximum": 10, "inARow": 2}
    settings = RolloutSettings.model_validate({"analysis": [VALUE, lag]})
    verdict = judge([look(comparison, readings=readings)], settings, plan_steps(settings))
    assert verdict.kind is kind
    for text in texts:
        assert text in verdict.text


def test_a_value_beyond_its_limit_must_be_seen_in_a_row_and_a_look_without_an_answer_is_left_out() -> None:
    rehearsal, dev = company(VALUE | {"inARow": 3, "onNoData": "pass"}, bakeSeconds=60)
    answers = iter([61.0, None, 61.0, 1.0, 61.0, 61.0, None, 61.0])

    class Unsteady(dict[str, Answer]):
        def get(self, _name: str, _default: Any = None) -> Answer:
            value = next(answers, 1.0)
            return Answer(fault="timed out") if value is None else Answer(value=value)

    dev.behaviour["2.0.0"] = Behaviour(analysis=Unsteady())
    rehearsal.check_out("2.0.0")
    with pytest.raises(delivery.ReleaseRolledBackError) as caught:
        delivery.release(rehearsal.context("dev"))
    ended = caught.value.rollout
    readings = [measurement.readings[0].beyond for measurement in ended.measurements]
    assert readings == [1, 1, 2, 0, 1, 2, 2, 3]
    assert ended.reason_text == "queue-age: 61, at most 60 allowed"


def test_looks_at_the_same_time_are_one_look_for_in_a_row() -> None:
    """A store that counts by the minute is asked each ten seconds: one noisy minute was six looks in a row."""
    rehearsal, dev = company(VALUE | {"inARow": 2}, bakeSeconds=240, analysisIntervalSeconds=10)
    rehearsal.cadence = AWS
    asked: list[datetime] = []

    class Noisy(dict[str, Answer]):
        def get(self, _name: str, _default: Any = None) -> Answer:
            asked.append(rehearsal.clock.now())
            noisy = asked[-1].minute == asked[0].minute + 1
            return Answer(value=61.0 if noisy else 1.0)

    dev.behaviour["2.0.0"] = Behaviour(analysis=Noisy())
    rehearsal.check_out("2.0.0")
    assert delivery.release(rehearsal.context("dev")).status == "completed"
    assert len(asked) > 12


def test_measurements_survive_the_ledger_and_replay_gives_the_same_verdicts() -> None:
    ended = release(
        *company(VALUE | {"compareWithLive": True}, COUNTS, bakeSeconds=30),
        Answer(value=50),
        queue_age=Answer(value=40),
        payments=Answer(bad=1, total=1000),
    )
    kept = load_rollout(dump_rollout(ended))
    assert kept == ended
    assert all(measurement.verdict is verdict.kind for measurement, verdict in replay(kept))
    last = judge(kept.measurements, kept.settings, kept.steps)
    assert (last.numbers["queue-age.candidate.value"], last.numbers["payments.candidate.errors"]) == (40, 1)


def test_as_many_entries_as_allowed_fit_into_an_item_of_the_ledger() -> None:
    entries = [
        VALUE | {"name": f"entry-{number}-with-a-rather-long-name", "onNoData": "pass"}
        for number in range(MAXIMUM_ENTRIES)
    ]
    ended = release(*company(*entries, bakeSeconds=600), **{str(e["name"]): Answer(fault="f" * 900) for e in entries})
    full = replace(ended, measurements=(*ended.measurements, *ended.measurements)[:80])
    assert len(dump_rollout(full)) < 380_000  # DynamoDB takes 400 KB


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"maximum": None}, "no limit: set maximum, minimum or both"),
        ({"minimum": 70}, "minimum 70 is above maximum 60"),
        ({"maximum": float("inf")}, "finite number"),
        ({"name": "probe"}, "one of Slipway's own sources"),
        ({"name": "Queue Age"}, "should match pattern"),
        ({"type": "graphite"}, "prometheus"),
        ({"max": 3}, "Extra inputs are not permitted"),
        ({"minimumTotal": 3}, "minimumTotal is for counts"),
        ({"bad": "b"}, "want value, or bad and total"),
        ({"value": None, "bad": "b"}, "want value, or bad and total"),
        ({"value": None, "bad": "b", "total": "t"}, "a maximum from 0 to below 1"),
        (
            {"value": "max(age{c='{color}'})"},
            "unknown placeholder {color}; there are {colour}, {release}, {since}, {until}, {window}",
        ),
        ({"timeoutSeconds": 31}, "less than or equal to 30"),
        ({"url": "http://p.example", "secretHeader": {"secret": "token"}}, "secretHeader wants an https:// address"),
        ({"url": "https://user:word@p.example"}, "should match pattern"),
    ],
)
def test_refuses_an_entry_that_could_not_judge(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutSettings.model_validate({"analysis": [VALUE | entry]})
    assert says in str(caught.value)


CLOUDWATCH: dict[str, Any] = {
    "name": "dead",
    "type": "cloudwatch",
    "metrics": {"m": {"namespace": "AWS/SQS", "metricName": "Sent", "statistic": "Sum"}},
    "value": "m",
    "maximum": 0,
}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"periodSeconds": 90}, "periodSeconds wants 1, 5, 10, 30 or a multiple of 60"),
        ({"metrics": {"slipway_value": CLOUDWATCH["metrics"]["m"]}}, "Slipway's own"),
        ({"value": "m / {targetgroup}"}, "unknown placeholder {targetgroup}"),
        ({"url": "https://p.example"}, "Extra inputs are not permitted"),
        ({"over": "median"}, "average"),
    ],
)
def test_refuses_an_entry_of_cloudwatch_that_could_not_judge(entry: dict[str, Any], says: str) -> None:
    assert RolloutSettings.model_validate({"analysis": [CLOUDWATCH]}).analysis
    with pytest.raises(ValidationError) as caught:
        RolloutSettings.model_validate({"analysis": [CLOUDWATCH | entry]})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"value": "a.["}, "is no JMESPath expression"),
        ({"body": {"a": 1}}, "a body wants method: POST"),
        ({"url": "http://h.example/x", "secretHeader": {"secret": "s"}}, "secretHeader wants an https:// address"),
        (
            {"url": "http://127.0.0.1.example/x", "secretHeader": {"secret": "s"}},
            "secretHeader wants an https:// address",
        ),
        ({"url": "https://h.example/{version}"}, "unknown placeholder {version}"),
        ({"url": "file:///etc/passwd"}, "should match pattern"),
        ({"headers": {"A": "b\r\nC: d"}}, "should match pattern"),
    ],
)
def test_refuses_an_address_with_json_that_could_not_judge(entry: dict[str, Any], says: str) -> None:
    good = {"name": "age", "type": "http", "url": "https://h.example/x", "value": "a.b", "maximum": 1}
    assert RolloutSettings.model_validate({"analysis": [good]}).analysis
    with pytest.raises(ValidationError) as caught:
        RolloutSettings.model_validate({"analysis": [good | entry]})
    assert says in str(caught.value)


def test_refuses_a_password_over_a_network_in_plain_text_and_an_argument_with_a_nul() -> None:
    address = {"host": "db.example", "database": "orders", "user": "a", "password": {"secret": "s"}, "tls": "disable"}
    sql = {"name": "age", "type": "sql", "query": "select 1", "maximum": 1, **address}
    with pytest.raises(ValidationError, match="the password would cross a network"):
        RolloutSettings.model_validate({"analysis": [sql]})
    for argv, says in (([], "at least 1 item"), (["{colour}"], "the program first"), (["a", "b\0"], "can have a NUL")):
        with pytest.raises(ValidationError, match=says):
            RolloutSettings.model_validate({"analysis": [{"name": "a", "type": "command", "argv": argv}]})


def test_refuses_the_same_name_twice_and_too_many_entries() -> None:
    with pytest.raises(ValidationError, match="the name 'queue-age' is there twice"):
        RolloutSettings.model_validate({"analysis": [VALUE, VALUE]})
    with pytest.raises(ValidationError, match="at most 10 items"):
        RolloutSettings.model_validate({"analysis": [VALUE | {"name": f"a{n}"} for n in range(11)]})


def test_settings_stay_the_same_through_pace_and_json() -> None:
    settings = RolloutSettings.model_validate({"analysis": [VALUE, COUNTS]})
    assert Pace(bake_seconds=3).applied_to(settings).analysis == settings.analysis
    written = json.loads(settings.model_dump_json(by_alias=True))
    assert RolloutSettings.model_validate(written) == settings
