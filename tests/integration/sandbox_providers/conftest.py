"""The AWS API alone, as the sandbox's daemon serves it, and the provider configured for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stack_kit import Daemon, served

from slipway.providers.provider import CallContext, Caller
from slipway.sandbox.providers.aws import AwsProvider

DEFAULT_TAGS = {"environment": "dev", "managed-by": "slipway"}


@contextmanager
def served_provider(home: Path) -> Generator[AwsProvider]:
    """A daemon of its own, and the provider as the program configures it: default tags as JSON text."""
    with served(home) as daemon:
        yield configured_provider(daemon)


def configured_provider(daemon: Daemon) -> AwsProvider:
    """The provider, with endpoint and credentials from the environment."""
    inputs = {"region": "us-east-1", "defaultTags": json.dumps({"tags": DEFAULT_TAGS})}
    ctx = CallContext(urn="urn:pulumi:dev::shop::pulumi:providers:aws::aws", type="pulumi:providers:aws", name="aws")
    provider = AwsProvider(Caller(environ=daemon.environ))
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
