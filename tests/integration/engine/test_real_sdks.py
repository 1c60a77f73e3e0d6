"""Programs on the generated SDKs (aws, kubernetes, docker) against a provider that gives back what it gets.

Not proven here: that the real providers accept any of it; only that what these SDKs put on the wire goes through the engine whole.
"""

from __future__ import annotations

# ruff: noqa: A002 - `id` is the provider interface's word
import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as k8s
import pytest
from engine_kit import MemoryStack, Run
from recording_provider import Cloud

from slipway.engine.config import StackConfig
from slipway.engine.provider import (
    CallContext,
    CheckResult,
    CreateResult,
    InvokeResult,
    Provider,
    ReadResult,
)
from slipway.engine.values import Secret


class EchoProvider(Provider):
    """Any package: outputs are the inputs, ids are names, functions answer their arguments and a fixed account."""

    supports_preview = True

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def configure(self, ctx: CallContext, inputs: dict[str, Any]) -> None:
        self.cloud.record("configure", ctx.type.split(":")[-1], inputs)

    def check(self, ctx: CallContext, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        return CheckResult(inputs=news)

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.preview:
            return CreateResult(id="", outputs=inputs)
        self.cloud.record("create", ctx.type, ctx.name, inputs)
        return CreateResult(id=f"{ctx.name}-id", outputs={**inputs, "arn": f"arn:aws:test:::{ctx.name}"})

    def read(self, ctx: CallContext, id: str, inputs: Any, outputs: Any) -> ReadResult:
        return ReadResult(id=id, outputs=outputs, inputs=inputs)

    def update(self, ctx: CallContext, id: str, old_inputs: Any, old_outputs: Any, news: Any) -> dict[str, Any]:
        if not ctx.preview:
            self.cloud.record("update", ctx.type, ctx.name, news)
        return {**old_outputs, **news}

    def delete(self, ctx: CallContext, id: str, inputs: Any, outputs: Any) -> None:
        self.cloud.record("delete", ctx.type, ctx.name)

    def invoke(self, token: str, args: Any, *, preview: bool) -> InvokeResult:
        self.cloud.record("invoke", token)
        answers = {"aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012", "id": "x"}}
        return InvokeResult(outputs={**args, **answers.get(token, {})})


class Service(pulumi.ComponentResource):
    """A component as ours are: a network, a database with a password, and a deployment."""

    def __init__(self, name: str, replicas: int, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("shop:index:Service", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.0.0.0/16", tags={"team": "shop"}, opts=child)
        zones = ["a", "b"]
        subnets = [
            aws.ec2.Subnet(f"{name}-{zone}", vpc_id=vpc.id, cidr_block=f"10.0.{i}.0/24", opts=child)
            for i, zone in enumerate(zones)
        ]
        group = aws.rds.SubnetGroup(f"{name}-db", subnet_ids=[subnet.id for subnet in subnets], opts=child)
        aws.rds.Instance(
            f"{name}-db",
            instance_class="db.t4g.micro",
            engine="postgres",
            allocated_storage=20,
            username="app",
            password=pulumi.Output.secret("hush-hush"),
            db_subnet_group_name=group.name,
            skip_final_snapshot=True,
            opts=pulumi.ResourceOptions(parent=self, protect=False),
        )
        cluster = k8s.Provider(
            f"{name}-k8s", kubeconfig=vpc.arn.apply(lambda arn: json.dumps({"arn": arn})), opts=child
        )
        labels = {"app": name}
        in_cluster = pulumi.ResourceOptions(parent=self, provider=cluster)
        self.deployment = k8s.apps.v1.Deployment(
            f"{name}-app",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=name, labels=labels),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=replicas,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels),
                    spec=k8s.core.v1.PodSpecArgs(containers=[k8s.core.v1.ContainerArgs(name="app", image="app:1")]),
                ),
            ),
            opts=in_cluster,
        )
        k8s.core.v1.Secret(f"{name}-secret", string_data={"password": "hush-hush"}, opts=in_cluster)
        self.vpc_id = vpc.id
        self.register_outputs({"vpcId": vpc.id})


def program(replicas: int) -> Any:
    def run() -> None:
        service = Service("shop", replicas)
        aws.s3.Bucket("logs", bucket="logs", opts=pulumi.ResourceOptions(retain_on_delete=True))
        docker.Network("net", name="net")
        pulumi.export("account", aws.get_caller_identity_output().account_id)
        pulumi.export("vpc", service.vpc_id)
        pulumi.export("image", service.deployment.spec.apply(lambda spec: spec.template.spec.containers[0].image))

    return run


@pytest.fixture
def aws_stack(stack: MemoryStack, cloud: Cloud) -> MemoryStack:
    stack.make_provider = lambda: EchoProvider(cloud)
    stack.config = StackConfig(
        values={"aws:region": "eu-west-1", "aws:secretKey": "hush-key"}, secret_keys=frozenset({"aws:secretKey"})
    )
    return stack


def versions(run: Run) -> set[str]:
    return {state.urn.split("::")[-1] for state in run.snapshot.resources if state.type.startswith("pulumi:providers:")}


@pytest.mark.filterwarnings("ignore:.*has been deprecated:DeprecationWarning")
def test_generated_sdks_go_up_change_and_come_down(aws_stack: MemoryStack, cloud: Cloud) -> None:
    preview = aws_stack.preview(program(1))
    assert preview.ok, preview.errors
    assert preview.outputs["account"] == "123456789012"
    up = aws_stack.up(program(1))
    assert up.ok, up.errors
    assert up.outputs == {"account": "123456789012", "vpc": "shop-vpc-id", "image": "app:1"}
    assert up.changes == preview.changes == {"create": 12}
    assert versions(up) == {"default_7_51_1", "default_5_2_0", "shop-k8s"}
    settings = [call[2] for call in cloud.taken("configure") if call[1] == "aws"]
    assert settings[0]["region"] == "eu-west-1"
    assert settings[0]["secretKey"] == "hush-key"
    assert aws_stack.up(program(1)).changes == {"same": 12}
    changed = aws_stack.up(program(3))
    assert changed.changes == {"same": 11, "update": 1}
    assert cloud.taken("update")[0][3]["spec"]["replicas"] == 3
    assert aws_stack.refresh().changes == {"same": 9}
    down = aws_stack.destroy()
    assert down.ok, down.errors
    assert down.snapshot.resources == ()
    order = [call[2] for call in cloud.taken("delete")]
    assert order.index("shop-app") < order.index("shop-vpc")
    assert order.index("shop-a") < order.index("shop-vpc")
    assert "logs" not in order


@pytest.mark.filterwarnings("ignore:.*has been deprecated:DeprecationWarning")
def test_generated_sdks_keep_their_secrets(aws_stack: MemoryStack) -> None:
    run = aws_stack.up(program(1))
    database = next(state for state in run.snapshot.resources if state.type == "aws:rds/instance:Instance")
    assert database.inputs["password"] == Secret("hush-hush")
    assert database.outputs["password"] == Secret("hush-hush")
    assert "password" in database.additional_secret_outputs
    secret = next(state for state in run.snapshot.resources if state.type == "kubernetes:core/v1:Secret")
    assert isinstance(secret.outputs["stringData"], Secret)
