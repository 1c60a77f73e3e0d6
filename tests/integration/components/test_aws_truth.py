"""What AWS refuses, drops or punishes: a test for each row of the review "What AWS does that the first sandbox let pass".

All look at one deployment of the program with fake providers. Not proven: that AWS accepts it. `aws_truth.yaml` has all rows, also those
that other tests hold and those that are still open.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest
import yaml

from components import Compute
from components.compute import ADDONS
from components.database import largest_storage_gib
from infra.program import deploy as program
from slipway.testing import Deployment

ACCOUNT = "123456789012"
CI, TEAM, PREVIEW = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("ci/deploy", "team/deploy", "preview"))
CLUSTER = {
    "access": {"deploy": [CI], "people": [TEAM], "preview": [PREVIEW]},
    "endpointCidrs": ["203.0.113.0/24"],
}
ZONES = {"us-east-1a": "use1-az3", "us-east-1b": "use1-az1", "us-east-1c": "use1-az2", "us-east-1d": "use1-az4"}
"""Names and IDs, as one account has them. EKS does not run in use1-az3."""
NAME = "orders-prod"
DOMAIN = "orders.example.com"
ZONE_IDS = {"example.com": "Z1"}
VALIDATION = {
    "domainName": DOMAIN,
    "resourceRecordName": f"_1.{DOMAIN}",
    "resourceRecordType": "CNAME",
    "resourceRecordValue": "_2.acm-validations.aws",
}
DEPLOYED: dict[str, Deployment] = {}


class Shop:
    """The deployed stack, in short words."""

    def __init__(self, deployment: Deployment) -> None:
        self.one, self.find, self.outputs = deployment.one, deployment.find, deployment.outputs

    def inputs(self, kind: type, role: str = "") -> Mapping[str, Any]:
        return self.one(kind, f"{NAME}-{role}" if role else None).inputs

    def waits(self, kind: type, *roles: str) -> bool:
        """Whether all resources of a type wait for one of each of these names."""
        waited = [{urn.rsplit("::", 1)[-1] for urn in resource.dependencies} for resource in self.find(kind)]
        return bool(waited) and all({f"{NAME}-{role}" if role else NAME for role in roles} <= names for names in waited)

    def may(self, role: str) -> dict[str, Any]:
        """What the policy of a pod's role allows: resources by action."""
        document = json.loads(self.inputs(aws.iam.RolePolicy, role)["policy"])
        return {
            action: resource
            for each in document["Statement"]
            for action in each["Action"]
            for resource in each["Resource"]
        }

    def database_user(self, user: str) -> str:
        resource_id = self.one(aws.rds.Instance).outputs["resourceId"]
        return f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:{resource_id}/{user}"

    def alarm(self, role: str, *properties: str) -> list[Any]:
        alarm = self.inputs(aws.cloudwatch.MetricAlarm, role)
        return [alarm[name] for name in ("metricName", "comparisonOperator", *properties)]


def offered_addon(call: Any) -> dict[str, Any]:
    return {"version": f"{call.inputs['addonName']} of {call.inputs['kubernetesVersion']}"}


def offered_zones(call: Any) -> dict[str, Any]:
    return {"names": [name for name, zone_id in ZONES.items() if zone_id not in call.inputs.get("excludeZoneIds", [])]}


@pytest.fixture
def make_shop(deploy: Callable[..., Deployment], stack_options: dict[str, Any], tmp_path: Path) -> Callable[..., Shop]:
    """Production with more people, deployed by the first test that needs it."""

    def make(kind: str, **cluster: Any) -> Shop:
        if kind not in DEPLOYED:
            stack = yaml.safe_load((stack_options["project"] / "Pulumi.prod.yaml").read_text())
            nodes = stack["config"]["slipway:cluster"].pop("nodes")
            stack["config"]["slipway:cluster"] |= CLUSTER | cluster | ({} if cluster else {"nodes": nodes})
            stack["config"]["slipway:service"]["domain"] = DOMAIN
            stack["config"]["slipway:loadBalancer"] = {"protect": True}
            (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(stack))
            shutil.copy(stack_options["project"] / "Pulumi.yaml", tmp_path)
            invokes, answers = stack_options["invokes"], stack_options["answers"]
            invokes["aws:index/getAvailabilityZones:getAvailabilityZones"] = offered_zones
            invokes["aws:eks/getAddonVersion:getAddonVersion"] = offered_addon
            invokes["aws:route53/getZone:getZone"] = lambda call: {"zoneId": ZONE_IDS[call.inputs["name"]]}
            answers["aws:acm/certificate:Certificate"] = {"domainValidationOptions": [VALIDATION]}
            DEPLOYED[kind] = deploy(program, stack="prod", **{**stack_options, "project": tmp_path})
        return Shop(DEPLOYED[kind])

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """On a node group."""
    return make_shop("nodeGroup")


