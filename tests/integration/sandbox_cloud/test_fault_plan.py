"""Bad weather as boto3 sees it: retries, answers that are lost, reads that are behind, sessions that expire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from slipway.errors import UsageError
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.switching import set_switch, show_switch
from tests.aws import aws_client
from tests.identities import Identities, allow
from tests.waiting import wait_until

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=300)
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 10}, read_timeout=300)


class Faults:
    """Switches plans of the daemon."""

    def __init__(self, daemon: Any) -> None:
        self._daemon = daemon

    def on(self, *faults: dict[str, Any], **settings: Any) -> dict[str, Any]:
        return self.post({"name": "test", "plan": {**settings, "faults": list(faults)}})

    def off(self) -> dict[str, Any]:
        return self.post({"name": "off", "plan": None})

    def post(self, document: object) -> dict[str, Any]:
        return set_switch(SandboxPaths(self._daemon.home), "faults", document, self._daemon.url)

    def met(self) -> list[int]:
        return [each["met"] for each in show_switch("faults", self._daemon.url)["calls"]]

    def client(self, service: str, config: Config = ONCE) -> Any:
        return aws_client(service, self._daemon.home, self._daemon.url, config=config)


@pytest.fixture
def faults(daemon: Any) -> Iterator[Faults]:
    made = Faults(daemon)
    yield made
    made.off()


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("elbv2", "describe_load_balancers", (400, "Throttling")),
        ("ec2", "describe_vpcs", (503, "RequestLimitExceeded")),
        ("dynamodb", "list_tables", (400, "ThrottlingException")),
        ("eks", "list_clusters", (429, "ThrottlingException")),
        ("route53", "list_hosted_zones", (400, "Throttling")),
        ("s3", "list_buckets", (503, "SlowDown")),
        ("sqs", "list_queues", (403, "RequestThrottled")),
        ("cloudwatch", "describe_alarms", (400, "Throttling")),
    ],
)
def test_throttled_call_has_awss_error_and_sdk_repeats_it(
    faults: Faults, service: str, call: str, expected: tuple[int, str]
) -> None:
    faults.on({"kind": "throttling", "service": service, "times": 3})
    with pytest.raises(ClientError) as caught:
        getattr(faults.client(service), call)()
    assert code_of(caught) == expected
    answer = getattr(faults.client(service, PATIENT), call)()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert faults.met() == [3]


def test_calls_of_other_operations_go_on(faults: Faults) -> None:
    faults.on({"kind": "throttling", "service": "elbv2", "operations": ["Create*"]})
    assert "LoadBalancers" in faults.client("elbv2").describe_load_balancers()  # those that other tests made
    assert faults.client("ec2").describe_vpcs()["Vpcs"]
    assert faults.met() == [0]


def test_call_whose_answer_is_lost_took_effect(faults: Faults, name: str) -> None:
    faults.on({"kind": "lost-answers", "service": "ecr", "operations": ["CreateRepository"], "times": 1})
    with pytest.raises(ConnectionClosedError):
        faults.client("ecr").create_repository(repositoryName=name)
    assert faults.client("ecr").describe_repositories(repositoryNames=[name])["repositories"]


def test_sdk_that_repeats_a_create_meets_what_the_first_one_made(faults: Faults, name: str) -> None:
    faults.on({"kind": "lost-answers", "service": "ecr", "operations": ["CreateRepository"], "times": 1})
    with pytest.raises(ClientError, match="RepositoryAlreadyExistsException"):
        faults.client("ecr", PATIENT).create_repository(repositoryName=name)


def test_weights_are_read_as_they_were_until_the_change_has_spread(faults: Faults, name: str) -> None:
    elbv2, ec2 = faults.client("elbv2"), faults.client("ec2")
    subnets = ec2.describe_subnets()["Subnets"][:2]
    groups = [
        elbv2.create_target_group(
            Name=f"{name}-{each}", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"], TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for each in ("a", "b")
    ]
    arn = elbv2.create_load_balancer(Name=name, Subnets=[each["SubnetId"] for each in subnets])["LoadBalancers"][0]

    def shares(first: int) -> list[dict[str, Any]]:
        weights = [
            {"TargetGroupArn": group, "Weight": weight}
            for group, weight in zip(groups, (first, 100 - first), strict=True)
        ]
        return [{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}]

    listener = elbv2.create_listener(
        LoadBalancerArn=arn["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=shares(100)
    )["Listeners"][0]["ListenerArn"]

    def read() -> int:
        (found,) = elbv2.describe_listeners(ListenerArns=[listener])["Listeners"]
        return int(found["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["Weight"])

    slow = {"kind": "slow-writes", "service": "elbv2", "operations": ["ModifyListener"]}
    faults.on({**slow, "seenAfterSeconds": 300})
    answer = elbv2.modify_listener(ListenerArn=listener, DefaultActions=shares(40))
    assert answer["Listeners"][0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["Weight"] == 40
    assert read() == 100
    faults.off()
    assert read() == 40
    faults.on({**slow, "seenAfterSeconds": 1})
    elbv2.modify_listener(ListenerArn=listener, DefaultActions=shares(0))
    wait_until(lambda: read() == 0, "the change to be seen")


def test_consistent_reads_of_a_table_see_the_last_write(faults: Faults, name: str) -> None:
    dynamodb = faults.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    faults.on({"kind": "slow-writes", "service": "dynamodb", "operations": ["PutItem"], "seenAfterSeconds": 300})
    dynamodb.put_item(TableName=name, Item={"id": {"S": "one"}})
    asked = {"TableName": name, "Key": {"id": {"S": "one"}}}
    assert "Item" not in dynamodb.get_item(**asked)
    assert dynamodb.get_item(**asked, ConsistentRead=True)["Item"] == {"id": {"S": "one"}}


def test_sessions_expire_and_new_ones_work(faults: Faults, identities: Identities) -> None:
    role = identities.role(allow(["ec2:DescribeVpcs", "dynamodb:ListTables"]))
    before = identities.session(role=role)
    assert before("ec2").describe_vpcs()["Vpcs"]
    faults.on({"kind": "expired-credentials"})
    for service, call, code in (
        ("ec2", "describe_vpcs", "RequestExpired"),
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("dynamodb", "list_tables", "ExpiredTokenException"),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(before(service), call)()
        assert code_of(caught)[1] == code
    assert identities.session(role=role)("ec2").describe_vpcs()["Vpcs"]
    assert faults.client("sts").get_caller_identity()["Arn"].endswith("user/moto")


def test_status_shows_the_plan_while_it_is_on(faults: Faults, daemon: Any) -> None:
    def rows() -> list[dict[str, Any]]:
        found = httpx.get(f"{daemon.url}/_slipway/status").json()["rows"]
        return [row for row in found if row["kind"] == "fault plan"]

    assert rows() == []
    faults.on({"kind": "throttling", "service": "elbv2", "times": 1}, seconds=100)
    with pytest.raises(ClientError):
        faults.client("elbv2").describe_load_balancers()
    (row,) = rows()
    assert (row["name"], row["state"]) == ("test", "on")
    assert "throttling 1 of 1 calls" in row["detail"]
    assert faults.off() == {}
    assert rows() == []


def test_refuses_a_faulty_plan_and_leaves_the_one_that_is_on(faults: Faults) -> None:
    faults.on({"kind": "throttling", "service": "elbv2"})
    for document in ({"name": "x", "plan": {"faults": []}}, {"name": "x"}, ["x"], {"plan": {}}):
        with pytest.raises(UsageError):
            faults.post(document)
    assert faults.met() == [0]


def test_refuses_who_is_not_the_owner(faults: Faults, daemon: Any) -> None:
    body = json.dumps({"name": "x", "plan": {"faults": [{"kind": "throttling", "service": "*"}]}})
    assert httpx.post(f"{daemon.url}/_slipway/faults", content=body).status_code == 403
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/slipway/aws4_request"}
    assert httpx.post(f"{daemon.url}/_slipway/faults", content=body, headers=headers).status_code == 403
    assert faults.client("ec2").describe_vpcs()["Vpcs"]
