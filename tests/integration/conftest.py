"""Which tests run beside each other: those of one file share its fixtures, those of the load balancer the addresses of this machine."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        group = "load-balancer" if "sandbox_traffic" in item.path.parts else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