@pytest.fixture
def auto_shop(make_shop: Callable[..., Shop]) -> Shop:
    """In Auto Mode."""
    return make_shop("auto", compute="auto")


def test_row_1_pods_admit_the_load_balancer_on_their_port(shop: Shop) -> None:
    doors = shop.one(aws.ec2.SecurityGroup, f"{NAME}-doors").id
    pods = shop.one(aws.eks.Cluster).outputs["vpcConfig"]["clusterSecurityGroupId"]
    port = {"ipProtocol": "tcp", "fromPort": 8080, "toPort": 8080}
    for kind, role, group, peer in (
        (aws.vpc.SecurityGroupIngressRule, "pods", pods, doors),
        (aws.vpc.SecurityGroupEgressRule, "to-pods", doors, pods),
    ):
        rule = shop.inputs(kind, role)
        wanted = {"securityGroupId": group, "referencedSecurityGroupId": peer, **port}
        assert {key: value for key, value in rule.items() if key != "description"} == wanted


def test_row_2_nothing_is_installed_by_hand_before_pods_are_bound_to_the_load_balancer(auto_shop: Shop) -> None:
    """Auto Mode has the binding's resource; it wants all parts together, and none of what would come with a cluster otherwise."""
    cluster = auto_shop.inputs(aws.eks.Cluster)
    role = auto_shop.one(aws.iam.Role, f"{NAME}-auto-nodes")
    assert cluster["computeConfig"] == {
        "enabled": True,
        "nodePools": ["general-purpose", "system"],
        "nodeRoleArn": role.outputs["arn"],
    }
    assert cluster["kubernetesNetworkConfig"] == {"elasticLoadBalancing": {"enabled": True}}
    assert cluster["storageConfig"] == {"blockStorage": {"enabled": True}}
    assert cluster["bootstrapSelfManagedAddons"] is False
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    bindings = auto_shop.find("kubernetes:eks.amazonaws.com/v1:TargetGroupBinding")
    assert sorted(binding.name for binding in bindings) == [f"{NAME}-blue-binding", f"{NAME}-green-binding"]
    assert all({*binding.inputs["spec"]} == {"serviceRef", "targetGroupARN", "targetType"} for binding in bindings)
    assert not auto_shop.find("kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding")
    groups = auto_shop.find(aws.lb.TargetGroup)
    assert [group.inputs["tags"]["eks:eks-cluster-name"] for group in groups] == [cluster["name"]] * 2
    labels = auto_shop.inputs(k8s.core.v1.Namespace)["metadata"]["labels"]
    assert labels["eks.amazonaws.com/pod-readiness-gate-inject"] == "enabled"


def test_row_3_the_test_route_is_where_users_are_and_opens_to_a_secret(shop: Shop) -> None:
    """A port of its own was closed to CI, which comes from anywhere. A refresh finds nothing of it that delivery moved."""
    rule, live = shop.one(aws.lb.ListenerRule), shop.one(aws.lb.Listener, f"{NAME}-live")
    assert rule.inputs["listenerArn"] == live.outputs["arn"]
    assert {each.inputs["port"] for each in shop.find(aws.lb.Listener)} == {80, 443}
    (condition,) = rule.inputs["conditions"]
    (value,) = condition["httpHeader"]["values"]
    assert len(value.value) >= 40
    assert [*rule.ignore_changes] == ["conditions"] == [*rule.secret_outputs]
    doors = [each.inputs for each in shop.find(aws.vpc.SecurityGroupIngressRule) if "cidrIpv4" in each.inputs]
    assert {each["fromPort"] for each in doors} == {80, 443}
    assert rule.inputs["actions"][0]["targetGroupArn"] == shop.one(aws.lb.TargetGroup, f"{NAME}-green").outputs["arn"]


