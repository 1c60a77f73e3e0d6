"""Every AWS type that the program uses, from create over an unchanged second run and a refresh to delete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from provider_kit import checked, context

from slipway.providers.provider import CallContext, DiffChanges, ProviderError
from slipway.sandbox.providers.aws import AwsProvider

STATE = Path(__file__).parents[1] / "infra/states/dev.json"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": ["sts:AssumeRole"]}],
    }
)


@dataclass
class Made:
    """A resource as the engine's state has it."""

    ctx: CallContext
    id: str
    program: dict[str, Any]
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Stack:
    """What an engine does with the provider, for one resource at a time."""

    provider: AwsProvider
    made: dict[str, Made] = field(default_factory=dict)

    def make(self, key: str, token: str, **program: Any) -> dict[str, Any]:
        """Check, preview and create."""
        name = key.rpartition(" ")[2]
        ctx = context(token, name, seed=key)
        inputs = checked(self.provider, ctx, **program)
        self.provider.create(replace(ctx, preview=True), inputs)
        created = self.provider.create(ctx, inputs)
        self.made[key] = Made(ctx, created.id, program, inputs, created.outputs)
        return created.outputs

    def changes(self, key: str, olds: dict[str, Any] | None = None, **program: Any) -> Any:
        """The diff of a run with `program` merged into what the resource was made from."""
        made = self.made[key]
        checked = self.provider.check(made.ctx, made.inputs, {**made.program, **program})
        assert not checked.failures
        return self.provider.diff(made.ctx, made.id, olds or made.inputs, made.outputs, checked.inputs)

    def update(self, key: str, **program: Any) -> dict[str, Any]:
        """Update in place."""
        made = self.made[key]
        checked = self.provider.check(made.ctx, made.inputs, {**made.program, **program})
        made.outputs = self.provider.update(made.ctx, made.id, made.inputs, made.outputs, checked.inputs)
        made.program, made.inputs = {**made.program, **program}, checked.inputs
        return made.outputs

    def refresh(self, key: str) -> Any:
        """Read with the state at hand."""
        made = self.made[key]
        return self.provider.read(made.ctx, made.id, made.inputs, made.outputs)

    def delete(self, key: str) -> None:
        """Delete, and see that it is gone."""
        made = self.made.pop(key)
        self.provider.delete(made.ctx, made.id, made.inputs, made.outputs)


def make_what_the_program_declares(stack: Stack) -> None:
    """The inputs of dev's recorded state, with the real values in place of the made-up ones that they refer to."""
    real: dict[str, str] = {}
    for recorded in json.loads(STATE.read_text())["deployment"]["resources"]:
        if recorded["type"].startswith("aws:"):
            kind, name = recorded["type"].rsplit(":", 1)[-1], recorded["urn"].rsplit("::", 1)[-1]
            made = stack.make(
                f"{kind} {name.removeprefix('orders-dev-')}",
                recorded["type"],
                **{key: with_real_values(value, real) for key, value in recorded["inputs"].items()},
            )
            real[recorded["id"]] = made["id"]
            real.update(computed_values(recorded["outputs"], recorded["inputs"], made))


def computed_values(recorded: Any, inputs: Any, made: Any) -> Iterator[tuple[str, str]]:
    """What the recorded state has for each real text that the inputs do not say."""
    if isinstance(recorded, dict) and isinstance(made, dict):
        for key in recorded.keys() & made.keys():
            yield from computed_values(recorded[key], inputs.get(key) if isinstance(inputs, dict) else None, made[key])
    elif isinstance(recorded, list) and isinstance(made, list) and inputs is None:
        for before, after in zip(recorded, made, strict=False):
            yield from computed_values(before, None, after)
    elif isinstance(recorded, str) and isinstance(made, str) and inputs is None:
        yield recorded, made


def with_real_values(value: Any, real: Mapping[str, str]) -> Any:
    """`value` with every text that is known replaced."""
    if isinstance(value, dict):
        return {key: with_real_values(item, real) for key, item in value.items()}
    if isinstance(value, list):
        return [with_real_values(item, real) for item in value]
    return real.get(value, value) if isinstance(value, str) else value


