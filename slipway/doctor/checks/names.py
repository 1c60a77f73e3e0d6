"""Whether AWS and Kubernetes will accept the names that the program makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State

GENERATED_SUFFIX = "-0000000"
"""Pulumi adds a dash and seven random digits to a name that the program leaves to it."""


class Name(NamedTuple):
    """A kind of resource, and the longest name that the program makes for one."""

    type: str
    template: str
    limit: int
    generated: bool = False


# Sources of the limits: the API reference of each service (pattern and length of the name), 2026.
NAMES = (
    Name("aws:lb/loadBalancer:LoadBalancer", "{name}", 32, generated=True),
    Name("aws:lb/targetGroup:TargetGroup", "{name}-green", 32),
    Name("aws:eks/cluster:Cluster", "{name}", 100),
    Name("aws:eks/nodeGroup:NodeGroup", "{name}-nodes", 63, generated=True),
    Name("aws:iam/role:Role", "{name}-pods-migrations", 64, generated=True),
    Name("aws:ec2/launchTemplate:LaunchTemplate", "{name}-nodes", 128, generated=True),
    Name("aws:ec2/securityGroup:SecurityGroup", "{name}-doors", 255, generated=True),
    Name("aws:rds/instance:Instance", "{name}-postgresql", 63),
    Name("aws:rds/subnetGroup:SubnetGroup", "{name}-subnets", 255, generated=True),
    Name("aws:rds/parameterGroup:ParameterGroup", "{name}-parameters", 255, generated=True),
    Name("aws:sns/topic:Topic", "{name}-events", 256, generated=True),
    Name("aws:cloudwatch/dashboard:Dashboard", "{name}", 255),
    Name("aws:cloudwatch/logGroup:LogGroup", "/aws/rds/instance/{name}-postgresql/postgresql", 512),
    Name("aws:kms/alias:Alias", "alias/{name}", 256),
    Name("kubernetes:core/v1:Namespace", "{service}", 63),
    Name("kubernetes:core/v1:Service", "{service}-green", 63),
)


def check_names(case: Case) -> Iterator[Finding]:
    """A line for each name that is too long, or one for all."""
    project = case.project
    service = project.facts.service.name
    lengths = {entry: len(_expand(entry, project.name, service)) for entry in NAMES}
    for entry, length in lengths.items():
        if length > entry.limit:
            kind, name = entry.type.rpartition(":")[2], _expand(entry, project.name, service)
            shorter = length - entry.limit
            yield Finding(
                State.FAILURE,
                f"{kind} {name} has {length} characters; {entry.limit} are allowed",
                f"make the names of service and environment {shorter} shorter; together with the dash they have {len(project.name)}",
            )
    if all(length <= entry.limit for entry, length in lengths.items()):
        tightest = max(lengths, key=lambda entry: lengths[entry] / entry.limit)
        kind = tightest.type.rpartition(":")[2]
        yield Finding(
            State.OK, f"all within the limits; the tightest is {kind} with {lengths[tightest]} of {tightest.limit}"
        )


def _expand(entry: Name, name: str, service: str) -> str:
    return entry.template.format(name=name, service=service) + (GENERATED_SUFFIX if entry.generated else "")
