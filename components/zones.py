"""Which availability zones an environment uses. A zone's name means another place in each account; its ID does not."""

import pulumi
import pulumi_aws as aws

from .errors import ArgsError

ZONES_WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")
"""Zone IDs in which EKS creates no control plane; source: EKS user guide, "Network requirements", 2026."""


def choose_zones(count: int, opts: pulumi.InvokeOptions) -> list[str]:
    """The names of the first `count` zones, by name, that the account offers and EKS accepts.

    A zone with an outage is still chosen: leaving it out would replace its subnets. Raises ArgsError when there are too few.
    """
    offered = aws.get_availability_zones(
        exclude_zone_ids=list(ZONES_WITHOUT_EKS),
        filters=[aws.GetAvailabilityZonesFilterArgs(name="zone-type", values=["availability-zone"])],
        opts=opts,
    ).names
    if len(offered) < count:
        raise ArgsError("zone_count", got=count, want=f"{len(offered)} at most: the zones of this account with EKS")
    return sorted(offered)[:count]