def make_access(stack: Stack) -> None:
    """As components.Cluster where administrators are given."""
    admin = stack.make("admin", "aws:iam/role:Role", assumeRolePolicy=TRUST)["arn"]
    cluster = stack.made["Cluster orders-dev"].id
    entry = stack.make("entry", "aws:eks/accessEntry:AccessEntry", clusterName=cluster, principalArn=admin)
    stack.make(
        "association",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        clusterName=cluster,
        principalArn=entry["principalArn"],
        policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        accessScope={"type": "cluster"},
    )


def make_rules(stack: Stack) -> None:
    """Actions that are no forward, under the listener's older token, too."""
    listener = stack.make(
        "redirect",
        "aws:alb/listener:Listener",
        loadBalancerArn=stack.made["LoadBalancer orders-dev"].id,
        port=81,
        protocol="HTTP",
        defaultActions=[
            {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}}
        ],
    )["arn"]
    stack.make(
        "rule",
        "aws:lb/listenerRule:ListenerRule",
        listenerArn=listener,
        priority=10,
        conditions=[{"pathPattern": {"values": ["/gone/*"]}}],
        actions=[
            {
                "type": "fixed-response",
                "fixedResponse": {"contentType": "text/plain", "messageBody": "gone", "statusCode": "410"},
            }
        ],
    )


def make_alarms(stack: Stack) -> None:
    """As components.Monitoring where alarms are wanted."""
    topic = stack.made["Topic events"].id
    endpoint = "on-call@example.com"
    stack.make("log group", "aws:cloudwatch/logGroup:LogGroup", retentionInDays=7)
    stack.make("mail", "aws:sns/topicSubscription:TopicSubscription", topic=topic, protocol="email", endpoint=endpoint)
    for name, statistic in {
        "errors": {"statistic": "Sum", "metricName": "HTTPCode_Target_5XX_Count", "threshold": 10},
        "latency": {"extendedStatistic": "p99", "metricName": "TargetResponseTime", "threshold": 0.25},
    }.items():
        stack.make(
            name,
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            alarmDescription=name,
            namespace="AWS/ApplicationELB",
            dimensions={"LoadBalancer": "app/orders/1", "TargetGroup": "targetgroup/blue/1"},
            comparisonOperator="GreaterThanThreshold",
            period=60,
            evaluationPeriods=2,
            treatMissingData="notBreaching",
            alarmActions=[topic],
            okActions=[topic],
            **statistic,
        )


def make_ledger(stack: Stack) -> None:
    """The delivery ledger, as its own stack would declare it."""
    table = stack.make(
        "ledger",
        "aws:dynamodb/table:Table",
        name="slipway-ledger",
        billingMode="PAY_PER_REQUEST",
        hashKey="pk",
        rangeKey="sk",
        attributes=[{"name": "pk", "type": "S"}, {"name": "sk", "type": "S"}],
        pointInTimeRecovery={"enabled": True},
    )["name"]
    stack.make(
        "wanted",
        "aws:dynamodb/tableItem:TableItem",
        tableName=table,
        hashKey="pk",
        rangeKey="sk",
        item=json.dumps({"pk": {"S": "dev#orders"}, "sk": {"S": "wanted"}, "document": {"S": "{}"}}),
    )


def weights(groups: list[str], *shares: int) -> list[dict[str, Any]]:
    """Target groups with their shares."""
    return [{"arn": arn, "weight": share} for arn, share in zip(groups, shares, strict=True)]


def make_everything(provider: AwsProvider) -> Stack:
    """What the program makes."""
    result = Stack(provider)
    for make in (make_what_the_program_declares, make_access, make_rules, make_alarms, make_ledger):
        make(result)
    return result


@pytest.fixture(scope="module")
def stack(provider: AwsProvider) -> Stack:
    """Shared: tests may change it, but leave every resource in place."""
    return make_everything(provider)