def test_row_5_users_and_probe_ask_by_the_domain_which_the_certificate_is_for(shop: Shop) -> None:
    assert shop.outputs["url"] == shop.outputs["delivery"]["loadBalancer"]["url"] == f"https://{DOMAIN}"
    assert shop.inputs(aws.acm.Certificate)["domainName"] == DOMAIN
    alias, validation = (shop.inputs(aws.route53.Record, role) for role in ("alias", "validation"))
    assert [alias["zoneId"], alias["name"], alias["type"], len(alias["aliases"])] == ["Z1", DOMAIN, "A", 1]
    assert [validation["zoneId"], validation["name"]] == ["Z1", f"_1.{DOMAIN}"]
    # A listener is refused a certificate that is not issued.
    assert f"{NAME}-issued" in {
        urn.rsplit("::", 1)[-1] for urn in shop.one(aws.lb.Listener, f"{NAME}-live").dependencies
    }


def test_row_8_access_is_by_entries_alone_whatever_the_last_part_of_an_arn(shop: Shop) -> None:
    assert not shop.inputs(aws.eks.Cluster)["accessConfig"]["bootstrapClusterCreatorAdminPermissions"]
    policies = {e.inputs["principalArn"]: e.inputs["policyArn"] for e in shop.find(aws.eks.AccessPolicyAssociation)}
    assert {arn: policy.rsplit("/", 1)[-1] for arn, policy in policies.items()} == {
        CI: "AmazonEKSClusterAdminPolicy",
        TEAM: "AmazonEKSClusterAdminPolicy",
        PREVIEW: "AmazonEKSViewPolicy",
    }
    entries = [e.name for e in shop.find(aws.eks.AccessEntry)]
    waited = [urn.rsplit("::", 1)[-1] for urn in shop.one(k8s.Provider).dependencies]
    assert {*entries} <= {*waited}


def test_row_10_zones_are_those_with_eks(shop: Shop) -> None:
    used = {subnet.inputs["availabilityZone"] for subnet in shop.find(aws.ec2.Subnet)}
    assert used == {"us-east-1b", "us-east-1c", "us-east-1d"}


def test_row_11_what_needs_the_internet_gateway_waits_for_it(shop: Shop) -> None:
    assert shop.waits(aws.ec2.Eip, "internet")
    assert shop.waits(aws.ec2.NatGateway, "internet")
    assert shop.waits(aws.lb.LoadBalancer, "public-internet", "public-us-east-1b")


def test_row_12_target_groups_have_short_names(shop: Shop) -> None:
    assert {group.inputs["name"] for group in shop.find(aws.lb.TargetGroup)} == {f"{NAME}-blue", f"{NAME}-green"}


