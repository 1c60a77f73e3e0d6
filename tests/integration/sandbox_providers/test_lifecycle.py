"""Every AWS type that the program uses, from create over an unchanged second run and a refresh to delete."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from slipway.providers.provider import CallContext, DiffChanges, ProviderError
from slipway.sandbox.providers.aws import AwsProvider

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
        ctx = CallContext(urn=f"urn:pulumi:dev::shop::{token}::{key}", type=token, name=key, random_seed=key.encode())
        checked = self.provider.check(ctx, {}, program)
        assert not checked.failures, f"{token}: {checked.failures}"
        planned = CallContext(urn=ctx.urn, type=token, name=key, preview=True)
        self.provider.create(planned, checked.inputs)
        created = self.provider.create(ctx, checked.inputs)
        self.made[key] = Made(ctx, created.id, program, checked.inputs, created.outputs)
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


def make_network(stack: Stack) -> None:
    """As components.Environment."""
    vpc = stack.make(
        "vpc",
        "aws:ec2/vpc:Vpc",
        cidrBlock="10.9.0.0/16",
        enableDnsHostnames=True,
        enableDnsSupport=True,
        tags={"Name": "dev"},
    )["id"]
    stack.make("default-group", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", vpcId=vpc)
    gateway = stack.make("internet", "aws:ec2/internetGateway:InternetGateway", vpcId=vpc, tags={"Name": "dev"})["id"]
    table = stack.make("public", "aws:ec2/routeTable:RouteTable", vpcId=vpc, tags={"Name": "public"})["id"]
    stack.make(
        "public-internet",
        "aws:ec2/route:Route",
        routeTableId=table,
        destinationCidrBlock="0.0.0.0/0",
        gatewayId=gateway,
    )
    for zone, block in {"us-east-1a": "10.9.0.0/20", "us-east-1b": "10.9.16.0/20"}.items():
        subnet = stack.make(
            f"subnet-{zone}",
            "aws:ec2/subnet:Subnet",
            vpcId=vpc,
            availabilityZone=zone,
            cidrBlock=block,
            mapPublicIpOnLaunch=False,
            tags={"Name": zone, "kubernetes.io/role/elb": "1"},
        )["id"]
        stack.make(
            f"public-{zone}",
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            subnetId=subnet,
            routeTableId=table,
        )
    address = stack.make("nat-address", "aws:ec2/eip:Eip", domain="vpc")["id"]
    nat = stack.make("nat", "aws:ec2/natGateway:NatGateway", subnetId=subnets(stack)[0], allocationId=address)["id"]
    private = stack.make("private", "aws:ec2/routeTable:RouteTable", vpcId=vpc)["id"]
    stack.make(
        "private-nat", "aws:ec2/route:Route", routeTableId=private, destinationCidrBlock="0.0.0.0/0", natGatewayId=nat
    )
    key = stack.make(
        "key", "aws:kms/key:Key", description="Data at rest", enableKeyRotation=True, deletionWindowInDays=30
    )
    stack.make("alias", "aws:kms/alias:Alias", name="alias/dev", targetKeyId=key["keyId"])


def subnets(stack: Stack) -> list[str]:
    """Both subnets' ids."""
    return [stack.made[f"subnet-{zone}"].id for zone in ("us-east-1a", "us-east-1b")]


def make_cluster(stack: Stack) -> None:
    """As components.Cluster."""
    roles: dict[str, str] = {}
    for name in ("control-plane", "nodes", "admin"):
        role = stack.make(name, "aws:iam/role:Role", assumeRolePolicy=TRUST)
        roles[name] = role["arn"]
        stack.make(
            f"{name}-policy",
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            role=role["name"],
            policyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
        )
    cluster = stack.make(
        "cluster",
        "aws:eks/cluster:Cluster",
        version="1.35",
        roleArn=roles["control-plane"],
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        vpcConfig={"subnetIds": subnets(stack), "endpointPrivateAccess": True, "endpointPublicAccess": True},
        encryptionConfig={"provider": {"keyArn": stack.made["key"].outputs["arn"]}, "resources": ["secrets"]},
        enabledClusterLogTypes=["api", "audit", "authenticator"],
    )["name"]
    stack.make(
        "node-group",
        "aws:eks/nodeGroup:NodeGroup",
        clusterName=cluster,
        nodeRoleArn=roles["nodes"],
        subnetIds=subnets(stack),
        instanceTypes=["t3.medium"],
        labels={},
        scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 3},
        updateConfig={"maxUnavailable": 1},
    )
    entry = stack.make("entry", "aws:eks/accessEntry:AccessEntry", clusterName=cluster, principalArn=roles["admin"])
    stack.make(
        "association",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        clusterName=cluster,
        principalArn=entry["principalArn"],
        policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
        accessScope={"type": "cluster"},
    )
    stack.make(
        "addon",
        "aws:eks/addon:Addon",
        clusterName=cluster,
        addonName="coredns",
        resolveConflictsOnCreate="OVERWRITE",
        resolveConflictsOnUpdate="PRESERVE",
    )