def test_second_run_changes_nothing_when_inputs_are_the_same(stack: Stack) -> None:
    changed = {key: diff.detailed for key in stack.made if (diff := stack.changes(key)).changes is not DiffChanges.NONE}
    assert changed == {}


def test_refresh_finds_no_drift_when_nobody_touched_anything(stack: Stack) -> None:
    drifted: dict[str, Any] = {}
    for key, made in stack.made.items():
        found = stack.refresh(key)
        assert found.id == made.id, key
        diff = stack.changes(key, olds=found.inputs)
        if diff.changes is not DiffChanges.NONE:
            drifted[key] = diff.detailed
    assert drifted == {}


def test_refresh_tells_the_drift_when_somebody_moved_traffic(stack: Stack, provider: AwsProvider) -> None:
    live = stack.made["Listener live"]
    groups = [stack.made[f"TargetGroup {colour}"].id for colour in ("blue", "green")]
    shares = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (60, 40), strict=True)]
    elb = provider._configured().client("elbv2")  # pyright: ignore[reportPrivateUsage]
    elb.modify_listener(
        ListenerArn=live.id, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
    )
    found = stack.refresh("Listener live")
    assert found.inputs["defaultActions"][0]["forward"]["targetGroups"] == weights(groups, 60, 40)
    diff = stack.changes("Listener live", olds=found.inputs)
    assert diff.diffs == ("defaultActions",)
    assert not diff.replaces
    back = provider.update(live.ctx, live.id, found.inputs, found.outputs, live.inputs)
    assert back["defaultActions"] == live.outputs["defaultActions"]


def test_update_moves_traffic_in_place_when_weights_change(stack: Stack) -> None:
    groups = [stack.made[f"TargetGroup {colour}"].id for colour in ("blue", "green")]
    actions = [{"type": "forward", "forward": {"targetGroups": weights(groups, 10, 90)}}]
    assert not stack.changes("Listener live", defaultActions=actions).replaces
    stack.update("Listener live", defaultActions=actions)
    assert stack.refresh("Listener live").outputs["defaultActions"][0]["forward"]["targetGroups"] == weights(
        groups, 10, 90
    )
    assert stack.changes("Listener live").changes is DiffChanges.NONE


def test_update_of_something_else_leaves_traffic_where_others_moved_it(stack: Stack, provider: AwsProvider) -> None:
    """As Terraform's provider, which sends default actions only where the program changes them."""
    live = stack.made["Listener live"]
    groups = [stack.made[f"TargetGroup {colour}"].id for colour in ("blue", "green")]
    elb = provider._configured().client("elbv2")  # pyright: ignore[reportPrivateUsage]
    before, port = elb.describe_listeners(ListenerArns=[live.id])["Listeners"][0]["DefaultActions"], live.inputs["port"]
    shares = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (30, 70), strict=True)]
    forward = {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}
    elb.modify_listener(ListenerArn=live.id, DefaultActions=[forward])
    stack.update("Listener live", port=port + 1000)
    found = stack.refresh("Listener live").inputs["defaultActions"][0]["forward"]["targetGroups"]
    assert found == weights(groups, 30, 70)
    elb.modify_listener(ListenerArn=live.id, DefaultActions=before)
    stack.update("Listener live", port=port)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("Vpc vpc", {"cidrBlock": "10.8.0.0/16"}),
        ("Instance postgresql", {"dbName": "other"}),
        ("LoadBalancer orders-dev", {"internal": True}),
        ("TargetGroup blue", {"port": 9090}),
        ("ledger", {"hashKey": "sk", "rangeKey": "pk"}),
    ],
)
def test_diff_replaces_when_an_immutable_property_changes(stack: Stack, key: str, change: dict[str, Any]) -> None:
    assert set(stack.changes(key, **change).replaces) == set(change)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("Instance postgresql", {"allocatedStorage": 30, "maxAllocatedStorage": 150}),
        ("TargetGroup blue", {"deregistrationDelay": 30}),
        ("LoadBalancer orders-dev", {"idleTimeout": 90}),
        ("latency", {"threshold": 0.5}),
        ("log group", {"retentionInDays": 90}),
        ("ledger", {"tags": {"team": "shop"}}),
        ("Topic events", {"displayName": "Events"}),
        (
            "ParameterGroup parameters",
            {
                "parameters": [
                    {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"},
                    {"name": "log_min_duration_statement", "value": "250", "applyMethod": "immediate"},
                ]
            },
        ),
    ],
)
def test_update_converges_when_a_mutable_property_changes(stack: Stack, key: str, change: dict[str, Any]) -> None:
    assert stack.changes(key, **change).changes is DiffChanges.SOME
    outputs = stack.update(key, **change)
    assert {name: outputs[name] for name in change} == change
    assert stack.changes(key, olds=stack.refresh(key).inputs).changes is DiffChanges.NONE


