"""How long one write takes at the sandbox's AWS API."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import boto3

CALLS = 100


def measure_calls(environ: Mapping[str, str]) -> str:
    """Milliseconds of a call that writes, minimum and median; the client's own are in them."""
    session = boto3.Session(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    sqs = session.client("sqs", endpoint_url=environ["AWS_ENDPOINT_URL"])
    queue = sqs.create_queue(QueueName="bench")["QueueUrl"]
    seconds: list[float] = []
    for number in range(CALLS):
        started = time.perf_counter()
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
        seconds.append(time.perf_counter() - started)
    sqs.delete_queue(QueueUrl=queue)
    return f"{1000 * min(seconds):.1f} / {1000 * statistics.median(seconds):.1f} ms, min / median of {CALLS}"
