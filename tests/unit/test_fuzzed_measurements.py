"""Whatever sources of measurements answer: a verdict, never an error, and no pass where a source gave no answer.

The answers are given where a library has read them from the network, or, for JSON, as the bytes of the answer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from typing import Any

import httpx
import pytest

from slipway import delivery
from slipway.delivery.adapters.analysis import web
from slipway.delivery.adapters.analysis.asking import Asking
from slipway.delivery.adapters.analysis.cloudwatch import CloudWatch
from slipway.delivery.adapters.analysis.http_json import HttpJson
from slipway.delivery.adapters.analysis.prometheus import Prometheus
from slipway.delivery.adapters.cloudwatch import CloudWatchMetrics
from slipway.delivery.analysis.judge import judge
from slipway.delivery.analysis.measuring import measure, with_measurement
from slipway.delivery.model.analysis import VerdictKind
from slipway.delivery.model.rollout import Phase, Rollout, dump_rollout, load_rollout
from slipway.delivery.model.target import LoadBalancerRef
from slipway.delivery.testing.rehearsal import Rehearsal
from tests.fuzzing import mutated_bytes, mutated_value, try_all
from tests.unit.delivery.interrupting import left_in

ENTRIES = (
    {"name": "age", "type": "prometheus", "url": "https://p.example", "value": "max(age)", "maximum": 60},
    {"name": "failed", "type": "prometheus", "url": "https://p.example", "bad": "b", "total": "t", "maximum": 0.5},
    {"name": "lag", "type": "http", "url": "https://h.example", "value": "a.lag", "maximum": 60},
    {"name": "lost", "type": "http", "url": "https://h.example", "bad": "a.bad", "total": "a.all", "maximum": 0.5},
    {
        "name": "depth",
        "type": "cloudwatch",
        "metrics": {
            "m": {"namespace": "AWS/SQS", "metricName": "Depth", "statistic": "Maximum", "dimensions": {"Q": "q"}}
        },
        "value": "m",
        "maximum": 60,
    },
)
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
BALANCER = LoadBalancerRef.model_validate(
    {
        "arn": f"{ARN}:loadbalancer/app/orders/1",
        **dict.fromkeys(("dnsName", "url", "listenerArn"), ""),
        "targetGroups": {colour: f"{ARN}:targetgroup/orders-{colour}/1" for colour in ("blue", "green")},
    }
)
GOOD: dict[str, Any] = {
    "prometheus": {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "40"]}]},
    },
    "http": {"a": {"lag": 12.5, "bad": 3, "all": 900}},
    "values": [50.0, 7.0, 41.0],
}


@dataclass
class Answers:
    """What every source says, and clients that say it."""

    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    values: Any = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self.bodies["prometheus" if "p.example" in str(request.url) else "http"])

    def get_paginator(self, _name: str) -> Answers:
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        times = [asked["StartTime"] + timedelta(seconds=number) for number in range(len(self.values))]
        for query in asked["MetricDataQueries"]:
            yield {"MetricDataResults": [{"Id": query["Id"], "Timestamps": times, "Values": self.values}]}


@cache
def baking() -> tuple[Rehearsal, Rollout]:
    """A rollout that bakes, with an entry for each kind of source."""
    company = Rehearsal()
    company.environment("dev", analysis=[*ENTRIES])
    company.check_out("1.0.0")
    delivery.release(company.context("dev"))
    company.check_out("2.0.0")
    left_in(company, Phase.BAKING)
    rollout = company.ledger.rollout(company.environment("dev").place)
    assert rollout
    return company, rollout


def test_answers_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    company, rollout = baking()
    answers = Answers()
    client: Any = answers
    monkeypatch.setattr(web, "http_client", partial(httpx.Client, transport=httpx.MockTransport(answers)))
    secret: Any = None
    providers = {
        "prometheus": Prometheus(secret),
        "http": HttpJson(secret),
        "cloudwatch": CloudWatch(BALANCER, "us-east-1", lambda _seconds: client),
    }
    sources = [CloudWatchMetrics(BALANCER, "us-east-1", client)]
    now = company.clock.now() + timedelta(minutes=5)

    def make(dice: random.Random) -> tuple[str, Any]:
        kind = dice.choice([*GOOD])
        if kind == "values":
            changed = mutated_value(dice, GOOD[kind])
            numbers = changed if isinstance(changed, list) else [changed]
            return kind, [float(each) for each in numbers if isinstance(each, int | float)]
        if dice.random() < 0.3:
            return kind, mutated_bytes(dice, json.dumps(GOOD[kind]).encode())
        return kind, json.dumps(mutated_value(dice, GOOD[kind])).encode()

    def use(changed: tuple[str, Any]) -> None:
        answers.bodies = {kind: json.dumps(GOOD[kind]).encode() for kind in ("prometheus", "http")}
        answers.values = GOOD["values"]
        kind, value = changed
        if kind == "values":
            answers.values = value
        else:
            answers.bodies[kind] = value
        found = measure(rollout, sources, now, Asking(providers))
        assert found
        measured = with_measurement(rollout, found)
        assert load_rollout(dump_rollout(measured)) == measured
        verdict = judge(measured.measurements, measured.settings, measured.steps)
        unanswered = [each for each in (*found.comparisons, *found.readings) if each.fault]
        assert not unanswered or verdict.kind is not VerdictKind.PASS, (verdict, unanswered)

    use(("values", GOOD["values"]))
    try_all("measurements", [], make, 600, use)
