"""What is read from the SDKs, what the fakes refuse and answer, and which changes replace."""

from __future__ import annotations

from typing import Any

import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from slipway.providers.schema import ResourceSchema, function_schema, installed_packages, properties_of, resource_schema
from slipway.providers.values import UNKNOWN, Asset, Secret
from slipway.testing.checking import check_properties
from slipway.testing.replacement import Change, compare, replacing
from slipway.testing.session import Options
from slipway.testing.values import Identity, compute_outputs, hide_computed


def schema_of(cls: type, token: str) -> ResourceSchema:
    schema = resource_schema(cls, token)
    assert schema is not None
    return schema


DATABASE = schema_of(aws.rds.Instance, "aws:rds/instance:Instance")
POD = schema_of(k8s.core.v1.Pod, "kubernetes:core/v1:Pod")
BINDING = schema_of(k8s.apiextensions.CustomResource, "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding")


def test_schema_tells_required_inputs_from_optional_ones() -> None:
    assert [name for name, declared in DATABASE.inputs.items() if not declared.optional] == ["instanceClass"]
    assert not DATABASE.outputs["arn"].optional
    assert not DATABASE.open


def test_every_installed_sdk_is_served() -> None:
    assert {"aws", "docker", "kubernetes"} <= set(installed_packages())


@pytest.mark.parametrize(
    ("schema", "inputs", "want"),
    [
        (DATABASE, {}, ["instanceClass: missing required property, want a string or one of"]),
        (DATABASE, {"instanceClass": "db.t4g.micro", "storageGib": 1}, ["storageGib: unknown property"]),
        (
            DATABASE,
            {"instanceClass": "db.t4g.micro", "port": "5432"},
            ['port: want a whole number, got the string "5432"'],
        ),
        (
            DATABASE,
            {"instanceClass": "db.t4g.micro", "port": 5432.5},
            ["port: want a whole number, got the number 5432.5"],
        ),
        (DATABASE, {"instanceClass": "db.t4g.micro", "multiAz": 1}, ["multiAz: want a boolean, got the number 1"]),
        (DATABASE, {"instanceClass": "x", "tags": {"a b": 1}}, ['tags["a b"]: want a string, got the number 1']),
        (DATABASE, {"instanceClass": UNKNOWN, "port": Secret(UNKNOWN)}, []),
        (POD, {"apiVersion": "v2"}, ["apiVersion: want 'v1', got the string \"v2\""]),
        (POD, {"spec": {"containers": [{"image": "a"}]}}, ["spec.containers[0].name: missing required property"]),
        (
            POD,
            {"spec": {"containers": [{"name": "a", "livenessProbe": {"httpGet": {"port": [1]}}}]}},
            ["spec.containers[0].livenessProbe.httpGet.port: want a whole number or a string, got the list [1]"],
        ),
        (POD, {"spec": {"containers": {}}}, ["spec.containers: want a list of Container, got the object {}"]),
        (BINDING, {"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding", "status": 1}, []),
    ],
)
def test_faults_name_path_want_and_got(schema: ResourceSchema, inputs: dict[str, Any], want: list[str]) -> None:
    got = [f"{fault.path}: {fault.reason}" for fault in check_properties(inputs, schema.inputs, open_=schema.open)]
    assert len(got) == len(want)
    assert all(text.startswith(start) for text, start in zip(got, want, strict=True)), got


def test_assets_unions_and_documents_are_checked() -> None:
    page = schema_of(aws.s3.BucketObjectv2, "aws:s3/bucketObjectv2:BucketObjectv2")
    inputs: dict[str, Any] = {"bucket": "b", "source": Asset(text="hello")}
    assert list(check_properties(inputs, page.inputs)) == []
    assert [f.path for f in check_properties({"bucket": "b", "source": "hello"}, page.inputs)] == ["source"]

    role = schema_of(aws.iam.Role, "aws:iam/role:Role")
    for policy in ('{"Statement": []}', {"Version": "2012-10-17", "Statement": []}):
        assert list(check_properties({"assumeRolePolicy": policy}, role.inputs)) == []
    assert [f.path for f in check_properties({"assumeRolePolicy": 1}, role.inputs)] == ["assumeRolePolicy"]


def test_function_schema_is_found_by_its_token() -> None:
    assert callable(aws.secretsmanager.get_secret_version)
    schema = function_schema("aws:secretsmanager/getSecretVersion:getSecretVersion")
    assert schema is not None
    assert [fault.path for fault in check_properties({"secretID": "a"}, schema.arguments)] == ["secretID"]
    assert "secretString" in schema.outputs
    assert function_schema("aws:nowhere/getNothing:getNothing") is None
    policy = function_schema("aws:iam/getPolicyDocument:getPolicyDocument")
    assert policy
    inside = check_properties({"statements": [{"actions": ["*"]}, {"actionz": ["*"]}]}, policy.arguments)
    assert [fault.path for fault in inside] == ["statements[1].actionz"]


