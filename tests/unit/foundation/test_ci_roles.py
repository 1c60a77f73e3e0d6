"""What CI's roles may do, asked as a workflow would, and what they may not, asked as somebody else would."""

import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from components.foundation.ci_access import CiAccessArgs
from components.foundation.ci_rights import RIGHTS, SIGNING_ALIAS
from components.foundation.ci_roles import (
    CiEnvironment,
    groups_of,
    plan_pods_boundary,
    plan_rights,
    plan_trust,
    role_arn,
)
from components.foundation.policy_document import render
from slipway.doctor.actions import RIGHTS as DOCTORS_RIGHTS
from slipway.doctor.actions import Rights, arn_of
from tests.policy_evaluation import allows

ROOT = Path(__file__).parents[3]
ORGANISATION, ACCOUNT, REGION = "111111111111", "222222222222", "us-east-1"
LEDGER = f"arn:aws:dynamodb:{REGION}:{ORGANISATION}:table/slipway-ledger"
MOST_CHARACTERS = 6144  # of a managed policy, without white space; source: IAM quotas, 2026
MOST_POLICIES = 10  # of a role


def rights(kind: str, environment: str = "dev", *, builds: bool = True) -> list[dict[str, Any]]:
    place = CiEnvironment(name=environment, state_bucket=f"state-{environment}", builds=builds)
    return [
        statement
        for group in groups_of(kind, place)
        for statement in plan_rights(
            group, place, account_id=ACCOUNT, region=REGION, organisation_account_id=ORGANISATION
        )
    ]


def arn(service: str, resource: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def partition(key: str) -> dict[str, str]:
    return {"dynamodb:LeadingKeys": key}


DEV, PROD = {"aws:ResourceTag/environment": "dev"}, {"aws:ResourceTag/environment": "prod"}
STATE = "arn:aws:s3:::state-dev/.pulumi"
ROLE = "arn:aws:iam::222222222222:role/orders-dev-nodes-1a2b3c4"
PODS = "arn:aws:iam::222222222222:role/orders-dev-pods-1a2b3c4"
BOUNDARY = {"iam:PermissionsBoundary": "arn:aws:iam::222222222222:policy/slipway-pods"}
ADMINISTRATOR = {"iam:PolicyARN": "arn:aws:iam::aws:policy/AdministratorAccess"}
CLUSTER_GROUP = {"aws:ResourceTag/aws:eks:cluster-name": "orders-dev"}
CLUSTER_GROUP_OF_PROD = {"aws:ResourceTag/aws:eks:cluster-name": "orders-prod"}
SECRET = arn("secretsmanager", "secret:rds!db-1-abc")
SECRET_OF = {"aws:ResourceTag/aws:rds:primaryDBInstanceArn": arn("rds", "db:orders-dev-postgresql")}
SECRET_OF_PROD = {"aws:ResourceTag/aws:rds:primaryDBInstanceArn": arn("rds", "db:orders-prod-postgresql")}
TAGGED_AS_DEV = {"aws:RequestTag/environment": "dev"}
LISTENER = "listener/app/orders-dev-1a2b3c4/1/2"
RULE = "listener-rule/app/orders-dev-1a2b3c4/1/2/3"


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("s3:GetObject", f"{STATE}/stacks/slipway/dev.json", {}),
        ("dynamodb:GetItem", LEDGER, partition("dev#orders")),
        ("kms:Decrypt", arn("kms", "key/1"), {"kms:ResourceAliases": "alias/slipway-state"}),
        ("kms:Decrypt", arn("kms", "key/1", ORGANISATION), {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}),
        ("ec2:DescribeAvailabilityZones", "*", {}),
        ("eks:DescribeCluster", arn("eks", "cluster/orders-dev"), {}),
        ("ecr:GetAuthorizationToken", "*", {}),
    ],
)
def test_preview_reads_what_a_preview_asks(action: str, resource: str, context: dict[str, str]) -> None:
    assert allows(rights("preview"), action, resource, context)
    assert allows(rights("deploy"), action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("secretsmanager:GetSecretValue", SECRET, SECRET_OF),
        ("s3:GetObject", f"{STATE}/stacks/slipway/prod.json", {}),
        ("s3:GetObject", f"{STATE}/stacks/slipway/dev2.json", {}),
        ("s3:PutObject", f"{STATE}/stacks/slipway/dev.json", {}),
        ("dynamodb:GetItem", LEDGER, partition("prod#orders")),
        ("dynamodb:GetItem", LEDGER, {}),
        ("dynamodb:PutItem", LEDGER, partition("dev#orders")),
        ("kms:Decrypt", arn("kms", "key/1"), DEV),
        ("elasticloadbalancing:ModifyListener", arn("elasticloadbalancing", LISTENER), {}),
        ("ecr:PutImage", arn("ecr", "repository/orders", ORGANISATION), {}),
        ("ec2:CreateVpc", arn("ec2", "vpc/*"), {"aws:RequestTag/environment": "dev"}),
    ],
)
def test_preview_reads_no_secret_nothing_of_others_and_changes_nothing(
    action: str, resource: str, context: dict[str, str]
) -> None:
    assert not allows(rights("preview"), action, resource, context)


