"""Whether the account's quotas have room for what the environment does not have yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from slipway.doctor.account import Account, CannotAskError
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State
from slipway.doctor.project import Project

STANDARD_FAMILIES = frozenset("acdhimrtz")
"""Instance families that share one quota of vCPU; source: EC2 user guide, "On-Demand Instance quotas", 2026."""
AUTO_NODE_VCPUS = 2
NO_APPLIED_QUOTA = "NoSuchResourceException"


class Demand(NamedTuple):
    """What the environment wants of a quota, and what others already use."""

    wanted: int
    used_by_others: int


class Quota(NamedTuple):
    """A quota of Service Quotas, and how its use is found out."""

    what: str
    service: str
    code: str
    demand: Callable[[Project, Account], Demand]


def check_quotas(case: Case) -> Iterator[Finding]:
    """Each by itself: one may be asked where another may not."""
    project, account = case.project, case.account
    for quota in QUOTAS:
        try:
            yield _compare(quota, project, account)
        except CannotAskError as error:
            yield Finding(State.NOT_ASKED, f"{quota.what}: {error}", error.remedy)


def _compare(quota: Quota, project: Project, account: Account) -> Finding:
    demand = quota.demand(project, account)
    limit = _limit(quota, account)
    used, wanted = demand.used_by_others, demand.wanted
    text = f"{quota.what}: {wanted} wanted, {used} in use by others, {limit} allowed"
    if used + wanted <= limit:
        return Finding(State.OK, text)
    return Finding(
        State.FAILURE, text, f"ask for {used + wanted} in Service Quotas ({quota.service}, {quota.code}), or free some"
    )


def _limit(quota: Quota, account: Account) -> int:
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    try:
        answer = account.ask("service-quotas", "get_service_quota", **names)
    except CannotAskError as error:
        if error.code != NO_APPLIED_QUOTA:
            raise
        # An account that never had another value has the default.
        answer = account.ask("service-quotas", "get_aws_default_service_quota", **names)
    return int(answer["Quota"]["Value"])


def _addresses(project: Project, account: Account) -> Demand:
    found = account.ask("ec2", "describe_addresses")["Addresses"]
    return Demand(project.facts.network.address_count, _of_others(project, found))


def _vpcs(project: Project, account: Account) -> Demand:
    return Demand(1, _of_others(project, account.ask("ec2", "describe_vpcs")["Vpcs"]))


def _of_others(project: Project, resources: list[dict[str, Any]]) -> int:
    return sum(not project.owns(resource.get("Tags")) for resource in resources)


def _load_balancers(project: Project, account: Account) -> Demand:
    own = re.compile(rf"{re.escape(project.name)}-[0-9a-f]{{7}}")
    found = account.ask("elbv2", "describe_load_balancers")["LoadBalancers"]
    return Demand(
        1, sum(each["Type"] == "application" and not own.fullmatch(each["LoadBalancerName"]) for each in found)
    )


def _vcpus(project: Project, account: Account) -> Demand:
    """On-demand instances of the standard families; nodes of the cluster carry its name as a tag. In Auto Mode as many as the pods need:
    one small node in each zone is the least."""
    cluster, nodes = project.facts.cluster, project.facts.cluster.nodes
    wanted = project.facts.network.zone_count * AUTO_NODE_VCPUS if cluster.in_auto_mode else 0
    if not cluster.in_auto_mode and is_standard(nodes.instance_type):
        (kind,) = account.ask("ec2", "describe_instance_types", InstanceTypes=[nodes.instance_type])["InstanceTypes"]
        wanted = nodes.maximum * kind["VCpuInfo"]["DefaultVCpus"]
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    used = 0
    for reservation in account.ask("ec2", "describe_instances", Filters=states)["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", ())}
            spot = instance.get("InstanceLifecycle") == "spot"
            if not spot and is_standard(instance["InstanceType"]) and tags.get("eks:cluster-name") != project.name:
                options = instance.get("CpuOptions", {})
                used += options.get("CoreCount", 1) * options.get("ThreadsPerCore", 1)
    return Demand(wanted, used)


def is_standard(instance_type: str) -> bool:
    """Whether instances of this type count for the standard families' vCPU. The letters before the generation: `hpc` is no `h`."""
    letters = re.match(r"[a-z]+", instance_type)
    return letters is not None and letters[0] in STANDARD_FAMILIES | {"is", "im"}


QUOTAS = (
    Quota("elastic addresses", "ec2", "L-0263D0A3", _addresses),
    Quota("vCPU of on-demand standard instances", "ec2", "L-1216C47A", _vcpus),
    Quota("application load balancers", "elasticloadbalancing", "L-53DA6B97", _load_balancers),
    Quota("VPCs", "vpc", "L-F678F1CE", _vpcs),
)
