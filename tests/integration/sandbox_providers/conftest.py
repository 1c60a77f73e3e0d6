"""The AWS API alone, as the sandbox's daemon serves it, and the provider configured for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from slipway.providers.provider import CallContext, Caller
from slipway.sandbox.providers.aws import AwsProvider

START_TIMEOUT_SECONDS = 60
DEFAULT_TAGS = {"environment": "dev", "managed-by": "slipway"}


@contextmanager
def served_provider(home: Path) -> Generator[AwsProvider]:
    """A daemon of its own, and the provider as the program configures it: default tags as JSON text."""
    record = home / "sandbox/endpoint.json"
    environment = {**os.environ, "SLIPWAY_HOME": str(home), "SLIPWAY_AWS_PORT": "0"}
    with (home / "daemon.log").open("ab") as log:
        argv = [sys.executable, "-m", "slipway.sandbox.daemon", "--api-only"]
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not record.exists():
            assert process.poll() is None, (home / "daemon.log").read_text()
            assert time.monotonic() < deadline, "the daemon did not come up"
            time.sleep(0.1)
        yield configured_provider(json.loads(record.read_text())["url"])
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def configured_provider(url: str) -> AwsProvider:
    """The provider, with its endpoint from the environment."""
    inputs = {"region": "us-east-1", "defaultTags": json.dumps({"tags": DEFAULT_TAGS})}
    ctx = CallContext(urn="urn:pulumi:dev::shop::pulumi:providers:aws::aws", type="pulumi:providers:aws", name="aws")
    provider = AwsProvider(Caller(environ={"AWS_ENDPOINT_URL": url}))
    checked = provider.check_config(ctx, {}, inputs)
    assert not checked.failures
    provider.configure(ctx, checked.inputs)
    return provider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsProvider]:
    """Shared by the tests that leave everything in place."""
    with served_provider(tmp_path_factory.mktemp("aws")) as result:
        yield result


@pytest.fixture
def fresh_provider(tmp_path: Path) -> Iterator[AwsProvider]:
    """For a test that destroys what it makes."""
    with served_provider(tmp_path) as result:
        yield result
