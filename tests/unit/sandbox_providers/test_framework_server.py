"""What the served protocol says beyond the provider's own answers."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from pulumi.runtime.proto import provider_pb2

from slipway.providers.provider import CallContext, Caller, Provider, ReadResult
from slipway.providers.server import Peer, ProviderServicer
from slipway.providers.values import PropertyMap


class Empty(Provider):
    """A provider whose resources are all gone."""

    name, version = "empty", "1.0.0"

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:  # noqa: A002
        """Nothing there."""
        return ReadResult(id="", outputs={})


def test_missing_resource_has_no_properties_at_all() -> None:
    # The engine takes empty properties for a provider that cannot import.
    connections: Any = Mock()
    connections.find.return_value = Empty(Caller())
    urn = "urn:pulumi:dev::shop::empty:index:Thing::thing"
    request = provider_pb2.ReadRequest(id="gone", urn=urn, type="empty:index:Thing", name="thing")
    context = Mock()
    context.peer.return_value = "ipv4:127.0.0.1:40000"
    answer = ProviderServicer(connections, 4567).Read(request, context)
    connections.find.assert_called_once_with(Peer(40000, 4567))
    assert not answer.HasField("properties")