def make_images(stack: Stack) -> None:
    """As components.Image."""
    repository = stack.make(
        "repository",
        "aws:ecr/repository:Repository",
        name="orders",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfigurations=[{"encryptionType": "KMS", "kmsKey": stack.made["key"].outputs["arn"]}],
        forceDelete=True,
    )["name"]
    rule = {
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
        "action": {"type": "expire"},
    }
    stack.make(
        "lifecycle",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        repository=repository,
        policy=json.dumps({"rules": [rule]}),
    )


def make_database(stack: Stack) -> None:
    """As components.Database."""
    group = stack.make(
        "door", "aws:ec2/securityGroup:SecurityGroup", description="PostgreSQL", vpcId=stack.made["vpc"].id
    )["id"]
    stack.make(
        "door-pods",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=group,
        referencedSecurityGroupId=stack.made["default-group"].id,
        ipProtocol="tcp",
        fromPort=5432,
        toPort=5432,
        description="pods",
    )
    names = stack.make("subnets", "aws:rds/subnetGroup:SubnetGroup", subnetIds=subnets(stack))["name"]
    parameters = stack.make(
        "parameters",
        "aws:rds/parameterGroup:ParameterGroup",
        family="postgres15",
        parameters=[
            {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"},
            {"name": "log_min_duration_statement", "value": "1000", "applyMethod": "immediate"},
        ],
    )["name"]
    key = stack.made["key"].outputs["arn"]
    stack.make(
        "postgresql",
        "aws:rds/instance:Instance",
        engine="postgres",
        engineVersion="15",
        instanceClass="db.t4g.micro",
        allocatedStorage=20,
        maxAllocatedStorage=100,
        storageType="gp3",
        storageEncrypted=True,
        kmsKeyId=key,
        dbName="orders",
        username="slipway",
        manageMasterUserPassword=True,
        masterUserSecretKmsKeyId=key,
        port=5432,
        dbSubnetGroupName=names,
        parameterGroupName=parameters,
        vpcSecurityGroupIds=[group],
        publiclyAccessible=False,
        multiAz=False,
        backupRetentionPeriod=7,
        copyTagsToSnapshot=True,
        deletionProtection=False,
        skipFinalSnapshot=True,
        autoMinorVersionUpgrade=True,
        performanceInsightsEnabled=True,
        enabledCloudwatchLogsExports=["postgresql"],
    )


def make_balancer(stack: Stack) -> None:
    """As components.LoadBalancer."""
    group = stack.make(
        "doors", "aws:ec2/securityGroup:SecurityGroup", description="Load balancer", vpcId=stack.made["vpc"].id
    )["id"]
    stack.make(
        "doors-live",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=group,
        cidrIpv4="0.0.0.0/0",
        ipProtocol="tcp",
        fromPort=80,
        toPort=80,
        description="live listener",
    )
    stack.make(
        "doors-out",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        securityGroupId=group,
        cidrIpv4="0.0.0.0/0",
        ipProtocol="tcp",
        fromPort=8080,
        toPort=8080,
        description="pods",
    )
    balancer = stack.make(
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        loadBalancerType="application",
        internal=False,
        subnets=subnets(stack),
        securityGroups=[group],
        dropInvalidHeaderFields=True,
        enableDeletionProtection=False,
    )["arn"]
    groups = [
        stack.make(
            f"orders-{colour}",
            "aws:lb/targetGroup:TargetGroup",
            vpcId=stack.made["vpc"].id,
            port=8080,
            protocol="HTTP",
            targetType="ip",
            deregistrationDelay=15,
            healthCheck={
                "path": "/readyz",
                "matcher": "200",
                "interval": 5,
                "timeout": 3,
                "healthyThreshold": 2,
                "unhealthyThreshold": 2,
            },
        )["arn"]
        for colour in ("blue", "green")
    ]
    listener = stack.make(
        "live",
        "aws:alb/listener:Listener",
        loadBalancerArn=balancer,
        port=80,
        protocol="HTTP",
        defaultActions=[{"type": "forward", "forward": {"targetGroups": weights(groups, 100, 0)}}],
    )["arn"]
    stack.make(
        "test",
        "aws:lb/listener:Listener",
        loadBalancerArn=balancer,
        port=8080,
        protocol="HTTP",
        defaultActions=[{"type": "forward", "targetGroupArn": groups[1]}],
    )
    stack.make(
        "redirect",
        "aws:lb/listener:Listener",
        loadBalancerArn=balancer,
        port=81,
        protocol="HTTP",
        defaultActions=[
            {"type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"}}
        ],
    )
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


