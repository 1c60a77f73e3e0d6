"""Which requests count as changes: they are saved before the answer, and load balancers follow them."""

from __future__ import annotations

import pytest

from slipway.sandbox.aws.operations import recognise_operation


def form(**fields: str) -> tuple[dict[str, object], bytes]:
    body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    return {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}, body


@pytest.mark.parametrize(
    ("environ", "body", "name", "mutates"),
    [
        (*form(Action="ModifyListener"), "ModifyListener", True),
        (*form(Action="DescribeListeners"), "DescribeListeners", False),
        (*form(Action="AssumeRole"), "AssumeRole", True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.PutItem"}, b"{}", "PutItem", True),
        ({"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.GetItem"}, b"{}", "GetItem", False),
        (
            {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "DynamoDB_20120810.TransactGetItems"},
            b"{}",
            "TransactGetItems",
            False,
        ),
        ({"REQUEST_METHOD": "DELETE", "PATH_INFO": "/clusters/dev"}, b"", "DELETE /clusters/dev", True),
        ({"REQUEST_METHOD": "GET", "PATH_INFO": "/clusters/dev"}, b"", "GET /clusters/dev", False),
        (
            {
                "REQUEST_METHOD": "POST",
                "HTTP_SMITHY_PROTOCOL": "rpc-v2-cbor",
                "PATH_INFO": "/service/Granite/operation/DescribeAlarms",
            },
            b"",
            "DescribeAlarms",
            False,
        ),
        ({"REQUEST_METHOD": "GET", "QUERY_STRING": "Action=GetCallerIdentity"}, b"", "GetCallerIdentity", False),
    ],
)
def test_operation_is_recognised_in_every_aws_protocol(
    environ: dict[str, object], body: bytes, name: str, mutates: bool
) -> None:
    operation = recognise_operation("any", environ, body)
    assert (operation.name, operation.mutates) == (name, mutates)


def test_metrics_are_not_saved_at_once_when_they_come_many_times_a_second() -> None:
    environ, body = form(Action="PutMetricData")
    operation = recognise_operation("cloudwatch", environ, body)
    assert operation.mutates
    assert not operation.saved_at_once


def test_long_polling_does_not_hold_the_lock() -> None:
    environ = {"REQUEST_METHOD": "POST", "HTTP_X_AMZ_TARGET": "AmazonSQS.ReceiveMessage"}
    assert recognise_operation("sqs", environ, b"{}").concurrent


@pytest.mark.parametrize(("version", "service"), [("2015-12-01", "elbv2"), ("2012-06-01", "elb")])
def test_load_balancing_is_told_apart_by_its_version(version: str, service: str) -> None:
    environ, body = form(Action="ModifyListener", Version=version)
    assert recognise_operation("elb", environ, body).service == service
