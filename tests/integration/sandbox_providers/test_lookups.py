"""Functions that look up what the provider made, against the outputs of the resources themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from provider_kit import client, made

from slipway.providers.provider import ProviderError
from slipway.providers.values import Secret
from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.token_review import TokenError, verify_token
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.schema import function_schema

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def ask(provider: AwsProvider, token: str, **args: Any) -> dict[str, Any]:
    """Invoke, and see that the answer has no other names than the SDK's."""
    outputs = provider.invoke(token, args, preview=False).outputs
    assert set(outputs) <= set(function_schema(token).outputs) | set(args)
    return outputs


def test_lookups_answer_what_the_resources_say(provider: AwsProvider) -> None:
    vpc = made(provider, "aws:ec2/vpc:Vpc", "looked-up", cidrBlock="10.77.0.0/16", tags={"Name": "looked-up"})
    zones = {"us-east-1a": "10.77.1.0/24", "us-east-1b": "10.77.2.0/24"}
    subnets = [
        made(provider, "aws:ec2/subnet:Subnet", z, vpcId=vpc.id, cidrBlock=b, availabilityZone=z).id
        for z, b in zones.items()
    ]
    group = made(provider, "aws:ec2/securityGroup:SecurityGroup", "web", vpcId=vpc.id)
    balancer = made(provider, "aws:lb/loadBalancer:LoadBalancer", "lb", subnets=subnets, securityGroups=[group.id])
    targets = made(
        provider, "aws:lb/targetGroup:TargetGroup", "tg", port=80, protocol="HTTP", targetType="ip", vpcId=vpc.id
    )
    actions = [{"type": "forward", "targetGroupArn": targets.id}]
    listener = made(
        provider, "aws:lb/listener:Listener", "on", loadBalancerArn=balancer.id, port=80, defaultActions=actions
    )
    role = made(provider, "aws:iam/role:Role", "role", assumeRolePolicy=TRUST)
    repository = made(provider, "aws:ecr/repository:Repository", "repository")
    logs = made(provider, "aws:cloudwatch/logGroup:LogGroup", "logs", retentionInDays=7)
    secret = made(provider, "aws:secretsmanager/secret:Secret", "secret")

    by_tag = ask(provider, "aws:ec2/getVpc:getVpc", tags={"Name": "looked-up"})
    assert (by_tag["id"], by_tag["cidrBlock"]) == (vpc.id, "10.77.0.0/16")
    filters = [{"name": "vpc-id", "values": [vpc.id]}]
    assert ask(provider, "aws:ec2/getSubnets:getSubnets", filters=filters)["ids"] == sorted(subnets)
    name = group.outputs["name"]
    assert ask(provider, "aws:ec2/getSecurityGroup:getSecurityGroup", name=name, vpcId=vpc.id)["id"] == group.id
    found = ask(provider, "aws:lb/getLoadBalancer:getLoadBalancer", name=balancer.outputs["name"])
    assert (found["id"], found["dnsName"]) == (balancer.id, balancer.outputs["dnsName"])
    found = ask(provider, "aws:lb/getTargetGroup:getTargetGroup", arn=targets.id)
    assert found["healthCheck"] == targets.outputs["healthCheck"]
    found = ask(provider, "aws:lb/getListener:getListener", loadBalancerArn=balancer.id, port=80)
    assert found["id"] == listener.id
    assert ask(provider, "aws:iam/getRole:getRole", name=role.id)["arn"] == role.outputs["arn"]
    found = ask(provider, "aws:ecr/getRepository:getRepository", name=repository.id)
    assert found["repositoryUrl"] == repository.outputs["repositoryUrl"]
    assert found["imageScanningConfigurations"] == [{"scanOnPush": False}]
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": []})
    pushed = client(provider, "ecr").put_image(repositoryName=repository.id, imageManifest=manifest, imageTag="one")
    image = {"imageDigest": pushed["image"]["imageId"]["imageDigest"], "imageTag": "one"}
    found_images = ask(provider, "aws:ecr/getImages:getImages", repositoryName=repository.id)
    assert found_images["imageIds"] == [image]
    account = repository.outputs["arn"].split(":")[4]
    in_registry = {"name": repository.id, "registryId": account}
    assert ask(provider, "aws:ecr/getRepository:getRepository", **in_registry)["arn"] == found["arn"]
    with pytest.raises(ProviderError, match="couldn't find resource"):
        ask(provider, "aws:ecr/getRepository:getRepository", **{**in_registry, "registryId": "210987654321"})
    assert ask(provider, "aws:cloudwatch/getLogGroup:getLogGroup", name=logs.id)["retentionInDays"] == 7
    found = ask(provider, "aws:secretsmanager/getSecret:getSecret", name=secret.outputs["name"])
    assert found["arn"] == secret.id


def test_cluster_token_opens_its_own_cluster_only(provider: AwsProvider) -> None:
    keys = provider._configured().settings  # pyright: ignore[reportPrivateUsage]
    callers = {keys.access_key: Caller(arn="arn:me", secret_key=keys.secret_key)}

    def caller(token: Any, cluster: str) -> str:
        return verify_token(token.value, cluster, caller_of=callers.get, now=datetime.now(UTC))

    tokens = {
        name: ask(provider, "aws:eks/getClusterAuth:getClusterAuth", name=name)["token"] for name in ("one", "two")
    }
    for name, token in tokens.items():
        assert isinstance(token, Secret)
        assert caller(token, name) == "arn:me"
    with pytest.raises(TokenError, match="another cluster"):
        caller(tokens["one"], "two")


def test_random_password_is_secret_and_as_long_as_asked(provider: AwsProvider) -> None:
    token = "aws:secretsmanager/getRandomPassword:getRandomPassword"
    password = ask(provider, token, passwordLength=24, excludePunctuation=True)["randomPassword"]
    assert isinstance(password, Secret)
    assert len(password.value) == 24
    assert password.value.isalnum()


def test_refuses_a_lookup_when_nothing_or_too_much_matches(provider: AwsProvider) -> None:
    with pytest.raises(ProviderError, match="no matching EC2 VPC found"):
        ask(provider, "aws:ec2/getVpc:getVpc", tags={"Name": "nowhere"})
    made(provider, "aws:ec2/vpc:Vpc", "twin-a", cidrBlock="10.78.0.0/16", tags={"Name": "twin"})
    made(provider, "aws:ec2/vpc:Vpc", "twin-b", cidrBlock="10.79.0.0/16", tags={"Name": "twin"})
    with pytest.raises(ProviderError, match="2 matching EC2 VPC found"):
        ask(provider, "aws:ec2/getVpc:getVpc", tags={"Name": "twin"})