def weights(groups: list[str], *shares: int) -> list[dict[str, Any]]:
    """Target groups with their shares."""
    return [{"arn": arn, "weight": share} for arn, share in zip(groups, shares, strict=True)]


def make_monitoring(stack: Stack) -> None:
    """As components.Monitoring."""
    stack.make("logs", "aws:cloudwatch/logGroup:LogGroup", name="/slipway/orders", retentionInDays=30)
    topic = stack.make("events", "aws:sns/topic:Topic", kmsMasterKeyId=stack.made["key"].outputs["arn"])["arn"]
    stack.make(
        "mail",
        "aws:sns/topicSubscription:TopicSubscription",
        topic=topic,
        protocol="email",
        endpoint="on-call@example.com",
    )
    body = {
        "widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 6, "properties": {"markdown": "orders"}}]
    }
    stack.make(
        "dashboard",
        "aws:cloudwatch/dashboard:Dashboard",
        dashboardName="orders",
        dashboardBody=json.dumps(body, indent=1),
    )
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


def make_everything(provider: AwsProvider) -> Stack:
    """What the program makes."""
    result = Stack(provider)
    for make in (make_network, make_cluster, make_images, make_database, make_balancer, make_monitoring, make_ledger):
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
    live = stack.made["live"]
    groups = [stack.made[f"orders-{colour}"].id for colour in ("blue", "green")]
    shares = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in zip(groups, (60, 40), strict=True)]
    elb = provider._configured().client("elbv2")  # pyright: ignore[reportPrivateUsage]
    elb.modify_listener(
        ListenerArn=live.id, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
    )
    found = stack.refresh("live")
    assert found.inputs["defaultActions"][0]["forward"]["targetGroups"] == weights(groups, 60, 40)
    diff = stack.changes("live", olds=found.inputs)
    assert diff.diffs == ("defaultActions",)
    assert not diff.replaces
    back = provider.update(live.ctx, live.id, found.inputs, found.outputs, live.inputs)
    assert back["defaultActions"] == live.outputs["defaultActions"]


def test_update_moves_traffic_in_place_when_weights_change(stack: Stack) -> None:
    groups = [stack.made[f"orders-{colour}"].id for colour in ("blue", "green")]
    actions = [{"type": "forward", "forward": {"targetGroups": weights(groups, 10, 90)}}]
    assert not stack.changes("live", defaultActions=actions).replaces
    stack.update("live", defaultActions=actions)
    assert stack.refresh("live").outputs["defaultActions"][0]["forward"]["targetGroups"] == weights(groups, 10, 90)
    assert stack.changes("live").changes is DiffChanges.NONE


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("vpc", {"cidrBlock": "10.8.0.0/16"}),
        ("postgresql", {"dbName": "other"}),
        ("balancer", {"internal": True}),
        ("orders-blue", {"port": 9090}),
        ("ledger", {"hashKey": "sk", "rangeKey": "pk"}),
    ],
)
def test_diff_replaces_when_an_immutable_property_changes(stack: Stack, key: str, change: dict[str, Any]) -> None:
    assert set(stack.changes(key, **change).replaces) == set(change)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("postgresql", {"allocatedStorage": 30, "maxAllocatedStorage": 150}),
        ("orders-blue", {"deregistrationDelay": 30}),
        ("balancer", {"idleTimeout": 90}),
        ("latency", {"threshold": 0.5}),
        ("logs", {"retentionInDays": 90}),
        ("ledger", {"tags": {"team": "shop"}}),
        ("events", {"displayName": "Events"}),
        (
            "parameters",
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
    secret = stack.made["postgresql"].outputs["masterUserSecrets"][0]["secretArn"]
    version = ask("aws:secretsmanager/getSecretVersion:getSecretVersion", secretId=secret)
    assert json.loads(version["secretString"])["password"]
    registry = stack.made["repository"].outputs["registryId"]
    token = ask("aws:ecr/getAuthorizationToken:getAuthorizationToken", registryId=registry)
    assert token["userName"] == "AWS"
    assert token["password"]
    assert ask("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == "123456789012"
    assert ask("aws:index/getRegion:getRegion")["region"] == "us-east-1"
    assert "us-east-1a" in ask("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")["names"]
    assert ask("aws:index/getPartition:getPartition")["partition"] == "aws"
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
    keeping = {"default-group", "key"}  # the first cannot be deleted, the second waits for its deletion date
    for key in reversed(list(stack.made)):
        made = stack.made[key]
        stack.delete(key)
        if key not in keeping and stack.provider.read(made.ctx, made.id, made.inputs, made.outputs).id:
            left.append(key)
    assert left == []
