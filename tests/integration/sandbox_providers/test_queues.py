"""SQS queues over their life."""

from __future__ import annotations

import json

from provider_kit import changed, checked, context, created, gone

from slipway.sandbox.providers.aws import AwsProvider

TOKEN = "aws:sqs/queue:Queue"
CTX = context(TOKEN, "orders")


def test_queue_lives_its_life(provider: AwsProvider) -> None:
    dead = provider.create(CTX, checked(provider, CTX, name="orders-dead"))
    redrive = json.dumps({"deadLetterTargetArn": dead.outputs["arn"], "maxReceiveCount": 5})
    inputs = checked(
        provider, CTX, name="orders", visibilityTimeoutSeconds=60, redrivePolicy=redrive, tags={"team": "shop"}
    )
    made = created(provider, CTX, inputs)
    assert made.outputs["url"] == made.id
    assert made.outputs["visibilityTimeoutSeconds"] == 60
    assert made.outputs["tagsAll"]["team"] == "shop"

    news = checked(provider, CTX, name="orders", visibilityTimeoutSeconds=90, delaySeconds=5)
    assert set(provider.diff(CTX, made.id, inputs, made.outputs, news).diffs) >= {"visibilityTimeoutSeconds", "tags"}
    outputs = changed(provider, CTX, made, inputs, news)
    assert (outputs["visibilityTimeoutSeconds"], outputs["delaySeconds"]) == (90, 5)
    assert "team" not in outputs["tagsAll"]
    assert gone(provider, CTX, made, news)


def test_fifo_queue_gets_its_suffix(provider: AwsProvider) -> None:
    made = provider.create(CTX, checked(provider, CTX, name="ordered", fifoQueue=True, contentBasedDeduplication=True))
    assert made.outputs["arn"].endswith(":ordered.fifo")
    assert made.outputs["contentBasedDeduplication"] is True
