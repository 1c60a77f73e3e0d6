"""What a reviewer must see in a preview: cascades, data at risk, and access that becomes broader. Pure rules over planned steps."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from slipway.stack.preview import UNKNOWN_TEXT, PlannedStep

STATEFUL = {
    "aws:rds/instance:Instance": "the database",
    "aws:rds/cluster:Cluster": "the database cluster",
    "aws:dynamodb/table:Table": "the table",
    "aws:s3/bucket:Bucket": "the bucket's objects",
    "aws:s3/bucketV2:BucketV2": "the bucket's objects",
    "aws:efs/fileSystem:FileSystem": "the file system",
    "aws:ebs/volume:Volume": "the volume",
    "aws:ecr/repository:Repository": "the images",
    "aws:kms/key:Key": "everything encrypted with the key",
    "aws:secretsmanager/secret:Secret": "the secret",
    "aws:sqs/queue:Queue": "the queue's messages",
    "aws:elasticache/replicationGroup:ReplicationGroup": "the cache's data",
    "aws:opensearch/domain:Domain": "the search index",
    "aws:cloudwatch/logGroup:LogGroup": "the logs",
    "kubernetes:core/v1:PersistentVolumeClaim": "the volume",
    "kubernetes:apps/v1:StatefulSet": "the set's volumes, if its claims go with it",
}
"""Types that hold data, and what is lost with them."""
HOLDING = frozenset(
    {
        *STATEFUL,
        "aws:ec2/vpc:Vpc",
        "aws:eks/cluster:Cluster",
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:lb/targetGroup:TargetGroup",
        "kubernetes:core/v1:Namespace",
    }
)
"""Types whose replacement takes data, traffic or everything inside along."""
REPLACING = frozenset({"replace", "create-replacement", "delete-replaced"})
DELETING = frozenset({"delete", "discard"})
INGRESS_TYPES = frozenset(
    {"aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"}
)


def is_cascade(step: PlannedStep, steps: Mapping[str, PlannedStep]) -> bool:
    """Whether a change only follows another resource's: everything that changes in it is not known before apply.

    Such a step often turns out to be no change at all.
    """
    if step.op not in {"update", *REPLACING} or not step.changed:
        return False
    if step.op in REPLACING and step.type in HOLDING:
        return False
    if step.provider and (provider := steps.get(step.provider)) and provider.op != "same" and not step.replaces_because:
        return True
    return all(_value_at(step.new, path) == UNKNOWN_TEXT for path in step.changed)


def find_data_risks(step: PlannedStep) -> Iterator[str]:
    """What data the step puts at risk."""
    what = STATEFUL.get(step.type)
    if what is None:
        return
    if step.op in DELETING:
        yield f"`{step.name}` ({step.type}) is deleted: {what} would be lost"
    elif step.op in REPLACING:
        because = (
            f" because {', '.join(f'`{path}`' for path in step.replaces_because)} changes"
            if step.replaces_because
            else ""
        )
        yield f"`{step.name}` ({step.type}) is replaced{because}: {what} would be lost"
    elif step.op == "update":
        for path in ("deletionProtection", "deletionProtectionEnabled", "pointInTimeRecovery", "backupRetentionPeriod"):
            before, after = step.old.get(path), step.new.get(path)
            if before and not after and path in step.old:
                yield f"`{step.name}` ({step.type}) loses its protection: `{path}` goes from {before} to {after}"


def find_broader_access(step: PlannedStep) -> Iterator[str]:
    """How the step opens something that was closed: security groups and IAM policies."""
    if step.op in DELETING or step.op == "same":
        return
    if step.type in INGRESS_TYPES:
        before = set(_sources(step.old))
        for source in _sources(step.new):
            if source not in before and _is_wide(source[1]):
                yield f"`{step.name}` opens port {source[0]} to {source[1]}"
    for document in ("policy", "assumeRolePolicy"):
        before = set(_grants(step.old.get(document)))
        for grant in _grants(step.new.get(document)):
            if grant not in before:
                yield f"`{step.name}` allows {grant}"
    if step.type == "aws:iam/rolePolicyAttachment:RolePolicyAttachment" and step.op in {"create", *REPLACING}:
        yield f"`{step.name}` attaches {step.new.get('policyArn')}"


def _sources(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(port, CIDR) of every ingress rule."""
    rules = cast("list[dict[str, Any]]", [rule for rule in _list(inputs.get("ingress")) if isinstance(rule, dict)])
    if "cidrIpv4" in inputs or "cidrIpv6" in inputs:
        rules = [{**inputs, "cidrBlocks": [inputs.get("cidrIpv4") or inputs.get("cidrIpv6")]}]
    for rule in rules:
        first, last = rule.get("fromPort"), rule.get("toPort")
        port = (
            "any"
            if first in {None, 0} and last in {None, 0, 65535}
            else f"{first}"
            if first == last
            else f"{first}-{last}"
        )
        for cidr in (*_list(rule.get("cidrBlocks")), *_list(rule.get("ipv6CidrBlocks"))):
            yield port, str(cidr)


def _is_wide(cidr: str) -> bool:
    """A public range, or a private one of more than 65,536 addresses."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return True  # not known yet: a reviewer should look
    return not network.is_private or network.num_addresses > 2**16


def _grants(document: Any) -> Iterator[str]:
    """Every (actions on resources to whom) that a policy document allows, as one line each."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            if document == UNKNOWN_TEXT:
                yield "what is only known after apply"
            return
    if not isinstance(document, dict):
        return
    for statement in _list(cast("dict[str, Any]", document).get("Statement")):
        if not isinstance(statement, dict):
            continue
        block = cast("dict[str, Any]", statement)
        if block.get("Effect") == "Allow":
            actions = ", ".join(sorted(str(item) for item in _list(block.get("Action", block.get("NotAction")))))
            resources = ", ".join(sorted(str(item) for item in _list(block.get("Resource")))) or "itself"
            whom = f" to {json.dumps(block['Principal'], sort_keys=True)}" if "Principal" in block else ""
            yield f"{'all but ' if 'NotAction' in block else ''}{actions} on {resources}{whom}"


def _list(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _value_at(inputs: Mapping[str, Any], path: str) -> Any:
    """The value at a property path (`spec.template`, `ingress[0].cidrBlocks`); what holds it, where the path ends early."""
    value: Any = inputs
    for part in path.replace("[", ".").replace("]", "").replace('"', "").split("."):
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(part)
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            value = items[int(part)] if part.isdigit() and int(part) < len(items) else None
        else:
            break
    return value  # pyright: ignore[reportUnknownVariableType] - JSON
