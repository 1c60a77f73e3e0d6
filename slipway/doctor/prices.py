"""What an environment costs before anybody uses it: list prices of us-east-1, and what of them a stack file orders.

Source: AWS's price lists of EKS, EC2, EBS, VPC, ELB, RDS for PostgreSQL, KMS, Secrets Manager and CloudWatch, on demand, November 2026.
Left out: logs, traffic, images, backups beyond the database's own size, the ledger (cents), taxes and free tiers.
"""

from __future__ import annotations

from typing import NamedTuple

from slipway.doctor.project import StackFacts

REGION = "us-east-1"
HOURS_PER_MONTH = 730

CONTROL_PLANE_PER_HOUR = 0.10
NAT_GATEWAY_PER_HOUR = 0.045
PUBLIC_ADDRESS_PER_HOUR = 0.005
LOAD_BALANCER_PER_HOUR = 0.0225
NODE_DISK_PER_GIB = 0.08
DATABASE_DISK_PER_GIB = 0.115
AUTO_MODE_FEE = 0.12
"""Of EKS Auto Mode, about, as a part of the instance's on-demand price."""
AUTO_NODE = ("c6a.large", 80)
"""What Auto Mode makes for a few small pods, with the size of its disk in GiB; one in each zone, over which the pods are spread."""
KEY = 1.00
SECRET = 0.40
DASHBOARD = 3.00
ALARM = 0.10
ALARMS = 11
"""How many the program makes where `monitoring.alarms` is set."""

INSTANCE_PER_HOUR = {
    "c6a.large": 0.0765,
    "t3.small": 0.0208,
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "m5.large": 0.096,
    "m5.xlarge": 0.192,
    "m6i.large": 0.096,
    "m6i.xlarge": 0.192,
    "m6i.2xlarge": 0.384,
    "m7i.large": 0.1008,
    "m7i.xlarge": 0.2016,
    "c6i.large": 0.085,
    "c6i.xlarge": 0.17,
    "r6i.large": 0.126,
    "r6i.xlarge": 0.252,
}
DATABASE_PER_HOUR = {
    "db.t4g.micro": 0.016,
    "db.t4g.small": 0.032,
    "db.t4g.medium": 0.065,
    "db.t4g.large": 0.129,
    "db.m6g.large": 0.159,
    "db.m6g.xlarge": 0.318,
    "db.m7g.large": 0.168,
    "db.m7g.xlarge": 0.337,
    "db.r6g.large": 0.225,
    "db.r6g.xlarge": 0.45,
}
"""In one zone; a standby costs as much again."""


class Cost(NamedTuple):
    """One line of the bill."""

    part: str
    detail: str
    """What the stack file orders of it."""
    usd_per_month: float | None
    """None: the table has no price for it."""


def estimate_costs(facts: StackFacts) -> list[Cost]:
    """The parts that are there all the time, with the nodes that are desired and no request."""
    database, network = facts.database, facts.network
    standby = 2 if database.multi_az else 1
    addresses = 0 if facts.load_balancer.internal else network.zone_count
    small = KEY + SECRET + DASHBOARD + (ALARMS * ALARM if facts.monitoring.alarms else 0)
    return [
        Cost("Kubernetes control plane", "", CONTROL_PLANE_PER_HOUR * HOURS_PER_MONTH),
        _nodes(facts),
        Cost(
            "NAT gateways",
            str(network.address_count),
            network.address_count * (NAT_GATEWAY_PER_HOUR + PUBLIC_ADDRESS_PER_HOUR) * HOURS_PER_MONTH,
        ),
        Cost(
            "load balancer",
            f"{addresses} public addresses",
            (LOAD_BALANCER_PER_HOUR + addresses * PUBLIC_ADDRESS_PER_HOUR) * HOURS_PER_MONTH,
        ),
        Cost(
            "database",
            f"{standby} x {database.instance_class}, {database.storage_gib} GiB",
            _times(
                standby, DATABASE_PER_HOUR.get(database.instance_class), database.storage_gib * DATABASE_DISK_PER_GIB
            ),
        ),
        Cost("key, secret, dashboard, alarms", "", small),
    ]


def _nodes(facts: StackFacts) -> Cost:
    if facts.cluster.in_auto_mode:
        kind, disk_gib = AUTO_NODE
        count = facts.network.zone_count
        usd = _times(count, INSTANCE_PER_HOUR[kind] * (1 + AUTO_MODE_FEE), disk_gib * NODE_DISK_PER_GIB)
        return Cost("nodes", f"Auto Mode, such as {count} x {kind}, {disk_gib} GiB", usd)
    nodes = facts.cluster.nodes
    price, disks = INSTANCE_PER_HOUR.get(nodes.instance_type), nodes.disk_gib * NODE_DISK_PER_GIB
    return Cost(
        "nodes", f"{nodes.desired} x {nodes.instance_type}, {nodes.disk_gib} GiB", _times(nodes.desired, price, disks)
    )


def _times(count: int, usd_per_hour: float | None, disk_usd_per_month: float) -> float | None:
    return None if usd_per_hour is None else count * (usd_per_hour * HOURS_PER_MONTH + disk_usd_per_month)
