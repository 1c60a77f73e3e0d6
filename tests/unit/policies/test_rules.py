"""Every rule of the policy pack: one resource that passes and one that does not."""

import json
from typing import Any

import pytest

from policies.encryption import unencrypted
from policies.exposure import exposed
from policies.images import images_by_tag
from policies.tags import REQUIRED, untagged

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
CLUSTER = "aws:eks/cluster:Cluster"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
TAGS = {"tags": dict.fromkeys(REQUIRED, "x")}


def pods(image: object, kind: str = "containers") -> dict[str, Any]:
    return {"spec": {"template": {"spec": {kind: [{"name": "app", "image": image}]}}}}


def endpoint(cidrs: list[str]) -> dict[str, Any]:
    return {"vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": cidrs}}


def disk(encrypted: str) -> dict[str, Any]:
    return {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": encrypted}}]}


@pytest.mark.parametrize(
    ("rule", "resource_type", "good", "bad", "says"),
    [
        (unencrypted, "aws:rds/instance:Instance", {"storageEncrypted": True}, {}, "set storageEncrypted to true"),
        (unencrypted, "aws:eks/cluster:Cluster", {"encryptionConfig": {"a": 1}}, {}, "Secrets are not encrypted"),
        (
            unencrypted,
            "aws:ecr/repository:Repository",
            {"encryptionConfigurations": [1]},
            {},
            "encryptionConfigurations",
        ),
        (unencrypted, "aws:sns/topic:Topic", {"kmsMasterKeyId": "k"}, {}, "set kmsMasterKeyId"),
        (unencrypted, "aws:kms/key:Key", {"enableKeyRotation": True}, {"enableKeyRotation": False}, "never rotates"),
        (
            unencrypted,
            "aws:kms/key:Key",
            {"customerMasterKeySpec": "ECC_NIST_P256"},
            {"customerMasterKeySpec": "SYMMETRIC_DEFAULT"},
            "never rotates",
        ),
        (
            exposed,
            INGRESS,
            {"cidrIpv4": "0.0.0.0/0", "fromPort": 443, "toPort": 443},
            {"cidrIpv4": "0.0.0.0/0", "fromPort": 22, "toPort": 22},
            "ports 22 to 22 open to 0.0.0.0/0",
        ),
        (
            exposed,
            INGRESS,
            {"cidrIpv4": "10.0.0.0/8"},
            {"cidrIpv6": "::/0", "ipProtocol": "-1"},
            "every port open to ::/0",
        ),
        (
            exposed,
            "aws:ec2/securityGroupRule:SecurityGroupRule",
            {"type": "egress", "cidrBlocks": ["0.0.0.0/0"], "fromPort": 22, "toPort": 22},
            {"type": "ingress", "cidrBlocks": ["0.0.0.0/0"], "fromPort": 80, "toPort": 90},
            "ports 80 to 90",
        ),
        (
            exposed,
            "aws:ec2/securityGroup:SecurityGroup",
            {"ingress": [{"cidrBlocks": ["10.0.0.0/8"], "fromPort": 22, "toPort": 22}]},
            {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22, "toPort": 22}]},
            "ports 22 to 22",
        ),
        (exposed, "aws:rds/instance:Instance", {}, {"publiclyAccessible": True}, "set publiclyAccessible to false"),
        (exposed, "aws:ec2/subnet:Subnet", {}, {"mapPublicIpOnLaunch": True}, "mapPublicIpOnLaunch"),
        (exposed, CLUSTER, endpoint(["203.0.113.0/24"]), endpoint(["0.0.0.0/0"]), "set publicAccessCidrs"),
        (exposed, CLUSTER, {"vpcConfig": {"endpointPublicAccess": False}}, {}, "set publicAccessCidrs"),
        (exposed, TEMPLATE, {"metadataOptions": {"httpTokens": "required"}}, {}, "httpTokens to required"),
        (unencrypted, TEMPLATE, disk("true"), disk("false"), "disk /dev/xvda is not encrypted"),
        (images_by_tag, DEPLOYMENT, pods("a@sha256:0"), pods("a:1"), "container app runs a:1"),
        (images_by_tag, DEPLOYMENT, pods(None), pods("a", "initContainers"), "container app runs a"),
        (untagged, "pulumi:providers:aws", {"defaultTags": json.dumps(TAGS)}, {}, "default tags lack environment"),
        (
            untagged,
            "pulumi:providers:aws",
            {"defaultTags": TAGS},
            {"defaultTags": {"tags": {}}},
            "lack environment, service",
        ),
    ],
)
def test_rule_reports_only_what_violates_it(
    rule: Any, resource_type: str, good: dict[str, Any], bad: dict[str, Any], says: str
) -> None:
    assert list(rule(resource_type, good)) == []
    violations = list(rule(resource_type, bad))
    assert len(violations) == 1
    assert says in violations[0]


def test_rule_reports_every_open_switch_of_a_bucket() -> None:
    assert len(list(exposed("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", {"blockPublicAcls": True}))) == 3


@pytest.mark.parametrize("rule", [unencrypted, exposed, images_by_tag, untagged])
def test_rules_say_nothing_of_other_types(rule: Any) -> None:
    assert list(rule("random:index/randomId:RandomId", {"publiclyAccessible": True, "image": "a:1"})) == []
