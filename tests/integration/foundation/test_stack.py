"""The stack of `foundation/` on the real engine: what it is made of, what policies say, and what its documents let in.

After a wanted change: `pytest tests/integration/foundation --slipway-update-snapshots`, and review the difference like code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest

from foundation.program import deploy as program
from slipway.testing import Deployment
from tests.policy_evaluation import allows

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
ORGANISATION, DEV, STAGING, PROD = (digit * 12 for digit in "1234")
STRANGER = "9" * 12
LEDGER = f"arn:aws:dynamodb:us-east-1:{ORGANISATION}:table/slipway-ledger"
BUCKET = "arn:aws:s3:::audit-logs"
ANSWERS = {
    aws.dynamodb.Table: {"arn": LEDGER},
    aws.s3.Bucket: {"arn": BUCKET},
    aws.sns.Topic: lambda call: {"arn": f"arn:aws:sns:us-east-1:{ORGANISATION}:{call.name}"},
}


def root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def trail_of(account: str) -> str:
    return f"arn:aws:cloudtrail:us-east-1:{account}:trail/slipway-audit"


def as_role(account: str, role: str, **more: str) -> dict[str, str]:
    return {"aws:PrincipalArn": f"arn:aws:iam::{account}:role/{role}", **more}


@pytest.fixture
def deployed(deploy: Callable[..., Deployment]) -> Deployment:
    packs = [ROOT / "policies"]
    return deploy(program, project=ROOT / "foundation", stack="org", policy_packs=packs, answers=ANSWERS)


def statements(deployed: Deployment, kind: type, name: str, key: str = "policy") -> list[dict[str, Any]]:
    return json.loads(deployed.one(kind, name).inputs[key])["Statement"]


def test_stack_is_what_its_snapshot_has_within_the_policies_and_each_part_in_its_account(
    deployed: Deployment, match_snapshot: Callable[..., None]
) -> None:
    assert (deployed.violations, deployed.diagnostics) == ([], [])
    match_snapshot(deployed, HERE / "org.yaml")
    for role in deployed.find(aws.iam.Role):
        kind, environment = role.name.split("-")[-2:]
        account = {"dev": DEV, "staging": STAGING, "prod": PROD}.get(environment, ORGANISATION)
        assert deployed.provider_of(role).name == f"aws-{account}", kind
    kept = [aws.ecr.Repository, aws.dynamodb.Table, aws.backup.Vault, aws.s3.Bucket, aws.cloudtrail.Trail, aws.kms.Key]
    assert all(each.protect for kind in kept for each in deployed.find(kind))
    deployed.preview().assert_no_changes()


def test_what_is_asked_of_the_documents(deployed: Deployment) -> None:
    images = statements(deployed, aws.ecr.RepositoryPolicy, "images-orders-access")
    builder, other = as_role(DEV, "slipway-deploy-dev"), as_role(STAGING, "slipway-deploy-staging")
    everybody = (DEV, STAGING, PROD, STRANGER)
    pulls = [account for account in everybody if allows(images, "ecr:BatchGetImage", principal=root(account))]
    assert pulls == [DEV, STAGING, PROD]
    assert allows(images, "ecr:PutImage", context=builder, principal=root(DEV))
    assert not allows(images, "ecr:PutImage", context=other, principal=root(STAGING))
    assert not allows(images, "ecr:PutImage", context=as_role(DEV, "slipway-preview-dev"), principal=root(DEV))
    assert not allows(images, "ecr:BatchDeleteImage", context=builder, principal=root(DEV))

    ledger = statements(deployed, aws.dynamodb.ResourcePolicy, "ledger-access")
    key = statements(deployed, aws.kms.Key, "ledger-key")
    for account, role, action, partition, allowed in [
        (DEV, "slipway-deploy-dev", "dynamodb:PutItem", "dev#orders", True),
        (DEV, "slipway-deploy-dev", "dynamodb:PutItem", "prod#orders", False),
        (DEV, "slipway-deploy-dev", "dynamodb:GetItem", "prod#orders", True),
        (DEV, "slipway-preview-dev", "dynamodb:GetItem", "dev#orders", True),
        (DEV, "slipway-preview-dev", "dynamodb:PutItem", "dev#orders", False),
        (DEV, "slipway-deploy-prod", "dynamodb:PutItem", "prod#orders", False),
        (DEV, "OrganizationAccountAccessRole", "dynamodb:PutItem", "dev#orders", True),
        (DEV, "OrganizationAccountAccessRole", "dynamodb:PutItem", "prod#orders", False),
        (STRANGER, "slipway-deploy-dev", "dynamodb:GetItem", "dev#orders", False),
    ]:
        context = as_role(account, role, **{"dynamodb:LeadingKeys": partition})
        assert allows(ledger, action, LEDGER, context, principal=root(account)) == allowed, (role, action, partition)
    through = {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}
    assert allows(key, "kms:Decrypt", context={**builder, **through}, principal=root(DEV))
    assert not allows(key, "kms:Decrypt", context=builder, principal=root(DEV)), "not through DynamoDB"
    assert not allows(key, "kms:Decrypt", context={**as_role(DEV, "me"), **through}, principal=root(DEV))

    logs = statements(deployed, aws.s3.BucketPolicy, "audit-access")
    trail = {"s3:x-amz-acl": "bucket-owner-full-control", "aws:SecureTransport": "true"}
    for account, source, allowed in [(PROD, PROD, True), (PROD, DEV, True), (STRANGER, PROD, False), (PROD, STRANGER, False)]:  # fmt: skip
        context = {**trail, "aws:SourceArn": trail_of(source)}
        target = f"{BUCKET}/AWSLogs/{account}/CloudTrail/x"
        assert allows(logs, "s3:PutObject", target, context, principal="cloudtrail.amazonaws.com") == allowed

    archive = statements(deployed, aws.kms.Key, "audit-key")
    of_trail = {"aws:SourceArn": trail_of(PROD), "kms:EncryptionContext:aws:cloudtrail:arn": trail_of(PROD)}
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):  # a bucket with a Bucket Key wants both when a trail is made
        assert allows(archive, action, context=of_trail, principal="cloudtrail.amazonaws.com")
        assert not allows(
            archive, action, context={"aws:SourceArn": trail_of(PROD)}, principal="cloudtrail.amazonaws.com"
        )


def test_no_image_that_has_a_tag_expires(deployed: Deployment) -> None:
    rules = [rule for each in deployed.find(aws.ecr.LifecyclePolicy) for rule in json.loads(each.inputs["policy"])["rules"]]  # fmt: skip
    assert {rule["selection"]["tagStatus"] for rule in rules} == {"untagged"}
    assert {each.inputs["imageTagMutability"] for each in deployed.find(aws.ecr.Repository)} == {"IMMUTABLE"}


def test_environments_share_an_account_with_one_provider_of_github(deploy: Callable[..., Deployment]) -> None:
    environment = {"accountId": DEV, "stateBucket": "state", "budgetUsdPerMonth": 100}
    config = {"foundation:environments": {"dev": {**environment, "builds": True}, "prod": environment}}
    deployed = deploy(program, project=ROOT / "foundation", stack="org", config=config, answers=ANSWERS)
    assert len(deployed.find(aws.iam.OpenIdConnectProvider)) == 1
    names = {each.inputs["name"] for each in deployed.find(aws.iam.Role) if "name" in each.inputs}
    assert names == {f"slipway-{kind}-{each}" for kind in ("deploy", "preview") for each in ("dev", "prod")}
    assert {each.inputs["limitAmount"] for each in deployed.find(aws.budgets.Budget)} == {"50", "200"}
