"""More than one account in one sandbox: what each has is its own, and what is another's is used as its policies say, where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.identities import ACCOUNT, Document, Identities, allow, document, refusal, refused, trust

DEV, PROD = "222222222222", "333333333333"
KEYS = [("pk", "HASH"), ("sk", "RANGE")]
Clients = Callable[..., Any]
Aws = Callable[..., Any]


def administrator(identities: Identities, account: str) -> Clients:
    """The owner in another account."""
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    return identities.of(identities.sts.assume_role(RoleArn=role, RoleSessionName="test"))


def deployer(identities: Identities, account: str, name: str, *statements: Document) -> Clients:
    """A session of a role in another account, with these rights."""
    admin = administrator(identities, account)
    trusted = trust(AWS=f"arn:aws:iam::{account}:root")
    role = admin("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    admin("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    return identities.of(admin("sts").assume_role(RoleArn=role, RoleSessionName="test"))


def make_table(dynamodb: Any, name: str, **settings: Any) -> str:
    return dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in KEYS],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS],
        BillingMode="PAY_PER_REQUEST",
        **settings,
    )["TableDescription"]["TableArn"]


def item(partition: str) -> Document:
    return {"pk": {"S": partition}, "sk": {"S": "wanted"}}


def partition(dynamodb: Any, table: str, key: str, **more: Any) -> Any:
    asked = {"KeyConditionExpression": "#pk = :pk AND begins_with(sk, :w)", "ExpressionAttributeNames": {"#pk": "pk"}}
    values = {":pk": {"S": key}, ":w": {"S": "w"}}
    return dynamodb.query(TableName=table, ExpressionAttributeValues=values, **asked, **more)["Items"]


def own_partitions(environment: str) -> Document:
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{environment}#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_table_is_used_by_its_arn_where_it_is_and_by_partition(identities: Identities, aws: Aws, name: str) -> None:
    table = make_table(aws("dynamodb"), name)
    dev = deployer(identities, DEV, name, allow("dynamodb:*"))("dynamodb")
    own = make_table(dev, name)
    assert own != table
    _, message = refusal(dev.get_item, TableName=table, Key=item("dev#orders"))
    assert message.endswith("because no resource-based policy allows the dynamodb:GetItem action")
    policy = document(
        allow(["dynamodb:GetItem", "dynamodb:Query"], table, Principal={"AWS": DEV}),
        allow(["dynamodb:*Item", "dynamodb:Scan"], table, Principal={"AWS": DEV}, Condition=own_partitions("dev")),
    )
    aws("dynamodb").put_resource_policy(ResourceArn=table, Policy=policy)

    dev.put_item(TableName=table, Item=item("dev#orders"))
    assert "Item" not in dev.get_item(TableName=name, Key=item("dev#orders")), "its own table has the same name"
    assert aws("dynamodb").scan(TableName=name)["Count"] == 1
    assert partition(dev, table, "dev#orders") == [item("dev#orders")]
    assert partition(dev, table, "prod#orders") == []
    counted = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    dev.update_item(TableName=table, Key=item("dev#orders"), **counted)
    assert refused(dev.put_item, TableName=table, Item=item("prod#orders"))
    assert refused(dev.delete_item, TableName=table, Key=item("prod#orders"))
    assert refused(dev.scan, TableName=table), "no partition is named"
    both = {table: [{"PutRequest": {"Item": item(key)}} for key in ("dev#a", "prod#a")]}
    assert refused(dev.batch_write_item, RequestItems=both)
    puts = [{"Put": {"TableName": table, "Item": item(key)}} for key in ("dev#b", "prod#b")]
    assert refused(dev.transact_write_items, TransactItems=puts)
    dev.transact_write_items(TransactItems=puts[:1])
    assert aws("dynamodb").scan(TableName=name)["Count"] == 2
    mixed = [puts[0], {"Put": {"TableName": name, "Item": item("dev#c")}}]
    assert "several accounts" in refusal(dev.transact_write_items, TransactItems=mixed)[1]

    prod = administrator(identities, PROD)("dynamodb")
    assert refused(prod.get_item, TableName=table, Key=item("dev#orders"))


def test_what_is_in_a_table_with_a_key_wants_the_key_too(identities: Identities, aws: Aws, name: str) -> None:
    key = aws("kms").create_key()["KeyMetadata"]["Arn"]
    sealed = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    table = make_table(aws("dynamodb"), name, SSESpecification=sealed)
    dev = deployer(identities, DEV, name, allow(["dynamodb:*", "kms:*"]))
    policy = document(allow("dynamodb:*", table, Principal={"AWS": DEV}))
    aws("dynamodb").put_resource_policy(ResourceArn=table, Policy=policy)
    assert dev("dynamodb").describe_table(TableName=table)["Table"]["TableArn"] == table
    _, message = refusal(dev("dynamodb").get_item, TableName=table, Key=item("dev#orders"))
    assert f"kms:Decrypt on resource: {key}" in message
    owner = allow("kms:*", Principal={"AWS": ACCOUNT})
    through = {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
    let_in = allow("kms:Decrypt", Principal={"AWS": DEV}, Condition=through)
    aws("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=document(owner, let_in))
    dev("dynamodb").put_item(TableName=table, Item=item("dev#orders"))
    blob = aws("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(dev("kms").decrypt, KeyId=key, CiphertextBlob=blob), "not through DynamoDB"


def test_key_signs_for_another_account_by_arn_and_alias_condition(identities: Identities, aws: Aws, name: str) -> None:
    kms = aws("kms")
    key, other = (
        kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"] for _ in range(2)
    )
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    policy = document(allow("kms:*", Principal={"AWS": ACCOUNT}), allow("kms:Sign", Principal={"AWS": DEV}))
    for each in (key, other):
        kms.put_key_policy(KeyId=each, PolicyName="default", Policy=policy)
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{name}"}}
    dev = deployer(identities, DEV, name, allow("kms:*", Condition=by_alias))("kms")
    asked = {"Message": b"text", "SigningAlgorithm": "ECDSA_SHA_256"}
    alias = key.partition(":key/")[0] + f":alias/{name}"
    for named in (key, alias):
        signature = dev.sign(KeyId=named, **asked)["Signature"]
        assert kms.verify(KeyId=key, Signature=signature, **asked)["SignatureValid"]
    assert refused(dev.sign, KeyId=other, **asked)
    assert refused(dev.get_public_key, KeyId=key)
    # What no other account may do, whatever policies say, is looked for in the caller's own.
    assert refused(dev.schedule_key_deletion, KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"


def test_repository_is_found_by_its_registry_and_only_as_its_policy_says(
    identities: Identities, aws: Aws, name: str
) -> None:
    repository = aws("ecr").create_repository(repositoryName=name)["repository"]
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = f'{{"schemaVersion": 2, "mediaType": "{kind}", "config": {{"digest": "sha256:1"}}, "layers": []}}'
    image = {"repositoryName": name, "imageManifest": manifest, "imageTag": "1"}
    dev = deployer(identities, DEV, name, allow("ecr:*"))("ecr")
    assert refused(dev.put_image, registryId=ACCOUNT, **image)
    policy = document(
        *({key: value for key, value in allow(action, Principal={"AWS": DEV}).items() if key != "Resource"}
          for action in (["ecr:PutImage", "ecr:BatchGetImage", "ecr:DescribeRepositories", "ecr:ListTagsForResource"],))
    )  # fmt: skip
    aws("ecr").set_repository_policy(repositoryName=name, policyText=policy)
    dev.put_image(registryId=ACCOUNT, **image)
    assert len(aws("ecr").list_images(repositoryName=name)["imageIds"]) == 1
    (found,) = dev.describe_repositories(registryId=ACCOUNT, repositoryNames=[name])["repositories"]
    assert found["repositoryArn"] == repository["repositoryArn"]
    assert dev.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"] == []
    assert refused(dev.batch_delete_image, registryId=ACCOUNT, repositoryName=name, imageIds=[{"imageTag": "1"}])
    # Without it, names are of the caller's own registry.
    assert refusal(dev.describe_images, repositoryName=name)[0] == "RepositoryNotFoundException"
    assert refused(administrator(identities, PROD)("ecr").list_images, registryId=ACCOUNT, repositoryName=name)


@pytest.mark.parametrize("let_in", [True, False])
def test_queue_topic_and_secret_of_another_account(identities: Identities, aws: Aws, name: str, let_in: bool) -> None:
    dev = deployer(identities, DEV, name, allow(["sqs:*", "sns:*", "secretsmanager:*"]))
    queue, topic = aws("sqs").create_queue(QueueName=name)["QueueUrl"], aws("sns").create_topic(Name=name)["TopicArn"]
    secret = aws("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"]
    dev("sqs").create_queue(QueueName=name)
    if let_in:
        arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        principal = {"AWS": DEV}
        policy = document(allow("sqs:SendMessage", arn, Principal=principal))
        aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        policy = document(allow("sns:Publish", topic, Principal=principal))
        aws("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        policy = document(allow("secretsmanager:GetSecretValue", Principal=principal))
        aws("secretsmanager").put_resource_policy(SecretId=secret, ResourcePolicy=policy)
        dev("sqs").send_message(QueueUrl=queue, MessageBody="x")
        dev("sns").publish(TopicArn=topic, Message="x")
        assert dev("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == "x"
        assert len(aws("sqs").receive_message(QueueUrl=queue).get("Messages", [])) == 1, "not in its own of that name"
    else:
        assert refused(dev("sqs").send_message, QueueUrl=queue, MessageBody="x")
        assert refused(dev("sns").publish, TopicArn=topic, Message="x")
        assert refused(dev("secretsmanager").get_secret_value, SecretId=secret)
