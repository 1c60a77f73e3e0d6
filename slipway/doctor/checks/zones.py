"""Whether the account offers enough availability zones for EKS, with the nodes' instance type in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway.doctor.account import Account
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State
from slipway.doctor.project import Project

ZONES_WITHOUT_EKS = frozenset({"use1-az3", "usw1-az2", "cac1-az3"})
"""As the components leave them out."""


def check_zones(case: Case) -> Iterator[Finding]:
    """The zones that the program will choose, or those that the stack file names."""
    project, account = case.project, case.account
    filters = [{"Name": "zone-type", "Values": ["availability-zone"]}]
    offered: dict[str, dict[str, Any]] = {
        zone["ZoneName"]: zone
        for zone in account.ask("ec2", "describe_availability_zones", Filters=filters)["AvailabilityZones"]
    }
    usable = sorted(name for name, zone in offered.items() if zone["ZoneId"] not in ZONES_WITHOUT_EKS)
    wanted = project.facts.network.zones
    if isinstance(wanted, int):
        if wanted > len(usable):
            yield Finding(
                State.FAILURE,
                f"{wanted} zones are wanted; {account.region} offers this account {len(usable)} with EKS: {', '.join(usable)}",
                f"set slipway:network.zones to {len(usable)} at most, or choose another region",
            )
        chosen = usable[:wanted]
    else:
        for name in sorted(set(wanted) - set(usable)):
            reason = "EKS has no control planes in it" if name in offered else "this account does not have it"
            yield Finding(State.FAILURE, f"zone {name}: {reason}", f"use {', '.join(usable)}, or a number of zones")
        chosen = [name for name in wanted if name in usable]
    for name in chosen:
        if offered[name]["State"] != "available":
            yield Finding(State.WARNING, f"zone {name} is {offered[name]['State']}", "wait, or leave the zone out")
    if len(chosen) == project.facts.network.zone_count:
        yield Finding(State.OK, f"{', '.join(chosen)} of {', '.join(usable)}")
    if not project.facts.cluster.in_auto_mode:  # which takes an instance type that the zone has
        yield _offerings(project, account, chosen)


def _offerings(project: Project, account: Account, zones: list[str]) -> Finding:
    kind = project.facts.cluster.nodes.instance_type
    filters = [{"Name": "instance-type", "Values": [kind]}]
    answer = account.ask("ec2", "describe_instance_type_offerings", LocationType="availability-zone", Filters=filters)
    missing = sorted(set(zones) - {offering["Location"] for offering in answer["InstanceTypeOfferings"]})
    if missing:
        return Finding(
            State.FAILURE,
            f"no {kind} in {', '.join(missing)}",
            "choose another slipway:cluster.nodes.instanceType, or other zones",
        )
    return Finding(State.OK, f"{kind} is offered in each zone")
