"""TLS of domains: the sandbox's own authority, which signs what ACM issues. Clients verify load balancers with its certificate."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from slipway.sandbox.certificates import (
    Authority,
    Identity,
    issue_domains,
    load_authority,
    make_authority,
    write_authority,
)
from slipway.sandbox.paths import DOMAIN_AUTHORITY, SandboxPaths, private_folder


class DomainAuthority:
    """The authority of one sandbox, made when it is first needed. Its key is its owner's alone, and a reset makes another."""

    def __init__(self, paths: SandboxPaths) -> None:
        self._folder = paths.domain_ca_bundle.parent
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        """Of the authority itself, in PEM."""
        return self._ensure().pem

    def issue(self, domains: Sequence[str]) -> Identity:
        """A certificate for web servers of these domains."""
        return issue_domains(self._ensure(), domains)

    def _ensure(self) -> Authority:
        with self._lock:
            if not (self._folder / f"{DOMAIN_AUTHORITY}.key").exists():
                made = make_authority("Slipway sandbox Root CA")
                write_authority(private_folder(self._folder), DOMAIN_AUTHORITY, made)
            return load_authority(self._folder, DOMAIN_AUTHORITY)
