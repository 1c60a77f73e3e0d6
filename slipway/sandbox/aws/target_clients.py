"""Which pods a load balancer reaches. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from slipway.sandbox.aws.security_groups import Party, clusters_pods, connects, party_of
from slipway.sandbox.aws.world import world

Reaches = Callable[[str, int], bool]
"""Whether one load balancer reaches a port of an address."""


def load_balancer_reach() -> Callable[[Any], Reaches]:
    """By load balancer of moto's, as security groups say now. What is no pod of a cluster, such as a server on this machine, is always
    reached; a pod in a zone that a fault plan has put out of reach is not."""
    clusters, zones = world().clusters, world().gone_zones()
    parties: Mapping[str, Party] = dict(clusters_pods()) if clusters else {}

    def reach_of(balancer: Any) -> Reaches:
        region, account = str(balancer.arn).split(":")[3:5]
        ec2 = ec2_backends[account][region]
        client = party_of(ec2, str(balancer.vpc_id), balancer.security_groups, balancer.subnets)

        def reaches(address: str, port: int) -> bool:
            if zones and clusters and clusters.zone_of(address) in zones:
                return False
            name = clusters.name_of(address) if clusters else None
            return name not in parties or connects(client, parties[name], (port,))

        return reaches

    return reach_of