@pytest.mark.parametrize(
    ("option", "token"),
    [
        ("answers", "aws:s3:Bucket"),
        ("answers", "aws:s3/bukket:Bukket"),
        ("replace_on", "aws:s3/bucket:Bukket"),
        ("invokes", "aws:iam:getPolicyDocument"),
        ("invokes", "aws:s3/bucket:Bucket"),
    ],
)
def test_answer_that_nothing_asks_for_is_refused(option: str, token: str) -> None:
    with pytest.raises(ValueError, match=f"{option}: the installed SDK of aws has no {token}; a token is like aws:s3/"):
        Options(**{option: {token: {}}})  # pyright: ignore[reportArgumentType]


def test_answers_are_taken_by_class_and_for_packages_without_an_sdk() -> None:
    given = Options(answers={aws.s3.Bucket: {"arn": "a"}, "acme:index:Site": {}, "kubernetes:core/v1:Pod": {}})
    assert [*(given.answers or {})] == ["aws:s3/bucket:Bucket", "acme:index:Site", "kubernetes:core/v1:Pod"]


def test_computed_outputs_are_stable_and_of_the_right_type() -> None:
    outputs = compute_outputs(Identity("aws:rds/instance:Instance", "db"), DATABASE, {"port": 5432})
    assert outputs["arn"] == "arn:aws:rds:us-east-1:123456789012:instance/db"
    assert outputs["masterUserSecrets"][0]["secretArn"].startswith("arn:aws:rds:")
    assert "port" not in outputs
    assert "tags" not in outputs
    faults = check_properties(outputs, DATABASE.outputs, open_=True)
    assert [fault for fault in faults if "missing" not in fault.reason] == []


def test_preview_hides_what_the_inputs_do_not_say() -> None:
    answer = {"vpcConfig": {"subnetIds": ["a"], "clusterSecurityGroupId": "sg"}, "arn": "arn"}
    assert hide_computed(answer, {"vpcConfig": {"subnetIds": ["a"]}}) == {
        "vpcConfig": {"subnetIds": ["a"], "clusterSecurityGroupId": UNKNOWN},
        "arn": UNKNOWN,
    }


def test_comparison_ignores_a_providers_own_defaults() -> None:
    old = {"__defaults": ["name"], "name": "db-1a2b3c4", "port": 1, "tags": {"a": "1"}, "list": [1]}
    assert list(compare(old, {"port": 2, "tags": {"a": "1", "b": "2"}, "list": []})) == [
        Change("list[0]", "delete"),
        Change("port", "update"),
        Change("tags.b", "add"),
    ]


def test_block_that_is_added_is_compared_by_what_it_has() -> None:
    """A cluster that is given `elasticLoadBalancing` keeps its `ipFamily`, which would replace it."""
    added = {"kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}}}
    changes = list(compare({}, added))
    assert changes == [Change("kubernetesNetworkConfig.elasticLoadBalancing.enabled", "add")]
    assert not replacing("aws:eks/cluster:Cluster", changes, {}, {})
    family = compare({}, {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}})
    assert replacing("aws:eks/cluster:Cluster", family, {}, {})


@pytest.mark.parametrize(
    ("token", "path", "replaces"),
    [
        ("aws:rds/instance:Instance", "kmsKeyId", True),
        ("aws:rds/instance:Instance", "instanceClass", False),
        ("aws:ec2/vpc:Vpc", "cidrBlock", True),
        ("aws:eks/cluster:Cluster", "roleArn", True),
        ("aws:eks/cluster:Cluster", "version", False),
        ("aws:lb/targetGroup:TargetGroup", "port", True),
        ("aws:lb/targetGroup:TargetGroup", "healthCheck.path", False),
        ("kubernetes:apps/v1:Deployment", "spec.selector.matchLabels.app", True),
        ("kubernetes:apps/v1:Deployment", "spec.replicas", False),
        ("kubernetes:core/v1:Namespace", "metadata.name", True),
        ("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name", True),
        ("random:index/x:X", "length", False),
    ],
)
def test_replacements_are_known_where_it_matters(token: str, path: str, replaces: bool) -> None:
    assert bool(replacing(token, [Change(path, "update")], {}, {})) is replaces


def test_replacements_come_from_the_test_and_from_the_sdk_too() -> None:
    change = Change("length", "update")
    assert replacing("random:index/x:X", [change], {}, {"random:index/x:X": ["length"]}) == [change]
    forcing = [name for name, declared in properties_of(aws.eks.ClusterArgs).items() if declared.forces_new]
    assert forcing == ["bootstrapSelfManagedAddons"]
