"""Keeps the packet filter to what the AWS API says of databases and security groups."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from slipway.sandbox.aws.database_clients import database_ports
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.firewall import ensure_chain
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.packet_rules import databases_chain

SERVICES = frozenset({"ec2", "eks", "rds"})
"""Whose changes may let a cluster's pods in or keep them out."""


class DatabaseAccess:
    """Lets each cluster's pods through to the databases that admit them."""

    def __init__(self, clusters: ClusterManager) -> None:
        self._clusters = clusters
        self._lock = threading.Lock()
        self._applied: Mapping[int, set[int]] | None = None

    def on_api_change(self, service: str) -> None:
        """Before the caller has its answer."""
        if service in SERVICES:
            self.refresh()

    def refresh(self) -> None:
        """Bring the rules to what is wanted now. Cheap where nothing changed."""
        with self._lock:
            with API_LOCK:
                ports = database_ports()
            numbers = self._clusters.numbers()
            wanted = {numbers[name]: found for name, found in ports.items() if name in numbers}
            if wanted != self._applied:
                ensure_chain(databases_chain(wanted))
                self._applied = wanted