def test_row_13_pods_have_no_password_that_rds_changes(shop: Shop) -> None:
    assert shop.inputs(aws.rds.Instance)["iamDatabaseAuthenticationEnabled"] is True
    assert not shop.find(k8s.core.v1.Secret)
    (container,) = shop.one(k8s.apps.v1.Deployment).inputs["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "orders-database"}}]
    told = shop.inputs(k8s.core.v1.ConfigMap, "login")["data"]
    assert (told["DATABASE_USER"], told["DATABASE_REGION"]) == ("orders_app", "us-east-1")
    assert shop.may("pods") == {"rds-db:connect": shop.database_user("orders_app")}
    assert shop.waits(k8s.apps.v1.Deployment, "pods", "login", "login-ca")


def test_row_15_pods_come_late_and_go_slowly(shop: Shop) -> None:
    labels = shop.inputs(k8s.core.v1.Namespace)["metadata"]["labels"]
    assert [labels.get(f"{api}/pod-readiness-gate-inject") for api in ("elbv2.k8s.aws", "eks.amazonaws.com")] == [
        "enabled",
        "enabled",
    ]
    assert shop.waits(k8s.apps.v1.Deployment, "blue", "blue-binding")
    pod = shop.inputs(k8s.apps.v1.Deployment)["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 20
    delays = {group.inputs["deregistrationDelay"] for group in shop.find(aws.lb.TargetGroup)}
    assert delays == {15}
    assert pod["terminationGracePeriodSeconds"] == 20 + 15 + 10  # preStop, deregistration, slowest request


def test_row_16_routes_outlive_what_needs_them(shop: Shop) -> None:
    routes = ("private-us-east-1b", "private-us-east-1b-internet", "private-us-east-1d-internet")
    assert shop.waits(aws.eks.Cluster, *routes)
    assert shop.waits(aws.eks.NodeGroup, *routes)


def test_row_17_roles_have_their_policies_before_they_are_used(shop: Shop) -> None:
    assert shop.waits(aws.eks.Cluster, "control-plane-AmazonEKSClusterPolicy")
    assert shop.waits(aws.eks.NodeGroup, "nodes-AmazonEKSWorkerNodePolicy", "nodes-AmazonEKS_CNI_Policy")


def test_row_18_nodes_come_and_go_with_the_pods(auto_shop: Shop) -> None:
    assert not auto_shop.find(aws.eks.NodeGroup)
    assert not auto_shop.find(aws.ec2.LaunchTemplate)
    assert [addon.inputs["addonName"] for addon in auto_shop.find(aws.eks.Addon)] == ["metrics-server"]
    assert auto_shop.outputs["delivery"]["cluster"].get("maximumNodes") is None
    control = [f"control-plane-AmazonEKS{name}Policy" for name in ("BlockStorage", "Compute", "LoadBalancing")]
    control += ["control-plane-AmazonEKSClusterPolicy", "control-plane-AmazonEKSNetworkingPolicy"]
    nodes = [
        f"auto-nodes-{name}" for name in ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
    ]
    assert auto_shop.waits(aws.eks.Cluster, *control, *nodes)
    for role, service in (("control-plane", "eks.amazonaws.com"), ("auto-nodes", "ec2.amazonaws.com")):
        (statement,) = json.loads(auto_shop.inputs(aws.iam.Role, role)["assumeRolePolicy"])["Statement"]
        assert statement["Principal"] == {"Service": service}
        assert "sts:TagSession" in statement["Action"]


def test_row_21_outages_ring(shop: Shop) -> None:
    properties = ("statistic", "threshold", "treatMissingData", "actionsEnabled")
    no_pods = ["HealthyHostCount", "LessThanThreshold", "Maximum", 1, "breaching"]
    assert shop.alarm("blue-healthy", *properties) == [*no_pods, True]
    assert shop.alarm("green-healthy", *properties) == [*no_pods, False]  # it has no pods
    assert shop.alarm("load-balancer-errors") == ["HTTPCode_ELB_5XX_Count", "GreaterThanThreshold"]
    assert [*shop.inputs(aws.cloudwatch.MetricAlarm, "load-balancer-errors")["dimensions"]] == ["LoadBalancer"]
    assert shop.alarm("database-storage") == ["FreeStorageSpace", "LessThanThreshold"]
    assert shop.alarm("database-memory") == ["FreeableMemory", "LessThanThreshold"]
    assert shop.alarm("database-connections") == ["DatabaseConnections", "GreaterThanThreshold"]


def test_row_25_alarms_and_logs_of_this_account_may_use_the_key(shop: Shop) -> None:
    statements = {each["Sid"]: each for each in json.loads(shop.inputs(aws.kms.Key)["policy"])["Statement"]}
    assert statements["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statements["Alarms"]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert statements["Logs"]["Principal"] == {"Service": "logs.us-east-1.amazonaws.com"}
    context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"}
    assert statements["Logs"]["Condition"] == {"ArnLike": context}
    assert shop.inputs(aws.sns.TopicSubscription)["protocol"] == "email"


def test_row_26_each_job_has_its_own_user_and_the_server_is_verified(shop: Shop) -> None:
    secret = shop.one(aws.rds.Instance).outputs["masterUserSecrets"][0]["secretArn"]
    key = shop.one(aws.kms.Key).outputs["arn"]
    assert shop.may("pods-migrations") == {"rds-db:connect": shop.database_user("orders_owner")}
    master = shop.database_user("slipway")
    reads = {"secretsmanager:GetSecretValue": secret, "kms:Decrypt": key}
    assert shop.may("pods-roles") == {**reads, "rds-db:connect": master}
    accounts = {each.inputs["serviceAccount"] for each in shop.find(aws.eks.PodIdentityAssociation)}
    assert accounts == {"orders", "orders-migrations", "orders-roles"}
    pod = shop.one(k8s.apps.v1.Deployment).inputs["spec"]["template"]["spec"]
    (folder,) = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"] if each["name"] == "database-ca"]
    authorities = shop.inputs(k8s.core.v1.ConfigMap, "login-ca")
    assert {"name": "database-ca", "configMap": {"name": authorities["metadata"]["name"]}} in pod["volumes"]
    files = {each.inputs["data"].get("DATABASE_CA_FILE") for each in shop.find(k8s.core.v1.ConfigMap)} - {None}
    assert files == {f"{folder}/{name}" for name in authorities["data"]}
    login = shop.outputs["delivery"]["databaseLogin"]
    assert login == {"caConfigMap": "orders-database-ca", "migrations": "orders-migrations", "roles": "orders-roles"}


def test_row_31_credentials_of_another_account_are_refused(shop: Shop) -> None:
    assert json.loads(shop.one(aws.Provider).inputs["allowedAccountIds"]) == [ACCOUNT]


def test_row_32_the_kubernetes_api_answers_known_networks(shop: Shop) -> None:
    assert shop.inputs(aws.eks.Cluster)["vpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_row_34_nodes_disks_are_encrypted_and_their_metadata_are_theirs(shop: Shop) -> None:
    template = shop.inputs(aws.ec2.LaunchTemplate)
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
    metadata = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}
    assert template["metadataOptions"] == metadata
    assert shop.inputs(aws.eks.NodeGroup)["launchTemplate"]["id"] == shop.one(aws.ec2.LaunchTemplate).id


def test_row_39_nodes_and_add_ons_follow_the_control_planes_version(shop: Shop) -> None:
    version = shop.inputs(aws.eks.Cluster)["version"]
    assert shop.inputs(aws.eks.NodeGroup)["version"] == version
    assert shop.waits(aws.eks.NodeGroup, "")
    addons = {addon.inputs["addonName"]: addon.inputs["addonVersion"] for addon in shop.find(aws.eks.Addon)}
    assert addons == {name: f"{name} of {version}" for name in ADDONS[Compute.NODE_GROUP]}
    assert shop.waits(aws.eks.Addon, "nodes")


def test_row_40_pods_get_their_role_from_the_agent_of_the_add_on(shop: Shop) -> None:
    addons = {addon.inputs["addonName"] for addon in shop.find(aws.eks.Addon)}
    associations = shop.find(aws.eks.PodIdentityAssociation)
    assert associations
    assert "eks-pod-identity-agent" in addons


def test_row_42_extended_support_is_not_entered(shop: Shop) -> None:
    assert shop.inputs(aws.eks.Cluster)["upgradePolicy"] == {"supportType": "STANDARD"}


def test_rows_43_and_46_log_groups_are_those_that_are_written_to_and_expire_and_are_encrypted(shop: Shop) -> None:
    cluster, database = shop.inputs(aws.eks.Cluster)["name"], shop.inputs(aws.rds.Instance)["identifier"]
    groups = {group.inputs["name"]: group.inputs for group in shop.find(aws.cloudwatch.LogGroup)}
    assert {*groups} == {f"/aws/eks/{cluster}/cluster", f"/aws/rds/instance/{database}/postgresql"}
    assert {group["retentionInDays"] for group in groups.values()} == {365}
    assert {group["kmsKeyId"] for group in groups.values()} == {shop.one(aws.kms.Key).outputs["arn"]}
    assert shop.waits(aws.eks.Cluster, "control-plane")
    assert shop.waits(aws.rds.Instance, "postgresql-postgresql")


def test_row_44_s3_and_dynamodb_bypass_nat_gateways(shop: Shop) -> None:
    endpoints = {each.inputs["serviceName"]: each.inputs["routeTableIds"] for each in shop.find(aws.ec2.VpcEndpoint)}
    assert {*endpoints} == {"com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"}
    tables = {table.id for table in shop.find(aws.ec2.RouteTable)}
    assert all({*ids} == tables for ids in endpoints.values())


def test_row_47_the_final_snapshot_is_named_anew_with_each_environment(shop: Shop) -> None:
    generated = shop.one(aws.rds.SubnetGroup).outputs["name"]
    assert shop.inputs(aws.rds.Instance)["finalSnapshotIdentifier"] == f"{generated}-final"


def test_row_48_major_versions_can_be_upgraded_and_storage_grows_within_the_limit(shop: Shop) -> None:
    assert shop.inputs(aws.rds.Instance)["allowMajorVersionUpgrade"] is False  # until a stack file asks for it
    assert shop.inputs(aws.rds.Instance)["applyImmediately"] is False
    assert (largest_storage_gib(100), largest_storage_gib(20_000)) == (500, 65_536)
