"""AWS's API by moto's server, and nothing else of a cloud."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.moto_server.threaded_moto_server import MotoRequestHandler
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from slipway.delivery.model.target import LoadBalancerRef
from tests.integration.balancers import make_load_balancer

REGION = "us-east-1"


class OneAtATime:
    """moto, answering one request after the other: it compares and writes in two steps, which AWS does in one."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            return self._moto(environ, start_response)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = make_server("127.0.0.1", 0, OneAtATime(), threaded=True, request_handler=MotoRequestHandler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """The environment as delivery finds it, and an empty account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(Path("/nonexistent")))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    # The first request imports every service.
    httpx.post(f"{moto_url}/moto-api/reset", timeout=60).raise_for_status()
    return boto3.Session(region_name=REGION)


@pytest.fixture
def ledger_table(aws: boto3.Session) -> str:
    """The ledger's empty table, with the keys that the foundation gives it."""
    name, keys = "slipway-ledger", ("pk", "sk")
    aws.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


@pytest.fixture
def reference(aws: boto3.Session) -> LoadBalancerRef:
    """A load balancer with two listeners and two target groups, as the program declares them."""
    return make_load_balancer(aws.client("ec2"), aws.client("elbv2"))
