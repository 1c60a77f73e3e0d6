"""Messages for `pulumi --debug` that a program sends, or spares itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.lean_sdk import drop_debug_messages


@pytest.mark.parametrize(("environ", "sent"), [({}, ["kept"]), ({"SLIPWAY_DEBUG_MESSAGES": "1"}, ["spared", "kept"])])
def test_only_debug_messages_are_dropped(
    environ: dict[str, str], sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)  # taken back afterwards
    monkeypatch.setattr(pulumi.log, "get_engine", lambda: SimpleNamespace(Log=seen.append))

    drop_debug_messages(environ)
    pulumi.log.debug("spared")
    pulumi.log.info("kept")

    assert [request.message for request in seen] == sent