CHANGES = [
    ("ec2:CreateVpc", arn("ec2", "vpc/*"), {"aws:RequestTag/environment": "dev"}),
    ("ec2:CreateSubnet", arn("ec2", "vpc/vpc-1"), DEV),
    ("ec2:CreateSubnet", arn("ec2", "subnet/*"), {"aws:RequestTag/environment": "dev"}),
    ("ec2:CreateNatGateway", arn("ec2", "natgateway/*"), {"aws:RequestTag/environment": "dev"}),
    ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group/sg-1"), DEV),
    ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group-rule/*"), {"aws:RequestTag/environment": "dev"}),
    ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group/sg-2"), CLUSTER_GROUP),
    ("ec2:RevokeSecurityGroupIngress", arn("ec2", "security-group/sg-2"), CLUSTER_GROUP),
    ("ec2:DeleteVpc", arn("ec2", "vpc/vpc-1"), DEV),
    ("eks:CreateNodegroup", arn("eks", "cluster/orders-dev"), {}),
    ("eks:DeleteAccessEntry", arn("eks", "access-entry/orders-dev/role/1/deploy/2"), {}),
    ("eks:CreatePodIdentityAssociation", arn("eks", "cluster/orders-dev"), {}),
    ("eks:DeletePodIdentityAssociation", arn("eks", "podidentityassociation/orders-dev/a-1"), {}),
    ("iam:CreateRole", ROLE, {}),
    ("iam:AttachRolePolicy", ROLE, {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"}),
    ("iam:PassRole", ROLE, {"iam:PassedToService": "eks.amazonaws.com"}),
    ("iam:PutRolePolicy", PODS, BOUNDARY),
    ("iam:PutRolePermissionsBoundary", PODS, BOUNDARY),
    ("kms:CreateKey", "*", TAGGED_AS_DEV),
    ("kms:TagResource", "*", TAGGED_AS_DEV),
    ("kms:TagResource", arn("kms", "key/1"), {**DEV, "kms:ResourceAliases": "alias/slipway-shop-dev"}),
    ("kms:PutKeyPolicy", arn("kms", "key/1"), DEV),
    ("acm:AddTagsToCertificate", "*", TAGGED_AS_DEV),
    ("secretsmanager:TagResource", SECRET, SECRET_OF),
    ("kms:CreateAlias", arn("kms", "alias/orders-dev"), {}),
    ("rds:ModifyDBInstance", arn("rds", "db:orders-dev-postgresql"), {}),
    ("secretsmanager:GetSecretValue", SECRET, SECRET_OF),
    ("elasticloadbalancing:ModifyListener", arn("elasticloadbalancing", LISTENER), {}),
    ("elasticloadbalancing:CreateRule", arn("elasticloadbalancing", LISTENER), {}),
    ("elasticloadbalancing:DeleteRule", arn("elasticloadbalancing", RULE), {}),
    ("elasticloadbalancing:AddTags", arn("elasticloadbalancing", RULE), {}),
    ("cloudwatch:PutMetricAlarm", arn("cloudwatch", "alarm:orders-dev-latency-1a2b3c4"), {}),
    ("cloudwatch:PutDashboard", arn("cloudwatch", "dashboard/orders-dev", region=""), {}),
    ("logs:PutRetentionPolicy", arn("logs", "log-group:/aws/eks/orders-dev/cluster:*"), {}),
    ("sns:Publish", arn("sns", "orders-dev-events-1a2b3c4"), {}),
    ("s3:PutObject", f"{STATE}/locks/organization/slipway/dev/1.json", {}),
    ("s3:PutObject", f"{STATE}/history/slipway/dev/dev-1.history.json", {}),
    ("dynamodb:UpdateItem", LEDGER, partition("dev#orders")),
    ("dynamodb:UpdateItem", LEDGER, partition("dev#orders#fitness")),
]


@pytest.mark.parametrize(("action", "resource", "context"), CHANGES, ids=[each[0] for each in CHANGES])
def test_deploy_changes_its_own_environment_and_no_other(action: str, resource: str, context: dict[str, str]) -> None:
    assert allows(rights("deploy"), action, resource, context)
    assert not allows(rights("deploy", "prod"), action, resource, context), "prod's role changes dev"


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("dynamodb:PutItem", LEDGER, partition("releases#orders")),
        ("dynamodb:DeleteItem", LEDGER, partition("targets")),
        ("dynamodb:Query", LEDGER, partition("prod#orders")),
        ("cloudwatch:GetMetricData", "*", {}),
        ("ecr:DescribeImages", arn("ecr", "repository/orders", ORGANISATION), {}),
        ("ecr:PutImage", arn("ecr", "repository/orders", ORGANISATION), {}),
    ],
)
def test_deploy_reads_and_writes_what_environments_share(action: str, resource: str, context: dict[str, str]) -> None:
    assert allows(rights("deploy"), action, resource, context)


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("iam:AttachRolePolicy", ROLE, ADMINISTRATOR),
        ("iam:AttachRolePolicy", role_arn(ACCOUNT, "deploy", "dev"), {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonEKSViewPolicy"}),
        ("iam:UpdateAssumeRolePolicy", role_arn(ACCOUNT, "preview", "dev"), {}),
        ("iam:PutRolePolicy", ROLE, {}),
        ("iam:PutRolePolicy", PODS, {}),
        ("iam:PutRolePermissionsBoundary", PODS, {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("iam:PutRolePermissionsBoundary", ROLE, BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", PODS, BOUNDARY),
        ("iam:CreatePolicyVersion", "arn:aws:iam::222222222222:policy/ci-deploy-dev-1", {}),
        ("iam:CreateUser", "arn:aws:iam::222222222222:user/orders-dev-me", {}),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("dynamodb:PutItem", LEDGER, partition("prod#orders")),
        ("dynamodb:Scan", LEDGER, {}),
        ("dynamodb:DeleteTable", LEDGER, {}),
        ("ec2:CreateVpc", arn("ec2", "vpc/*"), {"aws:RequestTag/environment": "prod"}),
        ("ec2:DeleteVpc", arn("ec2", "vpc/vpc-1"), PROD),
        ("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group/sg-1"), {**PROD, "aws:RequestTag/environment": "dev"}),
        ("ec2:CreateVpcEndpoint", arn("ec2", "route-table/rtb-1"), {**PROD, "aws:RequestTag/environment": "dev"}),
        ("ec2:CreateTags", arn("ec2", "security-group/sg-2"), CLUSTER_GROUP_OF_PROD),
        ("ec2:RevokeSecurityGroupIngress", arn("ec2", "security-group/sg-2"), CLUSTER_GROUP_OF_PROD),
        ("acm:DeleteCertificate", arn("acm", "certificate/1"), PROD),
        ("acm:AddTagsToCertificate", arn("acm", "certificate/1"), {**PROD, **TAGGED_AS_DEV}),
        ("kms:Decrypt", arn("kms", "key/1"), PROD),
        ("kms:TagResource", arn("kms", "key/1"), {**PROD, **TAGGED_AS_DEV}),
        ("kms:TagResource", arn("kms", "key/1"), {"aws:RequestTag/environment": "prod"}),
        ("secretsmanager:GetSecretValue", SECRET, SECRET_OF_PROD),
        ("secretsmanager:TagResource", SECRET, SECRET_OF_PROD),
        ("ec2:CreateTags", arn("ec2", "vpc/vpc-1"), {"aws:RequestTag/environment": "dev"}),
        ("ecr:BatchDeleteImage", arn("ecr", "repository/orders", ORGANISATION), {}),
        ("ecr:DeleteRepository", arn("ecr", "repository/orders"), DEV),
        ("sts:AssumeRole", role_arn(ORGANISATION, "deploy", "prod"), {}),
        ("cloudtrail:StopLogging", arn("cloudtrail", "trail/slipway-audit"), {}),
    ],
)  # fmt: skip
def test_deploy_gains_no_rights_and_deletes_no_image(action: str, resource: str, context: dict[str, str]) -> None:
    assert not allows(rights("deploy"), action, resource, context)


def test_deploy_empties_the_default_group_which_comes_without_tags() -> None:
    for action in ("CreateTags", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"):
        assert allows(rights("deploy"), f"ec2:{action}", arn("ec2", "security-group/sg-3"), {}), action


def test_deploy_takes_no_key_of_the_organisation_over() -> None:
    made = yaml.safe_load((ROOT / "tests/integration/foundation/org.yaml").read_text())
    aliases = {*re.findall(r"\balias/slipway-[\w-]+", str(made))}
    assert len(aliases) >= 5
    for alias in aliases:
        for action in ("TagResource", "PutKeyPolicy", "ScheduleKeyDeletion", "CreateGrant"):
            context = {**DEV, **TAGGED_AS_DEV, "kms:ResourceAliases": alias}
            assert not allows(rights("deploy"), f"kms:{action}", arn("kms", "key/1"), context), (alias, action)


@pytest.mark.parametrize(
    ("action", "resource", "context", "allowed"),
    [
        ("s3:GetObject", "arn:aws:s3:::orders-uploads/1", {}, True),
        ("s3:GetObject", "arn:aws:s3:::state-prod/.pulumi/stacks/slipway/prod.json", {}, False),
        ("kms:Decrypt", arn("kms", "key/1"), {"kms:ResourceAliases": "alias/orders-dev"}, True),
        ("kms:Decrypt", arn("kms", "key/1"), {"kms:ResourceAliases": "alias/slipway-state"}, False),
        ("kms:Sign", arn("kms", "key/1"), {"kms:ResourceAliases": SIGNING_ALIAS}, False),
        ("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:orders/payments-1aB2cD"), {}, True),
        ("secretsmanager:GetSecretValue", SECRET, SECRET_OF, True),
        ("rds-db:connect", arn("rds-db", "dbuser:db-1/orders"), {}, True),
        ("rds:ModifyDBInstance", arn("rds", "db:orders-prod-postgresql"), {}, False),
        ("eks:CreateAccessEntry", arn("eks", "cluster/orders-prod"), {}, False),
        ("sts:AssumeRole", role_arn(ACCOUNT, "deploy", "prod"), {}, False),
        ("dynamodb:GetItem", LEDGER, partition("prod#orders"), False),
    ],
)
def test_pods_boundary_keeps_pods_off_what_environments_share(
    action: str, resource: str, context: dict[str, str], allowed: bool
) -> None:
    assert allows(plan_pods_boundary(["state-dev", "state-prod"]), action, resource, context) is allowed


def test_only_an_environment_that_builds_pushes() -> None:
    push = ("ecr:PutImage", arn("ecr", "repository/orders", ORGANISATION))
    assert (allows(rights("deploy"), *push), allows(rights("deploy", builds=False), *push)) == (True, False)


@pytest.mark.parametrize(
    ("action", "secret", "allowed"),
    [
        ("GetSecretValue", "monitoring/prometheus-1aB2cD", True),
        ("GetSecretValue", "by-arn-1aB2cD", True),
        ("GetSecretValue", "monitoring/prometheus-admin-1aB2cD", False),
        ("GetSecretValue", "monitoring/prometheus", False),
        ("GetSecretValue", "other-1aB2cD", False),
        ("PutSecretValue", "monitoring/prometheus-1aB2cD", False),
    ],
)
def test_deploy_reads_the_secrets_of_its_analysis_and_preview_none(action: str, secret: str, allowed: bool) -> None:
    secrets = ("monitoring/prometheus", arn("secretsmanager", "secret:by-arn-1aB2cD"))
    place = CiEnvironment(name="dev", state_bucket="state-dev", analysis_secrets=secrets)

    def may(kind: str, environment: CiEnvironment) -> bool:
        statements = [
            statement
            for group in groups_of(kind, environment)
            for statement in plan_rights(
                group, environment, account_id=ACCOUNT, region=REGION, organisation_account_id=ORGANISATION
            )
        ]
        return allows(statements, f"secretsmanager:{action}", arn("secretsmanager", f"secret:{secret}"), {})

    assert may("deploy", place) is allowed
    assert not may("preview", place)
    assert not may("deploy", CiEnvironment(name="dev", state_bucket="state-dev"))


EXAMPLES = {
    "name": "orders-dev",
    "service": "orders",
    "stack": "dev",
    "bucket": "state-dev",
    "ledger": LEDGER,
    "repository": arn("ecr", "repository/orders", ORGANISATION),
    "signing_key": arn("kms", "key/1", ORGANISATION),
}
KNOWN_TO_AWS = {
    **DEV,
    **SECRET_OF,
    **partition("dev#orders"),
    "aws:RequestTag/environment": "dev",
    "iam:AWSServiceName": "eks.amazonaws.com",
    "iam:PassedToService": "eks.amazonaws.com",
    "iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    "kms:ResourceAliases": SIGNING_ALIAS,
    "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
}
OF_ANOTHER_KEY = ("key", "kms:ResourceAliases")
"""The environment's own key has another alias than the one that signs."""


@pytest.mark.parametrize("wanted", DOCTORS_RIGHTS, ids=lambda each: f"{each.purpose}-{each.service}-{each.resource}")
def test_doctor_finds_nothing_denied_to_a_deploy_role(wanted: Rights) -> None:
    resource = arn_of(wanted, partition="aws", region=REGION, account=ACCOUNT, names=EXAMPLES)
    context = {key: value for key, value in KNOWN_TO_AWS.items() if (wanted.purpose, key) != OF_ANOTHER_KEY}
    assert [name for name in wanted.names() if not allows(rights("deploy"), name, resource, context)] == []


def github_environments() -> set[tuple[str, str]]:
    """Each GitHub environment of the workflows, with the role that its jobs take on."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        flow = yaml.safe_load(path.read_text())
        inputs = ((flow[True].get("workflow_dispatch") or {}).get("inputs")) or {}
        for job in flow["jobs"].values():
            role = re.search(r"vars\.AWS_(PREVIEW|DEPLOY)_ROLE", str(job))
            if role is None:
                continue
            name = job["environment"] if isinstance(job["environment"], str) else job["environment"]["name"]
            choices = job.get("strategy", {}).get("matrix", {}).get("environment") or [
                option for each in inputs.values() for option in each.get("options", [])
            ]
            filled = [re.sub(r"\$\{\{.*?\}\}", choice, name) for choice in choices] or [name]
            found |= {(each, role[1].lower()) for each in filled}
    return found


def test_each_job_takes_on_the_role_of_its_environment_and_no_other() -> None:
    places = [(kind, name) for kind in ("preview", "deploy") for name in ("dev", "staging", "prod")]
    trusts = {place: [plan_trust(*place, repository="example/orders", account_id=ACCOUNT)] for place in places}
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"

    def admitted(subject: str, audience: str = "sts.amazonaws.com") -> list[tuple[str, str]]:
        prefix = "token.actions.githubusercontent.com"
        context = {f"{prefix}:sub": subject, f"{prefix}:aud": audience}
        action = "sts:AssumeRoleWithWebIdentity"
        return [place for place in places if allows(trusts[place], action, context=context, principal=provider)]

    jobs = github_environments()
    assert len(jobs) == 9
    for github_environment, kind in jobs:
        subject = f"repo:example/orders:environment:{github_environment}"
        assert admitted(subject) == [(kind, github_environment.rsplit("-", 1)[-1])]
        assert admitted(subject, "somebody.else") == []
        assert admitted(f"repo:example/other:environment:{github_environment}") == []
    for subject in ("ref:refs/heads/main", "pull_request", "environment:prod2", "environment:preview"):
        assert admitted(f"repo:example/orders:{subject}") == []


def test_subjects_have_the_numbers_of_a_repository_that_github_names_with_them() -> None:
    """GitHub's default for repositories made, renamed or moved since 15 July 2026."""
    repository = "octo-org@123456/orders@456789"
    args = CiAccessArgs(
        repository=repository,
        account_id=ACCOUNT,
        organisation_account_id=ORGANISATION,
        region=REGION,
        environments=[CiEnvironment(name="dev", state_bucket="state-dev")],
    )
    trust = plan_trust("deploy", "dev", repository=args.repository, account_id=ACCOUNT)
    subject = trust["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"][0]
    assert subject == "repo:octo-org@123456/orders@456789:environment:dev"


@pytest.mark.parametrize("group", RIGHTS)
def test_policy_is_within_the_limits_of_aws_and_names_actions_that_exist(group: str) -> None:
    place = CiEnvironment(name="e" * 16, state_bucket="b" * 63, builds=True, analysis_secrets=["s" * 40] * 10)
    statements = plan_rights(
        group, place, account_id=ACCOUNT, region="ap-southeast-2", organisation_account_id=ORGANISATION
    )
    assert len(re.sub(r"\s", "", render(statements))) <= MOST_CHARACTERS
    assert len(groups_of("deploy", place)) <= MOST_POLICIES
    assert [action for row in RIGHTS[group].values() for action in row.actions if not exists(action)] == []


NOT_OPERATIONS = {"iam:PassRole", "s3:ListBucket"}
SERVICES = {"elasticloadbalancing": "elbv2"}
SESSION = botocore.session.Session()


def exists(action: str) -> bool:
    """Whether an operation of AWS's API has that name: nearly all actions are called like one."""
    service, name = action.split(":")
    operations = SESSION.get_service_model(SERVICES.get(service, service)).operation_names
    return action in NOT_OPERATIONS or any(re.fullmatch(name.replace("*", ".*"), each) for each in operations)
