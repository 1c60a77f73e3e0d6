"""Secrets over their life."""

from __future__ import annotations

from provider_kit import changed, checked, context, created, gone

from slipway.sandbox.providers.aws import AwsProvider

CTX = context("aws:secretsmanager/secret:Secret", "token")


def test_default_key_stays_when_the_program_names_it(provider: AwsProvider) -> None:
    inputs = checked(provider, CTX, name="token", kmsKeyId="alias/aws/secretsmanager")
    secret = created(provider, CTX, inputs)
    news = checked(provider, CTX, name="token", kmsKeyId="alias/aws/secretsmanager", description="of the robot")
    assert changed(provider, CTX, secret, inputs, news)["kmsKeyId"] == "alias/aws/secretsmanager"
    assert gone(provider, CTX, secret, news)
