"""The sandbox's own providers, by package, as factories: importing this costs nothing until one is made.

They take the place of `pulumi-resource-*` plugins where none can be had: the engine calls them in-process, and
`slipway.sandbox.providers.serve` serves them to the Pulumi CLI.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slipway.engine.provider import Provider


def _aws() -> Provider:
    from slipway.sandbox.providers.aws.provider import AwsProvider  # noqa: PLC0415 - boto3 and the schema, a second

    return AwsProvider()


def _kubernetes() -> Provider:
    from slipway.sandbox.providers.kubernetes import KubernetesProvider  # noqa: PLC0415 - the official client, half a second

    return KubernetesProvider()


def _docker() -> Provider:
    from slipway.sandbox.providers.docker import DockerProvider  # noqa: PLC0415 - the Docker SDK

    return DockerProvider()


PROVIDERS: Mapping[str, Callable[[], Provider]] = MappingProxyType(
    {"aws": _aws, "docker": _docker, "kubernetes": _kubernetes}
)
"""One call makes one instance, for one provider resource."""


def import_ahead() -> None:
    """Import what nearly every operation on the sandbox needs, for whoever has to wait anyway: the AWS provider and its client, 0.2 s."""
    for module in ("slipway.sandbox.providers.aws.provider", "botocore.session"):
        importlib.import_module(module)
