"""SQS queues over their life."""

from __future__ import annotations

import json
from typing import Any

from slipway.engine.provider import CallContext, DiffChanges
from slipway.sandbox.providers.aws.provider import AwsProvider

TOKEN = "aws:sqs/queue:Queue"
CTX = CallContext(urn=f"urn:pulumi:dev::shop::{TOKEN}::orders", type=TOKEN, name="orders", random_seed=b"seed")


def checked(provider: AwsProvider, **program: Any) -> dict[str, Any]:
    """Checked inputs."""
    result = provider.check(CTX, {}, program)
    assert not result.failures
    return result.inputs


def test_queue_lives_its_life(provider: AwsProvider) -> None:
    dead = provider.create(CTX, checked(provider, name="orders-dead"))
    redrive = json.dumps({"deadLetterTargetArn": dead.outputs["arn"], "maxReceiveCount": 5})
    inputs = checked(provider, name="orders", visibilityTimeoutSeconds=60, redrivePolicy=redrive, tags={"team": "shop"})
    made = provider.create(CTX, inputs)
    assert made.outputs["url"] == made.id
    assert made.outputs["visibilityTimeoutSeconds"] == 60
    assert made.outputs["tagsAll"]["team"] == "shop"
    found = provider.read(CTX, made.id, inputs, made.outputs)
    assert found.inputs == inputs
    assert found.outputs == made.outputs

    news = checked(provider, name="orders", visibilityTimeoutSeconds=90, delaySeconds=5)
    assert set(provider.diff(CTX, made.id, inputs, made.outputs, news).diffs) >= {"visibilityTimeoutSeconds", "tags"}
    outputs = provider.update(CTX, made.id, inputs, made.outputs, news)
    assert (outputs["visibilityTimeoutSeconds"], outputs["delaySeconds"]) == (90, 5)
    assert "team" not in outputs["tagsAll"]
    found = provider.read(CTX, made.id, news, outputs)
    assert provider.diff(CTX, made.id, found.inputs or {}, found.outputs, news).changes is DiffChanges.NONE

    provider.delete(CTX, made.id, news, outputs)
    assert provider.read(CTX, made.id, news, outputs).id == ""
    provider.delete(CTX, made.id, news, outputs)  # gone already: no error


def test_fifo_queue_gets_its_suffix(provider: AwsProvider) -> None:
    made = provider.create(CTX, checked(provider, name="ordered", fifoQueue=True, contentBasedDeduplication=True))
    assert made.outputs["arn"].endswith(":ordered.fifo")
    assert made.outputs["contentBasedDeduplication"] is True
