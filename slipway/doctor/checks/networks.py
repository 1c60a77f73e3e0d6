"""Whether the environment's address range overlaps another one. AWS allows it; peering and routing between the two become impossible."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State

REMEDY = "choose another slipway:network.cidr before the first `up`: a VPC's range cannot be changed"


def check_stack_files(case: Case) -> Iterator[Finding]:
    """The ranges of the other environments."""
    project = case.project
    own = project.facts.network.cidr
    overlaps = {name: cidr for name, cidr in project.neighbours.items() if cidr.overlaps(own)}
    for name, cidr in overlaps.items():
        yield Finding(State.WARNING, f"{own} overlaps {cidr} of {name}", REMEDY)
    for name, reason in project.unreadable.items():
        yield Finding(State.NOT_ASKED, f"the range of {name}: {reason}", f"correct Pulumi.{name}.yaml")
    if not overlaps and not project.unreadable:
        yield Finding(State.OK, f"{own} overlaps no other environment's range")


def check_vpcs(case: Case) -> Iterator[Finding]:
    """The VPCs of the account that are not the environment's own."""
    project, account = case.project, case.account
    own = project.facts.network.cidr
    overlaps = 0
    for vpc in account.ask("ec2", "describe_vpcs")["Vpcs"]:
        if project.owns(vpc.get("Tags")):
            continue
        for block in vpc.get("CidrBlockAssociationSet") or [{"CidrBlock": vpc["CidrBlock"]}]:
            if IPv4Network(block["CidrBlock"]).overlaps(own):
                overlaps += 1
                yield Finding(State.WARNING, f"{own} overlaps {block['CidrBlock']} of {vpc['VpcId']}", REMEDY)
    if not overlaps:
        yield Finding(State.OK, f"{own} overlaps no other VPC in {account.region}")
