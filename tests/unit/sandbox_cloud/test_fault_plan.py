"""Fault plans: what is refused, and which calls a plan meets. What clients see is in the integration tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.parsers import create_parser
from botocore.retries.standard import ThrottledRetryableChecker
from moto.core.utils import service_name_from_moto_package_name

from slipway.errors import UsageError
from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.fault_plan.earlier_states import Copies, EarlierStates
from slipway.sandbox.aws.fault_plan.plan import PLANS, FaultPlan, find_plan, parse_plan, plan_names
from slipway.sandbox.aws.fault_plan.running import NONE, RunningFaults
from slipway.sandbox.aws.faults import throttled
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.operations import Operation

OWNER = Caller(arn="arn:aws:iam::123456789012:user/moto", secret_key="", is_owner=True)


class Number:
    """A service whose whole state is one number."""

    def __init__(self) -> None:
        self.value = 0

    def copy(self, service: str) -> Copies:
        return {(service, ""): str(self.value).encode()}

    @contextmanager
    def as_of(self, service: str, copies: Copies) -> Generator[None]:
        now, self.value = self.value, int(copies[service, ""])
        yield
        self.value = now


def plan(*faults: dict[str, Any], **settings: Any) -> FaultPlan:
    return parse_plan({**settings, "faults": list(faults)}, where="test")


def throttling(**settings: Any) -> dict[str, Any]:
    return {"kind": "throttling", "service": "elbv2", **settings}


def met_by(wanted: FaultPlan, operation: str = "ModifyListener", calls: int = 200) -> list[bool]:
    faults = RunningFaults(Number(), lambda: None)
    faults.start(wanted, "test")
    call = ApiCall(
        service="elbv2",
        prefix="elasticloadbalancing",
        operation=operation,
        region="us-east-1",
        account="123456789012",
    )
    try:
        asked = Operation("elbv2", operation, True, "xml")
        return [faults.effects_of(asked, call, OWNER).refusal is not None for _ in range(calls)]
    finally:
        faults.stop()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"faults": []}, "faults: Tuple should have at least 1 item"),
        ({}, "faults: Field required"),
        ([], "dictionary"),
        ({"faults": [{"kind": "earthquake"}]}, "earthquake"),
        ({"faults": [throttling(percent=0)]}, "greater than 0"),
        ({"faults": [throttling(percent=101)]}, "less than or equal to 100"),
        ({"faults": [throttling(times=0)]}, "times"),
        ({"faults": [throttling(share=3)]}, "share: Extra inputs"),
        ({"faults": [throttling(service="elb2")]}, "AWS has no service 'elb2'; did you mean elbv2?"),
        ({"faults": [throttling(operations=["ModifyListner"])]}, "did you mean ModifyListener?"),
        ({"faults": [throttling(afterSeconds=600)]}, "the plan ends at 600 s"),
        ({"seconds": 100_000, "faults": [throttling()]}, "seconds"),
        ({"seconds": float("nan"), "faults": [throttling()]}, "finite"),
        ({"faults": [{"kind": "slow-writes", "service": "sqs", "seenAfterSeconds": 1}]}, "one of dynamodb"),
        ({"faults": [{"kind": "slow-writes", "service": "elbv2"}]}, "seenAfterSeconds: Field required"),
        ({"faults": [{"kind": "zone-outage", "zone": "us-east-1"}]}, "zone"),
    ],
)
def test_refuses_a_plan_that_makes_no_sense(document: object, words: str) -> None:
    with pytest.raises(UsageError, match="test: ") as caught:
        parse_plan(document, where="test")
    assert words in str(caught.value)


def test_says_all_that_is_wrong_with_a_plan() -> None:
    with pytest.raises(UsageError) as caught:
        plan(throttling(percent=0), throttling(times=-1))
    assert "faults[0]" in str(caught.value)
    assert "faults[1]" in str(caught.value)


def test_refuses_a_name_that_is_no_plan_and_says_which_there_are() -> None:
    with pytest.raises(UsageError, match="throttling, zone-outage"):
        find_plan("earthquake")


@pytest.mark.parametrize("name", plan_names())
def test_plans_of_the_sandbox_are_accepted_and_come_back_whole(name: str) -> None:
    found = find_plan(name)
    assert parse_plan(found.to_document(), where=name) == found
    assert (PLANS / f"{name}.yaml").read_text().startswith("# ")


def test_plan_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("faults: [{kind: lost-answers, service: '*', percent: 1}]\n")
    assert find_plan(str(file)).faults[0].kind == "lost-answers"


def test_share_of_calls_is_met_and_the_same_ones_each_time() -> None:
    first = met_by(plan(throttling(percent=30)))
    assert 40 <= sum(first) <= 80
    assert met_by(plan(throttling(percent=30))) == first
    assert met_by(plan(throttling(percent=30), seed=2)) != first


def test_no_more_calls_than_the_limit_are_met() -> None:
    assert sum(met_by(plan(throttling(times=3)))) == 3


@pytest.mark.parametrize(
    ("settings", "operation", "is_met"),
    [
        ({}, "ModifyListener", True),
        ({"operations": ["Modify*"]}, "ModifyListener", True),
        ({"operations": ["Describe*"]}, "ModifyListener", False),
        ({"service": "*"}, "ModifyListener", True),
        ({"service": "rds"}, "ModifyListener", False),
        ({"afterSeconds": 100}, "ModifyListener", False),
    ],
)
def test_calls_that_the_fault_does_not_name_are_left_alone(
    settings: dict[str, Any], operation: str, is_met: bool
) -> None:
    assert met_by(plan(throttling(**settings)), operation, 1) == [is_met]


def test_plan_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    timers: list[tuple[float, Any]] = []

    class Timer:
        def __init__(self, seconds: float, work: Any) -> None:
            timers.append((seconds, work))

        def start(self) -> None:
            pass

        cancel = start

    monkeypatch.setattr("slipway.sandbox.aws.fault_plan.running.threading.Timer", Timer)
    changes: list[frozenset[str]] = []
    faults = RunningFaults(Number(), lambda: changes.append(faults.gone_zones()))
    faults.start(plan({"kind": "zone-outage", "zone": "us-east-1a"}, seconds=60), "test")
    late: list[str] = []
    faults.later(5, lambda: late.append("carried out"))
    for _, work in [(seconds, work) for seconds, work in timers if seconds == 0]:
        work()
    assert changes == [frozenset({"us-east-1a"})]
    (end,) = [work for seconds, work in timers if seconds == 60]
    end()
    assert (faults.is_on, faults.report(), faults.rows(), late) == (False, {}, [], ["carried out"])
    assert changes[-1] == frozenset()


def test_end_of_a_plan_leaves_the_next_one_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[Any] = []
    original = RunningFaults._at
    monkeypatch.setattr(RunningFaults, "_at", lambda self, _, work: (ends.append(work), original(self, 999, work)))
    faults = RunningFaults(Number(), lambda: None)
    faults.start(plan(throttling(), seconds=1), "first")
    faults.start(plan(throttling(), seconds=2), "second")
    ends[0]()
    assert faults.report()["name"] == "second"
    faults.stop()


def test_nothing_happens_without_a_plan() -> None:
    faults = RunningFaults(Number(), lambda: None)
    assert faults.effects_of(Operation("elbv2", "ModifyListener", True), None, OWNER) is NONE
    assert not faults.is_on


def test_reads_see_writes_one_after_the_other_when_their_time_comes() -> None:
    now, service = [0.0], Number()
    states = EarlierStates(service, lambda: now[0])

    def read() -> int:
        with states.seen("elbv2"):
            return service.value

    for moment, value in ((0.0, 1), (2.0, 2)):
        now[0] = moment
        with states.keeping("elbv2", 5):
            service.value = value
    seen = {}
    for moment in (2.0, 4.9, 5.0, 6.9, 7.0):
        now[0] = moment
        seen[moment] = read()
    assert seen == {2.0: 0, 4.9: 0, 5.0: 1, 6.9: 1, 7.0: 2}
    assert service.value == 2
    with states.keeping("elbv2", 5):
        service.value = 3
    states.forget()
    assert read() == 3


def parsed(operation: Operation, protocol: str) -> dict[str, Any]:
    status, headers, body = throttled(operation)
    answer = {"status_code": status, "headers": {name.lower(): value for name, value in headers}, "body": body}
    return create_parser(protocol).parse(answer, None)


SERVICES = ["acm", "cloudwatch", "dynamodb", "ec2", "ecr", "eks", "elbv2", "iam", "kms", "logs", "rds", "route53",
            "s3", "secretsmanager", "sns", "sqs", "sts"]  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_sdk_reads_throttling_in_the_services_own_protocol(service: str) -> None:
    loaded: Any = Loader()
    metadata = loaded.load_service_model(service_name_from_moto_package_name(service), "service-2")["metadata"]
    protocol = metadata.get("protocols", [metadata["protocol"]])[0]
    kinds = {"query": "xml", "ec2": "xml", "smithy-rpc-v2-cbor": "cbor"}
    name = "GET /things" if protocol.startswith("rest") else "DescribeThings"
    read = parsed(Operation(service, name, False, kinds.get(protocol, "json")), protocol)
    assert read["Error"]["Code"] in ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    assert read["Error"]["Message"]
