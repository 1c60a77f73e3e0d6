"""Who reaches whom, by the rules of both sides' security groups."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ec2.models import ec2_backends

from slipway.sandbox.aws.security_groups import Party, Rule, connects, party_of

SUBNETS = frozenset({IPv4Network("10.20.0.0/20"), IPv4Network("10.20.16.0/20")})
ALL = Rule(protocol="-1", ports=(0, 0), network=IPv4Network("0.0.0.0/0"))
PODS = Party(vpc_id="vpc-1", group_ids=frozenset({"sg-pods"}), networks=SUBNETS, egress=(ALL,))
FROM_PODS = Rule(protocol="tcp", ports=(5432, 5432), group_id="sg-pods")
DATABASE = Party(vpc_id="vpc-1", group_ids=frozenset({"sg-door"}), networks=SUBNETS, ingress=(FROM_PODS,))


@pytest.mark.parametrize(
    ("rule", "lets_in"),
    [
        (FROM_PODS, True),
        (replace(FROM_PODS, ports=(15440, 15440)), True),  # the port that the sandbox shows
        (replace(FROM_PODS, ports=(0, 65535)), True),
        (replace(FROM_PODS, protocol="-1", ports=(0, 0)), True),
        (replace(FROM_PODS, group_id="", network=IPv4Network("10.20.0.0/16")), True),
        (replace(FROM_PODS, group_id="sg-other"), False),
        (replace(FROM_PODS, ports=(5433, 6000)), False),
        (replace(FROM_PODS, protocol="udp"), False),
        (replace(FROM_PODS, group_id="", network=IPv4Network("10.20.0.0/20")), False),  # one zone of two
        (replace(FROM_PODS, group_id=""), False),  # a prefix list
    ],
)
def test_database_lets_in_what_a_rule_of_its_group_names(rule: Rule, lets_in: bool) -> None:
    assert connects(PODS, replace(DATABASE, ingress=(rule,)), (5432, 15440)) == lets_in


@pytest.mark.parametrize(
    ("pods", "database"),
    [
        (PODS, replace(DATABASE, ingress=())),
        (PODS, replace(DATABASE, vpc_id="vpc-2")),
        (replace(PODS, egress=()), DATABASE),
        (replace(PODS, egress=(replace(ALL, network=IPv4Network("10.99.0.0/16")),)), DATABASE),
        (replace(PODS, networks=frozenset()), replace(DATABASE, ingress=(ALL, FROM_PODS), vpc_id="")),
    ],
    ids=["no rule", "another VPC", "nothing out", "elsewhere out", "unknown networks"],
)
def test_refuses_pods_that_one_side_does_not_let_through(pods: Party, database: Party) -> None:
    assert not connects(pods, database, (5432,))


def rule_to(group: str, port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": group}]}


@pytest.mark.parametrize(
    ("ingress", "egress", "reached"),
    [
        ([8080], [8080], True),
        ([], [8080], False),  # EKS's own group admits its members only
        ([9090], [8080], False),
        ([8080], [9090], False),
    ],
)
def test_pods_are_reached_by_what_their_cluster_admits(ingress: list[int], egress: list[int], reached: bool) -> None:
    with mock_aws():
        ec2: Any = boto3.client("ec2", "us-east-1")
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/24")["Subnet"]["SubnetId"]
        pods, doors = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
            for name in ("pods", "doors")
        )
        everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.revoke_security_group_egress(GroupId=doors, IpPermissions=[everywhere])
        for port in ingress:
            ec2.authorize_security_group_ingress(GroupId=pods, IpPermissions=[rule_to(doors, port)])
        for port in egress:
            ec2.authorize_security_group_egress(GroupId=doors, IpPermissions=[rule_to(pods, port)])
        backend = ec2_backends["123456789012"]["us-east-1"]
        balancer, cluster = (party_of(backend, vpc, [each], [subnet]) for each in (doors, pods))
        assert connects(balancer, cluster, (8080,)) == reached
