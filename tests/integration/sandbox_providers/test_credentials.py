"""Access keys, and the provider that works with one or with a role."""

from __future__ import annotations

import json

from provider_kit import changed, checked, client, context, created, gone, imported, made

from slipway.providers.provider import Caller
from slipway.providers.values import Secret
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.services.iam.access_keys import smtp_password

TOKEN = "aws:iam/accessKey:AccessKey"
CTX = context(TOKEN, "robot")
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}


def caller_arn(provider: AwsProvider, **settings: object) -> str:
    """Whom AWS sees behind a provider with these settings."""
    given = provider._configured().settings  # pyright: ignore[reportPrivateUsage]
    other = AwsProvider(Caller(environ={"AWS_ENDPOINT_URL": given.endpoint_url}))
    ctx = context("pulumi:providers:aws", "other")
    inputs = {"region": "us-east-1", "accessKey": given.access_key, "secretKey": given.secret_key, **settings}
    assert not other.check_config(ctx, {}, inputs).failures
    other.configure(ctx, inputs)
    return other.invoke("aws:index/getCallerIdentity:getCallerIdentity", {}, preview=False).outputs["arn"]


def test_access_key_lives_its_life(provider: AwsProvider) -> None:
    user = made(provider, "aws:iam/user:User", "robot", name="robot")
    inputs = checked(provider, CTX, user="robot")
    key = created(provider, CTX, inputs)
    secret = key.outputs["secret"]
    assert isinstance(secret, Secret)
    assert caller_arn(provider, accessKey=key.id, secretKey=secret.value) == user.outputs["arn"]

    news = checked(provider, CTX, user="robot", status="Inactive")
    outputs = changed(provider, CTX, key, inputs, news)
    assert (outputs["status"], outputs["secret"]) == ("Inactive", secret)
    assert "secret" not in imported(provider, CTX, key.id, news)
    assert gone(provider, CTX, key, news)
    assert client(provider, "iam").list_access_keys(UserName="robot")["AccessKeyMetadata"] == []


def test_smtp_password_is_that_of_the_terraform_provider() -> None:
    # Expected: terraform-provider-aws, TestSESSMTPPasswordFromSecretKeySigV4.
    assert smtp_password("some+secret+key", "eu-central-1") == "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"
    assert smtp_password("some+secret+key", "us-west-1") == "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"


def test_provider_assumes_its_roles_one_after_the_other(provider: AwsProvider) -> None:
    roles = [
        made(provider, "aws:iam/role:Role", name, name=name, assumeRolePolicy=json.dumps(TRUST)).outputs["arn"]
        for name in ("entrance", "deployer")
    ]
    assume = json.dumps([{"roleArn": roles[0]}, {"roleArn": roles[1], "sessionName": "release", "externalId": "shop"}])
    assert caller_arn(provider, assumeRoles=assume).endswith(":assumed-role/deployer/release")
