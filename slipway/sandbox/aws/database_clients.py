"""Which clusters' pods reach which databases. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

from slipway.sandbox.aws.rds.models import RealInstance, real_instances
from slipway.sandbox.aws.security_groups import Party, clusters_pods, connects, party_of
from slipway.sandbox.aws.world import world


def database_ports() -> dict[str, set[int]]:
    """By cluster, the ports of the databases that its pods may connect to."""
    clusters = dict(clusters_pods())
    found: dict[str, set[int]] = {name: set() for name in clusters}
    zones = world().gone_zones()
    for database in real_instances():
        if database.availability_zone in zones and not database.multi_az:
            continue
        server, port = _database(database), int(database.port or 0)
        for name, client in clusters.items():
            # A rule names the port that was asked for, or the one that the sandbox gave the instance and its API shows.
            if connects(client, server, (database.asked_port, port)):
                found[name].add(port)
    return found


def _database(database: RealInstance) -> Party:
    ec2 = ec2_backends[database.account_id][database.region]
    subnets: Any = getattr(database, "db_subnet_group", None)  # moto sets it only where one was named
    vpc_id = subnets.vpc_id if subnets else ec2.default_vpc.id
    named = [each["SubnetIdentifier"] for each in subnets.subnets] if subnets else []
    subnet_ids = named or [subnet.id for subnet in ec2.describe_subnets() if subnet.vpc_id == vpc_id]
    return party_of(ec2, str(vpc_id), database.vpc_security_group_ids, subnet_ids)
