"""moto's state as bytes: what comes back is what was there, and moto's own catalogues are not copied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"  # read by moto when a backend is made

import boto3
import pytest
from moto import mock_aws
from moto.core.base_backend import BackendDict

from slipway.errors import MachineError
from slipway.sandbox.state import MotoState

REGION = "us-east-1"
POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def forget_everything() -> None:
    """As a new process would begin."""
    BackendDict.reset()


def test_state_comes_back_when_the_process_is_new(moto: None, tmp_path: Path) -> None:
    state = MotoState(tmp_path)
    dynamodb = boto3.client("dynamodb", REGION)
    dynamodb.create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="ledger", Item={"pk": {"S": "dev#orders"}, "document": {"S": "{}"}})
    key = boto3.client("kms", REGION).create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    boto3.client("ssm", REGION).put_parameter(Name="/a", Value="b", Type="String")
    boto3.client("sqs", REGION).create_queue(QueueName="events")
    iam = boto3.client("iam", REGION)
    iam.create_role(RoleName="cluster", AssumeRolePolicyDocument="{}")
    iam.attach_role_policy(RoleName="cluster", PolicyArn=POLICY)
    vpc = boto3.client("ec2", REGION).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    state.save_all()
    assert state.faults == {}

    forget_everything()
    fresh = MotoState(tmp_path)
    assert dynamodb.list_tables()["TableNames"] == []
    fresh.restore()
    assert dynamodb.get_item(TableName="ledger", Key={"pk": {"S": "dev#orders"}})["Item"]["document"] == {"S": "{}"}
    assert boto3.client("kms", REGION).describe_key(KeyId=key)["KeyMetadata"]["KeySpec"] == "RSA_2048"
    assert boto3.client("ssm", REGION).get_parameter(Name="/a")["Parameter"]["Value"] == "b"
    assert boto3.client("sqs", REGION).list_queues()["QueueUrls"]
    assert iam.list_attached_role_policies(RoleName="cluster")["AttachedPolicies"][0]["PolicyArn"] == POLICY
    ec2 = boto3.client("ec2", REGION)
    assert vpc in [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]]
    assert len(ec2.describe_images()["Images"]) > 100
    # Not proven: every service that moto has; those of the sandbox's programs only.


def test_backend_that_cannot_be_kept_leaves_no_fault(moto: None, tmp_path: Path) -> None:
    """A queue's first message asks Lambda who listens to it: the sandbox had a fault from then on."""
    boto3.client("lambda", REGION).list_functions()
    state = MotoState(tmp_path)
    state.save("lambda")
    assert state.faults == {}


def test_catalogues_are_kept_by_reference(moto: None, tmp_path: Path) -> None:
    state = MotoState(tmp_path)
    boto3.client("ec2", REGION).create_vpc(CidrBlock="10.0.0.0/16")
    state.save("ec2")
    (path,) = tmp_path.glob("ec2/*.pickle")
    assert path.stat().st_size < 100_000  # 1.2 MB with the machine images


def test_state_is_not_written_again_when_nothing_changed(moto: None, tmp_path: Path) -> None:
    state = MotoState(tmp_path)
    boto3.client("sqs", REGION).create_queue(QueueName="events")
    state.save("sqs")
    (path,) = tmp_path.glob("sqs/*.pickle")
    path.unlink()
    state.save("sqs")
    assert not path.exists()


def test_refuses_a_file_that_is_no_state(moto: None, tmp_path: Path) -> None:
    (tmp_path / "sqs").mkdir()
    (tmp_path / "sqs/123456789012_us-east-1.pickle").write_bytes(b"not a pickle")
    with pytest.raises(MachineError, match="the saved state of sqs cannot be read") as caught:
        MotoState(tmp_path).restore()
    assert "slipway sandbox reset" in caught.value.remedy
