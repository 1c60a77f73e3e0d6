"""How the orders service keeps its connections."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import URL

from orders import store


def test_pod_never_holds_more_connections_than_its_setting_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both colours' pods share the database's slots while a release goes up: what each may hold must be what is reckoned with."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(store, "create_async_engine", lambda _url, **options: asked.append(options))
    store.OrderStore(URL.create("postgresql+psycopg"), 5)
    pool, apart = asked
    assert pool["pool_size"] + pool["max_overflow"] == 4
    assert apart["pool_size"] + apart["max_overflow"] == 1  # readiness's own
    assert pool["pool_timeout"] <= store.STATEMENT_TIMEOUT_MS / 1000
