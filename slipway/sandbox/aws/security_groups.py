"""Who reaches whom, by the rules of both sides' security groups.

EKS gives its nodes, and so their pods, the cluster's security group and addresses of the cluster's subnets. VPCs have no peering, and rules
with prefix lists admit nobody. The caller holds the API's lock.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from moto.ec2.models import ec2_backends
from moto.eks.models import eks_backends


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a security group, to or from a group or a network."""

    protocol: str
    """`-1` for all."""
    ports: tuple[int, int]
    group_id: str = ""
    network: IPv4Network | None = None


@dataclass(frozen=True, kw_only=True)
class Party:
    """Network interfaces of one kind: a cluster's pods, a database or a load balancer."""

    vpc_id: str
    group_ids: frozenset[str]
    networks: frozenset[IPv4Network]
    """Of the subnets, one of which they are in."""
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


def connects(client: Party, server: Party, ports: Collection[int]) -> bool:
    """Whether the client's groups let its connections out and the server's let them in, to one of the server's ports."""
    return (
        client.vpc_id == server.vpc_id
        and any(_admits(rule, client, ports) for rule in server.ingress)
        and any(_admits(rule, server, ports) for rule in client.egress)
    )


def clusters_pods() -> Iterator[tuple[str, Party]]:
    """The pods of each cluster, by its name."""
    found: list[tuple[str, str, Any]] = list(eks_backends.iter_backends())
    for account, region, backend in found:
        for name, cluster in list(backend.clusters.items()):
            network: Mapping[str, Any] = cluster.resources_vpc_config or {}
            subnet_ids = {*(network.get("subnetIds") or [])}
            subnet_ids |= {each for group in cluster.nodegroups.values() for each in group.subnets}
            group_id = str(network.get("clusterSecurityGroupId") or "")
            if group_id:
                yield name, party_of(ec2_backends[account][region], str(network["vpcId"]), [group_id], subnet_ids)


def party_of(ec2: Any, vpc_id: str, group_ids: Iterable[str], subnet_ids: Collection[str]) -> Party:
    """Interfaces with these security groups in these subnets."""
    groups = [group for each in group_ids if (group := ec2.get_security_group_from_id(each)) is not None]
    subnets = [subnet for subnet in ec2.describe_subnets() if subnet.id in subnet_ids]
    return Party(
        vpc_id=vpc_id,
        group_ids=frozenset(str(group.id) for group in groups),
        networks=frozenset(IPv4Network(str(subnet.cidr_block)) for subnet in subnets),
        ingress=tuple(_rule(each) for group in groups for each in group.ingress_rules),
        egress=tuple(_rule(each) for group in groups for each in group.egress_rules),
    )


def _rule(rule: Any) -> Rule:
    cidr = rule.ip_range.get("CidrIp")
    return Rule(
        protocol=str(rule.ip_protocol),
        ports=(int(rule.from_port or 0), int(rule.to_port or 0)),
        group_id=str(rule.source_group.get("GroupId") or ""),
        network=IPv4Network(str(cidr), strict=False) if cidr else None,
    )


def _admits(rule: Rule, peer: Party, ports: Collection[int]) -> bool:
    if rule.protocol != "-1" and (
        rule.protocol != "tcp" or not any(rule.ports[0] <= port <= rule.ports[1] for port in ports)
    ):
        return False
    network = rule.network
    return rule.group_id in peer.group_ids or (
        network is not None and bool(peer.networks) and all(each.subnet_of(network) for each in peer.networks)
    )
