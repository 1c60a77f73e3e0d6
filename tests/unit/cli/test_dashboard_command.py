"""`slipway dashboard` before it serves anything."""

from __future__ import annotations

import socket

import pytest

from slipway.cli.dashboard import listening
from slipway.errors import MachineError


@pytest.mark.enable_socket
def test_busy_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(MachineError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
            listening("127.0.0.1", port)
    with listening("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
