"""The orders service's metrics have a port of their own, which no load balancer has."""

from __future__ import annotations

import socket

import httpx
import pytest

from orders import __main__ as service
from tests.unit.app.orders_fakes import Site, settings


def test_metrics_are_served_on_a_port_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setattr(service, "load_settings", lambda: settings(metrics_port=port))
    answers: list[httpx.Response] = []
    monkeypatch.setattr(
        service.DrainingServer, "run", lambda _: answers.append(httpx.get(f"http://127.0.0.1:{port}/metrics"))
    )
    service.main()
    assert "http_request_duration_seconds" in answers[0].text
    assert Site().get("/metrics").status_code == 404