def test_every_tagged_resource_carries_the_default_tags(stack: Stack) -> None:
    tagged = {key: made.outputs["tagsAll"] for key, made in stack.made.items() if "tagsAll" in made.outputs}
    assert len(tagged) > 20
    assert [key for key, tags in tagged.items() if tags.get("managed-by") != "slipway"] == []
    assert [key for key, tags in tagged.items() if "slipway:urn" in tags] == []


def test_functions_answer_what_the_program_asks(stack: Stack, provider: AwsProvider) -> None:
    def ask(token: str, **args: Any) -> dict[str, Any]:
        return provider.invoke(token, args, preview=False).outputs

    key = '{"pk": {"S": "dev#orders"}, "sk": {"S": "wanted"}}'
    item = ask("aws:dynamodb/getTableItem:getTableItem", tableName="slipway-ledger", key=key)["item"]
    assert json.loads(item)["document"] == {"S": "{}"}
    secret = stack.made["Instance postgresql"].outputs["masterUserSecrets"][0]["secretArn"]
    version = ask("aws:secretsmanager/getSecretVersion:getSecretVersion", secretId=secret)
    assert json.loads(version["secretString"])["password"]
    registry = stack.made["Repository orders-repository"].outputs["registryId"]
    token = ask("aws:ecr/getAuthorizationToken:getAuthorizationToken", registryId=registry)
    assert token["userName"] == "AWS"
    assert token["password"]
    assert ask("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == "123456789012"
    assert ask("aws:index/getRegion:getRegion")["region"] == "us-east-1"
    assert "us-east-1a" in ask("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")["names"]
    assert ask("aws:index/getPartition:getPartition")["partition"] == "aws"
    dns = ask("aws:eks/getAddonVersion:getAddonVersion", addonName="coredns", kubernetesVersion="1.35")
    assert dns["version"].startswith("v1.")
    statement = {"actions": ["s3:GetObject"], "resources": ["*"]}
    document = json.loads(ask("aws:iam/getPolicyDocument:getPolicyDocument", statements=[statement])["json"])
    assert document["Statement"][0]["Action"] == "s3:GetObject"


def test_refuses_a_missing_item_when_the_ledger_does_not_have_it(stack: Stack, provider: AwsProvider) -> None:
    args = {"tableName": stack.made["ledger"].id, "key": '{"pk": {"S": "no"}, "sk": {"S": "wanted"}}'}
    with pytest.raises(ProviderError, match="empty result"):
        provider.invoke("aws:dynamodb/getTableItem:getTableItem", args, preview=False)


def test_delete_leaves_nothing_when_all_is_destroyed(fresh_provider: AwsProvider) -> None:
    stack = make_everything(fresh_provider)
    left: list[str] = []
    keeping = {
        "DefaultSecurityGroup default-group",
        "Key key",
    }  # the first cannot be deleted, the second waits for its deletion date
    for key in reversed(list(stack.made)):
        made = stack.made[key]
        stack.delete(key)
        if key not in keeping and stack.provider.read(made.ctx, made.id, made.inputs, made.outputs).id:
            left.append(key)
    assert left == []
