"""The real things behind the API, for backends that moto constructs without arguments. Empty: plain moto, which simulates them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.log import get_logger
from slipway.sandbox.aws.lock import API_LOCK

if TYPE_CHECKING:
    from slipway.sandbox.images.oci import RegistryClient
    from slipway.sandbox.kubernetes import ClusterManager
    from slipway.sandbox.postgres import PostgresInstances
    from slipway.sandbox.registry_access import RegistryAccess

log = get_logger(__name__)


@dataclass(kw_only=True)
class World:
    """What the daemon has. A field that is None is only simulated."""

    clusters: ClusterManager | None = None
    postgres: PostgresInstances | None = None
    registry: RegistryClient | None = None
    registry_access: RegistryAccess | None = None
    token_webhook_url: str = ""
    """Asked by the API servers about AWS tokens; the cluster's name is appended."""
    gone_zones: Callable[[], frozenset[str]] = frozenset
    """The availability zones that a fault plan has put out of reach."""
    save: Callable[[str], None] = lambda _service: None
    """Writes the state of one service; called after every change that no request made."""
    cluster_started: Callable[[str], None] = lambda _name: None
    """Told when a cluster answers, so that controllers can watch it."""
    cluster_stopping: Callable[[str], None] = lambda _name: None


_current = World()


def world() -> World:
    """The real things of this process."""
    return _current


def use_world(new: World) -> None:
    """Put real things behind the API (the daemon, once, before it serves)."""
    global _current  # noqa: PLW0603 - moto's own backends are global too
    _current = new


def in_background(
    service: str, what: str, work: Callable[[], None], *, done: Callable[[], None], failed: Callable[[Exception], None]
) -> None:
    """Run slow `work` without the API's lock; then `done` or `failed` with it, and save the service's state."""

    def run() -> None:
        fault: Exception | None = None
        try:
            work()
        except Exception as error:
            log.exception("failed in the background", service=service, what=what)
            fault = error
        with API_LOCK:
            if fault is None:
                done()
            else:
                failed(fault)
            world().save(service)

    threading.Thread(target=run, name=f"{service}: {what}", daemon=True).start()
