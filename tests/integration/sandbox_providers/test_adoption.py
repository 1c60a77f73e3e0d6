"""What exists already when it is to be made: what a killed run of this very stack made is adopted, what is another's is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider_kit import context, next_run

from slipway.providers.provider import CreateResult, ProviderError
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.resource import MARKER_TAG

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def create(provider: AwsProvider, token: str, key: str, /, stack: str = "dev", **program: Any) -> CreateResult:
    """Check and create in one run."""
    ctx = context(token, key, stack)
    result = provider.check(ctx, {}, program)
    assert not result.failures, result.failures
    return provider.create(ctx, result.inputs)


@pytest.fixture
def vpc(provider: AwsProvider, request: pytest.FixtureRequest) -> str:
    """A network for one test."""
    return create(provider, "aws:ec2/vpc:Vpc", request.node.name, cidrBlock="10.20.0.0/16").id


def test_named_resources_are_adopted_when_a_run_was_killed(provider: AwsProvider) -> None:
    cases: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (
            "aws:ecr/repository:Repository",
            {"name": "adopted", "imageTagMutability": "MUTABLE"},
            {"imageTagMutability": "IMMUTABLE"},
        ),
        ("aws:iam/role:Role", {"name": "adopted", "assumeRolePolicy": TRUST}, {"description": "after"}),
        ("aws:secretsmanager/secret:Secret", {"name": "adopted"}, {"description": "after"}),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "/adopted", "retentionInDays": 7}, {"retentionInDays": 30}),
        ("aws:sns/topic:Topic", {"name": "adopted"}, {}),
    ]
    for token, program, change in cases:
        first = create(provider, token, "adopted", **program)
        second = create(next_run(provider), token, "adopted", **{**program, **change, "tags": {"wave": "2"}})
        assert second.id == first.id, token
        assert {name: second.outputs[name] for name in change} == change, token
        assert second.outputs["tagsAll"]["wave"] == "2", token
        assert MARKER_TAG not in json.dumps(second.outputs), token


def test_network_parts_are_adopted_when_a_run_was_killed(provider: AwsProvider, vpc: str) -> None:
    subnet = {"vpcId": vpc, "cidrBlock": "10.20.1.0/24", "availabilityZone": "us-east-1a"}
    first = create(provider, "aws:ec2/subnet:Subnet", "a", **subnet)
    assert create(next_run(provider), "aws:ec2/subnet:Subnet", "a", **subnet).id == first.id
    gateway = create(provider, "aws:ec2/internetGateway:InternetGateway", "net", vpcId=vpc)
    assert create(next_run(provider), "aws:ec2/internetGateway:InternetGateway", "net", vpcId=vpc).id == gateway.id
    table = create(provider, "aws:ec2/routeTable:RouteTable", "public", vpcId=vpc).id
    route = {"routeTableId": table, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.id}
    made = create(provider, "aws:ec2/route:Route", "out", **route)
    assert create(next_run(provider), "aws:ec2/route:Route", "out", **route).id == made.id
    association = {"routeTableId": table, "subnetId": first.id}
    linked = create(provider, "aws:ec2/routeTableAssociation:RouteTableAssociation", "a", **association)
    assert (
        create(next_run(provider), "aws:ec2/routeTableAssociation:RouteTableAssociation", "a", **association).id
        == linked.id
    )
    group = create(provider, "aws:ec2/securityGroup:SecurityGroup", "web", vpcId=vpc, name="web")
    assert (
        create(next_run(provider), "aws:ec2/securityGroup:SecurityGroup", "web", vpcId=vpc, name="web").id == group.id
    )
    rule = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "cidrIpv4": "0.0.0.0/0"}
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    ingress = create(provider, token, "web", **rule)
    assert create(next_run(provider), token, "web", **rule).id == ingress.id


def test_load_balancer_and_its_parts_are_adopted_when_a_run_was_killed(provider: AwsProvider, vpc: str) -> None:
    zones = {"us-east-1a": "10.20.8.0/24", "us-east-1b": "10.20.9.0/24"}
    subnets = [
        create(provider, "aws:ec2/subnet:Subnet", z, vpcId=vpc, cidrBlock=b, availabilityZone=z).id
        for z, b in zones.items()
    ]
    parts: list[tuple[str, dict[str, Any]]] = [
        ("aws:lb/loadBalancer:LoadBalancer", {"name": "adopted", "subnets": subnets, "internal": False}),
        (
            "aws:lb/targetGroup:TargetGroup",
            {"name": "adopted", "port": 8080, "protocol": "HTTP", "targetType": "ip", "vpcId": vpc},
        ),
    ]
    arns: list[str] = []
    for token, program in parts:
        first = create(provider, token, "adopted", **program)
        assert create(next_run(provider), token, "adopted", **program).id == first.id
        arns.append(first.id)
    listener = {
        "loadBalancerArn": arns[0],
        "port": 80,
        "protocol": "HTTP",
        "defaultActions": [{"type": "forward", "targetGroupArn": arns[1]}],
    }
    made = create(provider, "aws:lb/listener:Listener", "live", **listener)
    assert create(next_run(provider), "aws:lb/listener:Listener", "live", **listener).id == made.id


def test_refuses_to_adopt_when_another_stack_made_it(provider: AwsProvider) -> None:
    create(provider, "aws:ecr/repository:Repository", "shared", stack="dev", name="shared")
    with pytest.raises(ProviderError, match="RepositoryAlreadyExistsException"):
        create(next_run(provider), "aws:ecr/repository:Repository", "shared", stack="prod", name="shared")


def test_refuses_to_adopt_when_nobody_says_who_made_it(provider: AwsProvider) -> None:
    session = provider.__dict__["_session"]
    session.client("ecr").create_repository(repositoryName="by-hand")
    with pytest.raises(ProviderError, match="RepositoryAlreadyExistsException"):
        create(provider, "aws:ecr/repository:Repository", "by-hand", name="by-hand")


def test_refuses_to_adopt_when_this_run_knows_it_from_the_state(provider: AwsProvider) -> None:
    """Else the new half of a replacement would be its old half, and be deleted with it."""
    create(provider, "aws:ecr/repository:Repository", "known", name="known")
    with pytest.raises(ProviderError, match="RepositoryAlreadyExistsException"):
        create(provider, "aws:ecr/repository:Repository", "known", name="known")
