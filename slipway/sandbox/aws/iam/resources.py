"""What a call needs: actions, each on a resource.

ARNs are made from the service authorization reference and the call's parameters. Where a part cannot be known, such as the id of what
is about to be made, the ARN has `*` there, which a policy must cover by a wildcard of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import product

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.actions import FREE, action_of
from slipway.sandbox.aws.iam.parameters import Texts, tags_of
from slipway.sandbox.aws.iam.passed_roles import passed_roles
from slipway.sandbox.aws.iam.reference import ResourceType, resource_types, tagging_action
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.iam.special_resources import SPECIAL, Need

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
GIVEN = {"Partition": "aws"}
NAMES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cloudwatch", "AlarmName"): ("alarmname", "alarmnames"),
    ("cloudwatch", "DashboardName"): ("dashboardname", "dashboardnames"),
    ("dynamodb", "TableName"): ("tablename", "sourcetablename", "targettablename"),
    ("ec2", "SecurityGroupId"): ("groupid", "groupids", "securitygroupid", "securitygroupids"),
    ("ec2", "VpcFlowLogId"): ("flowlogids",),
    ("eks", "ClusterName"): ("clustername", "name"),
    ("eks", "UUID"): ("associationid",),
    ("eks-auth", "ClusterName"): ("clustername",),
    ("elasticloadbalancing", "LoadBalancerName"): ("loadbalancername", "loadbalancernames", "name"),
    ("elasticloadbalancing", "TargetGroupName"): ("name",),
    ("rds", "ClusterParameterGroupName"): ("dbclusterparametergroupname",),
    ("rds", "ClusterSnapshotName"): ("dbclustersnapshotidentifier",),
    ("rds", "DbClusterInstanceName"): ("dbclusteridentifier",),
    ("rds", "DbInstanceName"): ("dbinstanceidentifier",),
    ("rds", "ParameterGroupName"): ("dbparametergroupname",),
    ("rds", "SnapshotName"): ("dbsnapshotidentifier",),
    ("rds", "SubnetGroupName"): ("dbsubnetgroupname",),
    ("route53", "Id"): ("hostedzoneid", "healthcheckid", "id", "resourceid"),
    ("sns", "TopicName"): ("name",),
}
"""Parameters that hold a part of an ARN under another name than the reference's."""
LOAD_BALANCER_TYPES = {"application": "app", "network": "net", "gateway": "gwy"}


def needs_of(call: ApiCall) -> list[Need]:
    """Everything that must be allowed for the call."""
    if (call.service, call.operation) in FREE:
        return []
    special = SPECIAL.get((call.service, call.operation)) or SPECIAL.get((call.service, ""))
    needs = special(call) if special else None
    if needs is None:
        action = action_of(call)
        needs = [Need(f"{call.prefix}:{action}", arn) for arn in resources_of(call, action)]
    return [*needs, *_tagging(call, needs), *passed_roles(call)]


def resources_of(call: ApiCall, action: str) -> list[str]:
    """The ARNs that an action of the call is about; `*` for an action without resources."""
    types = [each for each in resource_types(call.prefix, action) or () if _fits_service(each, call)]
    texts = Texts(call.parameters)
    groups: dict[str, list[ResourceType]] = {}
    for each in types:
        groups.setdefault(_group(each.arn), []).append(each)
    arns: list[str] = []
    for members in groups.values():
        # Kinds of one group are alternatives: a listener is one of an application load balancer or of a network load balancer.
        named = [arn for each in members for arn in texts.arns() if _pattern(each.arn).fullmatch(arn)]
        made = [made for each in members for made in _made(each.arn, call, texts)]
        whole = [arn for arn, filled, missing in made if filled and not missing]
        partly = [arn for arn, filled, _ in made if filled]
        unknown = [arn for (arn, _, _), each in zip(made, members, strict=False) if each.required]
        # An ARN in some other parameter does not stand for what the call names.
        arns += [*named, *(whole or partly)] or unknown[:1]
    return list(dict.fromkeys(arns)) or ["*"]


def _tagging(call: ApiCall, needs: list[Need]) -> list[Need]:
    """The right to tag what a call makes, which most services ask for as well."""
    if not needs or not tags_of(call.parameters):
        return []
    making = needs[0].action.partition(":")[2]
    tagging = tagging_action(call.prefix, making)
    return [Need(tagging, needs[0].resource, ((f"{call.prefix}:createaction", making),))] if tagging else []


def _made(template: str, call: ApiCall, texts: Texts) -> list[tuple[str, bool, bool]]:
    """ARNs from a template; with each whether a part was found in the parameters, and whether one was not."""
    given = {**GIVEN, "Region": call.region, "Account": call.serving_account}
    names = [name for name in PLACEHOLDER.findall(template) if name not in given]
    values = {name: _values(name, call, texts) for name in dict.fromkeys(names)}
    filled, missing = any(values.values()), not all(values.values())
    choices = [[(name, value) for value in found or ["*"]] for name, found in values.items()]
    return [
        (PLACEHOLDER.sub(lambda found, chosen=dict(each): {**given, **chosen}[found[1]], template), filled, missing)
        for each in product(*choices)
    ]


def _values(name: str, call: ApiCall, texts: Texts) -> list[str]:
    if call.prefix == "eks" and name.startswith("IamIdentity"):
        return known.identity_part(name, texts.of("principalarn"))
    found = texts.of(*NAMES.get((call.prefix, name), (name.lower(), f"{name.lower()}s")))
    if call.prefix == "route53":
        found = [text.rpartition("/")[2] for text in found]
    if call.prefix == "rds":
        found = [text.lower() for text in found]
    return [text for text in found if not text.startswith("arn:") and text]


def _fits_service(kind: ResourceType, call: ApiCall) -> bool:
    """Both generations of load balancers share a prefix, and a new load balancer is of one type."""
    if call.service not in {"elb", "elbv2"}:
        return True
    resource = kind.arn.split(":", 5)[-1]
    if call.service == "elb" or resource.startswith("loadbalancer/$"):
        return (call.service == "elb") == resource.startswith("loadbalancer/$")
    if call.operation != "CreateLoadBalancer":
        return True
    short = LOAD_BALANCER_TYPES.get(str(call.parameters.get("Type", "application")), "")
    return resource.startswith(f"loadbalancer/{short}/")


def _group(template: str) -> str:
    return re.split(r"[/:$]", template.split(":", 5)[-1], maxsplit=1)[0]


@lru_cache(maxsize=1024)
def _pattern(template: str) -> re.Pattern[str]:
    words = [re.escape(word) for word in PLACEHOLDER.split(template)[::2]]
    return re.compile(".+".join(words) if len(words) > 1 else words[0], re.DOTALL)
