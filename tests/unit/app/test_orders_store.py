"""How the orders service keeps its connections."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from orders import store


def test_pod_never_holds_more_connections_than_its_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both colours' pods share the database's slots while a release goes up: what each may hold must be what is reckoned with."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(store, "create_async_engine", lambda _url, **options: asked.update(options))
    store.OrderStore(URL.create("postgresql+psycopg"), 5)
    assert asked["pool_size"] + asked["max_overflow"] == 5
    assert asked["pool_timeout"] <= store.STATEMENT_TIMEOUT_MS / 1000  # a request that finds none is answered, not kept
