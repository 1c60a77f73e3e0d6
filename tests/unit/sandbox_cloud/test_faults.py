"""Errors in the shapes of AWS's protocols."""

from __future__ import annotations

import pytest
from botocore.model import StructureShape
from botocore.parsers import create_parser

from slipway.sandbox.aws.faults import access_denied
from slipway.sandbox.aws.operations import Operation


@pytest.mark.parametrize("length", [1, 23, 24, 300, 70_000])
def test_client_reads_a_refusal_of_any_length_in_cbor(length: int) -> None:
    status, headers, body = access_denied(Operation("cloudwatch", "PutMetricAlarm", True, "cbor"), "x" * length)
    answer = {"status_code": status, "headers": dict(headers), "body": body}
    parsed = create_parser("smithy-rpc-v2-cbor").parse(answer, StructureShape("None", {"type": "structure"}))
    assert parsed["Error"]["Message"] == "x" * length
