"""The AWS API as SDKs see it: what moto lacks is there, what nobody has is refused by name, and calls are quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.identities import trust

ROLE = "arn:aws:iam::123456789012:role/cluster"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


@pytest.fixture
def cluster(aws: Callable[..., Any]) -> Iterator[str]:
    """An EKS cluster; the daemon was told to run none, so it only says that it is active."""
    name = f"cluster-{uuid4().hex[:6]}"
    eks, ec2 = aws("eks"), aws("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    eks.create_cluster(name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": subnets})
    yield name
    eks.delete_cluster(name=name)


def refusal(call: Callable[..., object], **arguments: object) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_cluster_has_what_eks_adds_by_itself(aws: Callable[..., Any], cluster: str) -> None:
    described = aws("eks").describe_cluster(name=cluster)["cluster"]
    network = described["resourcesVpcConfig"]
    group = aws("ec2").describe_security_groups(GroupIds=[network["clusterSecurityGroupId"]])["SecurityGroups"][0]
    assert group["VpcId"] == network["vpcId"]
    assert network["endpointPublicAccess"] is True
    assert described["accessConfig"]["authenticationMode"] == "API_AND_CONFIG_MAP"


def test_creator_is_administrator_unless_the_cluster_was_made_without(aws: Callable[..., Any], cluster: str) -> None:
    caller = aws("sts").get_caller_identity()["Arn"]
    policies = aws("eks").list_associated_access_policies(clusterName=cluster, principalArn=caller)
    arns = [policy["policyArn"] for policy in policies["associatedAccessPolicies"]]
    assert arns == ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"]


@pytest.mark.parametrize("name", ["../../../etc", "a/../../b", "..", "a" * 101])
def test_refuses_a_cluster_name_that_eks_would_refuse(aws: Callable[..., Any], name: str) -> None:
    create = aws("eks").create_cluster
    code, _ = refusal(create, name=name, roleArn=ROLE, resourcesVpcConfig={"subnetIds": []})
    assert code == "InvalidParameterException"


def test_access_entry_lives_from_create_to_delete(aws: Callable[..., Any], cluster: str) -> None:
    eks, principal = aws("eks"), "arn:aws:iam::123456789012:role/teams/orders"
    made = eks.create_access_entry(clusterName=cluster, principalArn=principal, kubernetesGroups=["orders"])[
        "accessEntry"
    ]
    assert made["username"] == "arn:aws:sts::123456789012:assumed-role/orders/{{SessionName}}"
    eks.associate_access_policy(
        clusterName=cluster, principalArn=principal, policyArn=VIEW, accessScope={"type": "cluster"}
    )
    assert principal in eks.list_access_entries(clusterName=cluster, associatedPolicyArn=VIEW)["accessEntries"]
    eks.update_access_entry(clusterName=cluster, principalArn=principal, kubernetesGroups=["billing"])
    assert eks.describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"][
        "kubernetesGroups"
    ] == ["billing"]
    eks.disassociate_access_policy(clusterName=cluster, principalArn=principal, policyArn=VIEW)
    assert (
        eks.list_associated_access_policies(clusterName=cluster, principalArn=principal)["associatedAccessPolicies"]
        == []
    )
    eks.delete_access_entry(clusterName=cluster, principalArn=principal)
    code, _ = refusal(eks.describe_access_entry, clusterName=cluster, principalArn=principal)
    assert code == "ResourceNotFoundException"


def test_refuses_an_access_scope_that_would_grant_more_than_was_asked(aws: Callable[..., Any], cluster: str) -> None:
    eks, principal = aws("eks"), "arn:aws:iam::123456789012:user/ada"
    eks.create_access_entry(clusterName=cluster, principalArn=principal)
    scope = {"type": "namespace", "namespaces": ["orders"]}
    code, message = refusal(
        eks.associate_access_policy, clusterName=cluster, principalArn=principal, policyArn=VIEW, accessScope=scope
    )
    assert (code, "cluster only" in message) == ("InvalidParameterException", True)


def test_addon_is_failed_with_the_reason_when_the_sandbox_lacks_it(aws: Callable[..., Any], cluster: str) -> None:
    eks = aws("eks")
    assert eks.create_addon(clusterName=cluster, addonName="coredns")["addon"]["status"] == "ACTIVE"
    eks.create_addon(clusterName=cluster, addonName="aws-ebs-csi-driver")
    addon = eks.describe_addon(clusterName=cluster, addonName="aws-ebs-csi-driver")["addon"]
    assert addon["status"] == "CREATE_FAILED"
    assert addon["health"]["issues"][0]["message"] == "The sandbox has no add-on aws-ebs-csi-driver"


def test_node_group_update_can_be_followed(aws: Callable[..., Any], cluster: str) -> None:
    eks = aws("eks")
    eks.create_nodegroup(clusterName=cluster, nodegroupName="workers", subnets=["subnet-1"], nodeRole=ROLE)
    update = eks.update_nodegroup_config(
        clusterName=cluster, nodegroupName="workers", scalingConfig={"desiredSize": 1}
    )["update"]
    assert (
        eks.describe_update(name=cluster, updateId=update["id"], nodegroupName="workers")["update"]["status"]
        == "Successful"
    )
    assert refusal(eks.delete_cluster, name=cluster)[0] == "ResourceInUseException"
    eks.delete_nodegroup(clusterName=cluster, nodegroupName="workers")


def test_every_part_of_a_cluster_is_tagged_by_its_arn(aws: Callable[..., Any], cluster: str) -> None:
    eks, of_cluster = aws("eks"), {"clusterName": cluster}
    principal = "arn:aws:iam::123456789012:role/tagged"
    group = eks.create_nodegroup(**of_cluster, nodegroupName="workers", subnets=["subnet-1"], nodeRole=ROLE)
    addon = eks.create_addon(**of_cluster, addonName="coredns")["addon"]
    entry = eks.create_access_entry(**of_cluster, principalArn=principal)["accessEntry"]
    account = {**of_cluster, "namespace": "a", "serviceAccount": "b"}
    code, message = refusal(eks.create_pod_identity_association, **account, roleArn=ROLE)
    assert (code, message) == ("InvalidParameterException", "Role provided in the request does not exist.")
    role = aws("iam").create_role(
        RoleName=f"{cluster}-pods", AssumeRolePolicyDocument=trust(Service="pods.eks.amazonaws.com")
    )["Role"]["Arn"]
    link = eks.create_pod_identity_association(**account, roleArn=role)
    arns = [
        eks.describe_cluster(name=cluster)["cluster"]["arn"],
        group["nodegroup"]["nodegroupArn"],
        addon["addonArn"],
        entry["accessEntryArn"],
        link["association"]["associationArn"],
    ]
    for arn in arns:
        eks.tag_resource(resourceArn=arn, tags={"team": "shop", "tier": "1"})
        eks.untag_resource(resourceArn=arn, tagKeys=["tier"])
        assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "shop"}
    shown = eks.describe_nodegroup(**of_cluster, nodegroupName="workers")["nodegroup"]
    assert shown["tags"] == {"team": "shop"}
    eks.delete_nodegroup(**of_cluster, nodegroupName="workers")
    assert refusal(eks.tag_resource, resourceArn=arns[1], tags={"a": "b"})[0] == "ResourceNotFoundException"


def test_managed_secret_holds_the_master_user_and_a_password_of_its_own(aws: Callable[..., Any]) -> None:
    rds, secretsmanager, found = aws("rds"), aws("secretsmanager"), []
    for name in ("first", "second"):
        instance = rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-{uuid4().hex[:6]}",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="orders",
            ManageMasterUserPassword=True,
        )["DBInstance"]
        found.append(
            secretsmanager.get_secret_value(SecretId=instance["MasterUserSecret"]["SecretArn"])["SecretString"]
        )
    assert all('"username": "orders"' in text for text in found)
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("service", "method", "arguments", "name"),
    [
        ("ec2", "get_ipam_pool_cidrs", {"IpamPoolId": "ipam-pool-1"}, "ec2 GetIpamPoolCidrs"),
        ("eks", "create_eks_anywhere_subscription", {"name": "x", "term": {}}, "eks POST /eks-anywhere-subscriptions"),
        (
            "cloudwatch",
            "put_composite_alarm",
            {"AlarmName": "x", "AlarmRule": "ALARM(y)"},
            "cloudwatch PutCompositeAlarm",
        ),
        ("dynamodb", "list_global_tables", {}, "dynamodb ListGlobalTables"),
    ],
)
def test_refuses_an_operation_by_name_when_nobody_wrote_it(
    aws: Callable[..., Any], service: str, method: str, arguments: dict[str, object], name: str
) -> None:
    code, message = refusal(getattr(aws(service), method), **arguments)
    assert code == "NotImplemented"
    assert message.startswith(f"The sandbox does not support {name}")


def test_object_that_is_not_there_is_not_found_and_not_refused(aws: Callable[..., Any]) -> None:
    bucket = f"state-{uuid4().hex[:6]}"
    aws("s3").create_bucket(Bucket=bucket)
    assert refusal(aws("s3").head_object, Bucket=bucket, Key=".pulumi/meta.yaml")[0] == "404"
    assert refusal(aws("s3").head_bucket, Bucket=f"{bucket}-other")[0] == "404"


def test_caller_is_a_principal_that_policies_can_name(aws: Callable[..., Any]) -> None:
    assert aws("sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/moto"
