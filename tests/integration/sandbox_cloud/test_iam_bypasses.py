"""Ways round the judge that were open: each reached another's resource, or more rights, with few rights of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.config import Config

from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths
from tests.identities import ACCOUNT, Document, Identities, allow, refusal, refused, trust


def test_ciphertext_and_alias_belong_to_their_present_key(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    kms, alias = aws("kms"), f"alias/{name}"
    own, other = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    kms.create_alias(AliasName=alias, TargetKeyId=other)
    encrypted = kms.encrypt(KeyId=other, Plaintext=b"text")["CiphertextBlob"]
    user = identities.user(allow("kms:*", [own, f"arn:aws:kms:us-east-1:{ACCOUNT}:{alias}"]))("kms")
    assert refused(user.re_encrypt, CiphertextBlob=encrypted, SourceKeyId=own, DestinationKeyId=own)
    assert refused(user.update_alias, AliasName=alias, TargetKeyId=own)


@pytest.mark.parametrize(
    "tags", [[("team", "own"), ("Team", "other")], [("team", "other"), ("team", "own")]], ids=["case", "twice"]
)
def test_refuses_a_tag_with_two_values(identities: Identities, name: str, tags: list[tuple[str, str]]) -> None:
    own = {"StringEquals": {"aws:RequestTag/team": "own"}}
    sns = identities.user(allow("sns:*", Condition=own))("sns")
    assert refused(sns.create_topic, Name=name, Tags=[{"Key": key, "Value": value} for key, value in tags])


def test_refuses_to_make_resources_by_templates_for_anybody_but_the_owner(identities: Identities, name: str) -> None:
    user = identities.user(allow("cloudformation:*"))
    role: Document = {
        "AssumeRolePolicyDocument": json.loads(trust(AWS=user("sts").get_caller_identity()["Arn"])),
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    template = json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}}})
    wanted = {"StackName": name, "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"]}
    assert refused(user("cloudformation").create_stack, **wanted)
    identities.owner("cloudformation").create_stack(**wanted)


def test_refuses_a_name_that_a_user_has_also_the_owners(identities: Identities, name: str) -> None:
    iam = identities.user(allow("iam:*"))("iam")
    iam.create_user(UserName=name)
    iam.create_user(UserName=f"{name}-other")
    for taken in ("moto", name):
        assert refusal(iam.create_user, UserName=taken)[0] == "EntityAlreadyExists"
        assert refusal(iam.update_user, UserName=f"{name}-other", NewUserName=taken)[0] == "EntityAlreadyExists"
    iam.update_user(UserName=name, NewUserName=f"{name}-new")


@pytest.mark.parametrize("session", ["system:masters", "a/b", "line\nbreak"])
def test_refuses_a_session_name_that_aws_does_not_have(identities: Identities, session: str) -> None:
    role = identities.role()
    assert refusal(identities.sts.assume_role, RoleArn=role, RoleSessionName=session)[0] == "ValidationError"


def test_presigned_upload_is_no_copy(daemon: Any, aws: Callable[..., Any], name: str) -> None:
    s3 = aws("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="secret", Body=b"text")
    keys = aws_credentials(SandboxPaths(daemon.home))
    session = botocore.session.Session()
    session.set_credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    signer: Any = session.create_client(
        "s3", "us-east-1", endpoint_url=daemon.url, config=Config(signature_version="s3v4")
    )
    url = signer.generate_presigned_url("put_object", {"Bucket": name, "Key": "upload"})
    assert httpx.put(url, headers={"x-amz-copy-source": f"{name}/secret"}).status_code == 403
    assert httpx.put(url, content=b"").status_code == 200


def test_tags_are_set_by_who_may_tag_the_resource_itself(
    identities: Identities, aws: Callable[..., Any], name: str
) -> None:
    """Whoever could tag anything opened what is allowed by a tag."""
    topic = aws("sns").create_topic(Name=name)["TopicArn"]
    user = identities.user(allow("tag:*"))
    for change in ({"Tags": {"env": "dev"}}, {"TagKeys": ["env"]}):
        tagging = user("resourcegroupstaggingapi")
        call = tagging.tag_resources if "Tags" in change else tagging.untag_resources
        assert refused(call, ResourceARNList=[topic], **change)
    both = identities.user(allow("tag:*"), allow("sns:TagResource", topic))("resourcegroupstaggingapi")
    assert not both.tag_resources(ResourceARNList=[topic], Tags={"env": "dev"})["FailedResourcesMap"]


def test_refuses_two_names_for_one_thing(identities: Identities, aws: Callable[..., Any], name: str) -> None:
    """Of two names moto takes one, and the judge took the other."""
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    own, other = (
        ec2.create_security_group(GroupName=f"{name}-{each}", Description="d", VpcId=vpc)["GroupId"] for each in "ab"
    )
    addresses = [ec2.allocate_address(Domain="vpc") for _ in range(2)]
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-1"})
    judged = [f"security-group/{own}", f"elastic-ip/{addresses[0]['AllocationId']}", "launch-template/lt-1"]
    rights = allow("ec2:*", [f"arn:aws:ec2:us-east-1:{ACCOUNT}:{each}" for each in judged])
    admitted = {"UserIdGroupPairs": [{"GroupId": own}], "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}
    both = {"GroupId": own, "GroupName": other}
    address = {"AllocationId": addresses[0]["AllocationId"], "PublicIp": addresses[1]["PublicIp"]}
    for client in (identities.user(rights)("ec2"), ec2):
        for call, parameters in (
            (client.authorize_security_group_ingress, {**both, "IpPermissions": [admitted]}),
            (client.revoke_security_group_ingress, {**both, "IpPermissions": [admitted]}),
            (client.delete_security_group, both),
            (client.release_address, address),
            (client.disassociate_address, {"AssociationId": "eipassoc-1", "PublicIp": addresses[1]["PublicIp"]}),
            (client.delete_launch_template, {"LaunchTemplateId": "lt-1", "LaunchTemplateName": name}),
        ):
            assert refusal(call, **parameters)[0] == "InvalidParameterCombination"
    user = identities.user(rights)("ec2")
    assert refused(user.authorize_security_group_ingress, GroupName=other, IpPermissions=[admitted])
    ec2.authorize_security_group_ingress(GroupName=other, IpPermissions=[admitted])
    ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplate"]["LaunchTemplateId"])


def test_nobody_sets_or_removes_a_tag_of_awss_own(identities: Identities, aws: Callable[..., Any], name: str) -> None:
    """By such a tag CI's roles may read the secret of their own database."""
    key, database = "aws:rds:primaryDBInstanceArn", f"arn:aws:rds:us-east-1:{ACCOUNT}:db:own"
    own = {"StringEquals": {f"aws:ResourceTag/{key}": database}}
    reader = identities.user(allow("secretsmanager:GetSecretValue", Condition=own), allow("secretsmanager:TagResource"))
    secret = aws("secretsmanager").create_secret(Name=name, SecretString="text")["ARN"]
    tag = {"Key": key, "Value": database}
    for client in (reader("secretsmanager"), aws("secretsmanager")):
        assert refusal(client.tag_resource, SecretId=secret, Tags=[tag])[0] == "InvalidParameterException"
    assert refused(reader("secretsmanager").get_secret_value, SecretId=secret)
    tags = [{"ResourceType": "vpc", "Tags": [tag]}]
    vpc = {"CidrBlock": "10.0.0.0/16", "TagSpecifications": tags}
    assert refusal(aws("ec2").create_vpc, **vpc)[0] == "InvalidParameterValue"
    assert refusal(aws("kms").create_key, Tags=[{"TagKey": key, "TagValue": "1"}])[0] == "ValidationException"
    # RDS and EKS set theirs.
    wanted = {"DBInstanceIdentifier": name, "Engine": "postgres", "DBInstanceClass": "db.t4g.small"}
    made = aws("rds").create_db_instance(
        **wanted, AllocatedStorage=20, MasterUsername="orders", ManageMasterUserPassword=True
    )["DBInstance"]
    managed = aws("secretsmanager").describe_secret(SecretId=made["MasterUserSecret"]["SecretArn"])
    assert {"Key": key, "Value": made["DBInstanceArn"]} in managed["Tags"]
    removed = {"SecretId": managed["ARN"], "TagKeys": [key]}
    assert refusal(aws("secretsmanager").untag_resource, **removed)[0] == "InvalidParameterException"
