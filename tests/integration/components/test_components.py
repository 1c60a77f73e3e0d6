"""Every component on the real engine: all of its children with names, inputs and outputs, as the snapshots beside this file have them.

After a wanted change: `pytest tests/integration/components --slipway-update-snapshots`, and review the difference like code.
Not proven: that AWS and Kubernetes accept it; the fake providers know types, not rules of the services.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as k8s
import pytest

from components import (
    BlueGreenService,
    BlueGreenServiceArgs,
    Cluster,
    ClusterArgs,
    ColourRelease,
    Compute,
    Database,
    DatabaseArgs,
    Environment,
    EnvironmentArgs,
    Image,
    ImageArgs,
    LoadBalancer,
    LoadBalancerArgs,
    Monitoring,
    MonitoringArgs,
    NatGateways,
    Permission,
    PodSettings,
)
from slipway.testing import Deployment, Secret

SNAPSHOTS = Path(__file__).parent / "snapshots"
DIGEST = "sha256:" + "a" * 64
KEY = "arn:aws:kms:us-east-1:123456789012:key/1"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
TARGET_GROUPS = {
    colour: f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{colour}/1"
    for colour in ("blue", "green")
}
ANSWERS = {
    "aws:acm/certificate:Certificate": {
        "domainValidationOptions": [
            {
                "domainName": "orders.example.com",
                "resourceRecordName": "_1.orders.example.com",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_2.acm-validations.aws",
            }
        ]
    },
    "aws:eks/cluster:Cluster": {"vpcConfig": {"clusterSecurityGroupId": "sg-cluster"}},
    "docker:index/image:Image": {"repoDigest": f"registry.example.com/orders@{DIGEST}"},
}
INVOKES = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ["us-east-1a", "us-east-1b", "us-east-1c"]},
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
    "aws:index/getRegion:getRegion": {"region": "us-east-1"},
    "aws:secretsmanager/getSecretVersion:getSecretVersion": {"secretString": '{"password": "hunter2"}'},
    "aws:eks/getAddonVersion:getAddonVersion": lambda call: {
        "version": f"v1-of-{call.inputs['addonName']}-for-{call.inputs['kubernetesVersion']}"
    },
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
    "aws:ecr/getImages:getImages": {"imageIds": []},
}


def on_aws() -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(providers=[aws.Provider("aws", region="us-east-1")])


def environment() -> None:
    args = EnvironmentArgs(cidr="10.20.0.0/16", zone_count=2, nat_gateways=NatGateways.PER_ZONE, protect=True)
    Environment("shop", args, on_aws())


def cluster(compute: Compute = Compute.NODE_GROUP, version: str = "1.35") -> None:
    args = ClusterArgs(
        subnet_ids=["subnet-a", "subnet-b"],
        key_arn=KEY,
        region="us-east-1",
        kubernetes_version=version,
        compute=compute,
        admin_principal_arns=["arn:aws:iam::123456789012:role/deploy"],
        view_principal_arns=["arn:aws:iam::123456789012:role/preview"],
        endpoint_cidrs=["203.0.113.0/24"],
    )
    Cluster("shop", args, on_aws())


def cluster_in_auto_mode() -> None:
    cluster(Compute.AUTO)


def database() -> None:
    args = DatabaseArgs(
        vpc_id="vpc-1",
        subnet_ids=["subnet-a", "subnet-b"],
        client_security_group_ids={"pods": "sg-pods"},
        key_arn=KEY,
        database_name="orders",
        protect=True,
    )
    Database("shop", args, on_aws())


def load_balancer(blue: int = 90, certificate_arn: str | None = CERTIFICATE, cluster_name: str | None = None) -> None:
    args = LoadBalancerArgs(
        vpc_id="vpc-1",
        subnet_ids=["subnet-a", "subnet-b"],
        weights={"blue": blue, "green": 100 - blue},
        test_colour="green",
        pods_security_group_id="sg-pods",
        certificate_arn=certificate_arn,
        cluster_name=cluster_name,
        protect=True,
        allow_http=True,
    )
    LoadBalancer("shop", args, on_aws())


def load_balancer_with_a_domain() -> None:
    args = LoadBalancerArgs(
        vpc_id="vpc-1",
        subnet_ids=["subnet-a", "subnet-b"],
        weights={"blue": 90, "green": 10},
        test_colour="green",
        pods_security_group_id="sg-pods",
        domain="orders.example.com",
        zone_id="Z1",
        protect=True,
    )
    LoadBalancer("shop", args, on_aws())


def blue_green_service(compute: Compute = Compute.NODE_GROUP) -> None:
    args = BlueGreenServiceArgs(
        service="orders",
        cluster_name="shop",
        compute=compute,
        permissions=[Permission(actions=["sqs:SendMessage"], resources=["arn:aws:sqs:us-east-1:123456789012:orders"])],
        colours={"blue": ColourRelease(release="r1", version="1.0.0", image=f"orders@{DIGEST}"), "green": None},
        floors={"blue": 3, "green": 3},
        target_group_arns=TARGET_GROUPS,
        environment={"DATABASE_HOST": "db", "DATABASE_PASSWORD": pulumi.Output.secret("hunter2")},
        pod=PodSettings(port=8080),
    )
    BlueGreenService(
        "shop",
        args,
        pulumi.ResourceOptions(providers=[aws.Provider("aws", region="us-east-1"), k8s.Provider("cluster")]),
    )


def monitoring() -> None:
    args = MonitoringArgs(
        service="orders",
        region="us-east-1",
        load_balancer_arn="arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/shop/1",
        target_group_arns=TARGET_GROUPS,
        database_identifier="shop-postgresql",
        key_arn=KEY,
        alarms=True,
        running_colours=["blue"],
        subscriber_emails=["team@example.com"],
        subscriber_urls=["https://pages.example.com/alarms"],
    )
    Monitoring("shop", args, on_aws())


def image() -> None:
    providers = [aws.Provider("aws", region="us-east-1"), docker.Provider("docker")]
    args = ImageArgs(repository_url="registry.example.com/orders", context="context")
    Image("shop", args, pulumi.ResourceOptions(providers=providers))


PROGRAMS = [
    environment,
    cluster,
    cluster_in_auto_mode,
    database,
    load_balancer,
    load_balancer_with_a_domain,
    blue_green_service,
    monitoring,
    image,
]


@pytest.fixture
def deployed(
    request: pytest.FixtureRequest, deploy: Callable[..., Deployment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path)  # a relative context, as the program has it
    return deploy(request.param, answers=ANSWERS, invokes=INVOKES)


@pytest.mark.parametrize("deployed", PROGRAMS, indirect=True, ids=lambda program: program.__name__)
def test_component_declares_what_its_snapshot_has_and_a_second_preview_changes_nothing(
    deployed: Deployment, request: pytest.FixtureRequest, match_snapshot: Callable[[Deployment, Path], None]
) -> None:
    match_snapshot(deployed, SNAPSHOTS / f"{request.node.callspec.id}.yaml")

    (component,) = [each for each in deployed.resources if each.type.startswith("slipway:")]
    for each in deployed.resources:
        if each.custom and not each.type.startswith("pulumi:providers:"):
            assert each.parent == component.urn
            assert deployed.provider_of(each).type == f"pulumi:providers:{each.type.split(':')[0]}"
    deployed.preview().assert_no_changes()


def test_load_balancer_leaves_the_weights_of_a_listener_that_exists(deploy: Callable[..., Deployment]) -> None:
    """An `up` that began with an older ledger would bring traffic back to a release that was rolled back meanwhile."""
    deploy(load_balancer).preview(lambda: load_balancer(blue=0)).assert_no_changes()


def test_load_balancer_frees_port_80_before_the_live_listener_takes_it_back(deploy: Callable[..., Deployment]) -> None:
    """An ALB has one listener for each port, and the engine deletes what left the program at the very end."""
    secure = deploy(load_balancer)

    def plain() -> None:
        load_balancer(blue=0, certificate_arn=None)

    changes = [step.urn.rsplit("::", 1)[-1] for step in secure.preview(plain).changes if "istener:" in step.type]
    assert changes == ["shop-redirect", "shop-live"]
    listeners = {each.name: each.inputs for each in secure.update(plain).find(aws.lb.Listener)}
    assert {name: inputs["port"] for name, inputs in listeners.items()} == {"shop-live": 80}
    shares = listeners["shop-live"]["defaultActions"][0]["forward"]["targetGroups"]
    assert [each["weight"] for each in shares] == [0, 100], "not those of the listener that went"


def test_colour_keeps_its_template_and_secrets_until_it_is_released_again(deploy: Callable[..., Deployment]) -> None:
    """An `up` with another password and other settings changes the present Secret, and nothing of a colour that keeps its own."""

    def service(password: str, memory_mib: int, **colours: ColourRelease) -> None:
        args = BlueGreenServiceArgs(
            service="orders",
            cluster_name="shop",
            colours=colours,
            target_group_arns=TARGET_GROUPS,
            environment={"DATABASE_PASSWORD": pulumi.Output.secret(password)},
            pod=PodSettings(memory_mib=memory_mib),
        )
        providers = [aws.Provider("aws", region="us-east-1"), k8s.Provider("cluster")]
        BlueGreenService("shop", args, pulumi.ResourceOptions(providers=providers))

    def release(now: Deployment, name: str) -> ColourRelease:
        outputs = now.one("slipway:index:BlueGreenService").outputs
        template, secrets = outputs["podTemplate"], outputs["secretsRevision"]
        return ColourRelease(
            release=name, version="1.0.0", image=f"orders@{DIGEST}", template=template, secrets=secrets
        )

    first = release(deploy(lambda: service("hunter2", 192)), "r1")
    released = deploy(lambda: service("hunter2", 192, blue=first))
    changed = released.update(lambda: service("hunter3", 64, blue=first))
    assert [step.name for step in changed.changes] == ["shop-database"]

    second = release(changed, "r2")
    assert (second.template, second.secrets) != (first.template, first.secrets)
    both = changed.update(lambda: service("hunter3", 64, blue=first, green=second))
    assert {(step.op, step.name) for step in both.changes if not step.type.startswith("kubernetes:autoscaling")} == {
        ("create", f"shop-green-{second.secrets}"),
        ("create", "shop-green"),
    }
    limits = {
        each.name: each.inputs["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        for each in both.find(k8s.apps.v1.Deployment)
    }
    assert limits == {"shop-blue": {"memory": "192Mi"}, "shop-green": {"memory": "64Mi"}}


def test_bindings_to_auto_mode_are_made_before_the_old_ones_go(deploy: Callable[..., Deployment]) -> None:
    """Otherwise a colour that serves requests would have no targets in between. Not proven: that AWS's two controllers agree."""
    served = deploy(blue_green_service, answers=ANSWERS, invokes=INVOKES)

    steps = [
        (step.op, step.type.split(":")[1], step.urn.rsplit("::", 1)[-1])
        for step in served.preview(lambda: blue_green_service(Compute.AUTO)).changes
    ]
    bindings = ["shop-blue-binding", "shop-green-binding"]
    assert [step[:2] for step in steps] == [("create", "eks.amazonaws.com/v1")] * 2 + [
        ("delete", "elbv2.k8s.aws/v1beta1")
    ] * 2
    assert sorted(name for _, _, name in steps) == sorted(bindings * 2)


def test_cluster_that_has_a_node_group_is_not_replaced_by_auto_mode(deploy: Callable[..., Deployment]) -> None:
    planned = deploy(cluster, answers=ANSWERS, invokes=INVOKES).preview(cluster_in_auto_mode)

    assert [step.op for step in planned.changes if step.type == "aws:eks/cluster:Cluster"] == ["update"]


def secrets_in(value: Any, path: str = "") -> list[str]:
    if isinstance(value, Secret):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in secrets_in(item, f"{path}.{key}")]


@pytest.mark.parametrize(
    ("deployed", "kind", "secrets"),
    [
        (database, "slipway:index:Database", [".environment.DATABASE_PASSWORD"]),
        (image, "docker:index/image:Image", [".registry.password"]),
        # The engine marks the whole map: a Secret of Kubernetes is secret as such.
        (blue_green_service, "kubernetes:core/v1:Secret", [".stringData"]),
    ],
    indirect=["deployed"],
    ids=["database", "image", "blue_green_service"],
)
def test_passwords_are_secret_wherever_they_are_passed(deployed: Deployment, kind: str, secrets: list[str]) -> None:
    resource = deployed.one(kind)
    assert secrets_in({**resource.outputs} if not resource.custom else {**resource.inputs}) == secrets
