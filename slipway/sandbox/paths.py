"""Where the sandbox keeps everything: one folder outside the clone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.errors import UsageError

DATABASE_AUTHORITY = "rds-ca-ecc384-g1"
"""The one of RDS's authorities whose kind of key the sandbox's has."""

DOMAIN_AUTHORITY = "root-ca"
"""The one that signs certificates of ACM."""


def private_folder(path: Path) -> Path:
    """The folder, which only its owner can enter; made if it is not there."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def ensure_secret(path: Path, make: Callable[[], str]) -> Path:
    """A file with something random: readable by its owner only, made once, by the first of several processes."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as made:  # 0600
            made.write(make())
            made.flush()
            with contextlib.suppress(FileExistsError):
                os.link(made.name, path)
    return path


@dataclass(frozen=True)
class SandboxPaths:
    """`$SLIPWAY_HOME` (default `~/.slipway`) and the folders in it."""

    home: Path

    @classmethod
    def from_environment(cls) -> SandboxPaths:
        """The folder that `SLIPWAY_HOME` names, or `~/.slipway`. Raises UsageError for what can be none."""
        named = os.environ.get("SLIPWAY_HOME") or "~/.slipway"
        try:
            home = Path(named).expanduser().resolve()
            home.is_dir()
            named.encode()
        except (OSError, RuntimeError, ValueError) as error:
            raise UsageError(f"{named[:200]!r} is no folder: {error}", where="SLIPWAY_HOME") from error
        return cls(home)

    @property
    def cache(self) -> Path:
        """Built binaries and base images, by the hash of their sources; survives `slipway sandbox reset`."""
        return self.home / "cache"

    @property
    def sandbox(self) -> Path:
        """Everything the running sandbox knows; `slipway sandbox reset` removes it."""
        return self.home / "sandbox"

    @property
    def database_ca_bundle(self) -> Path:
        """Whom clients of databases trust, in PEM; the daemon makes it."""
        return self.sandbox / "rds-ca" / f"{DATABASE_AUTHORITY}.crt"

    @property
    def domain_ca_bundle(self) -> Path:
        """Whom clients of load balancers trust, in PEM; the daemon makes it."""
        return self.sandbox / "acm-ca" / f"{DOMAIN_AUTHORITY}.crt"

    @property
    def run(self) -> Path:
        """One JSON record per supervised process."""
        return self.sandbox / "run"

    @property
    def logs(self) -> Path:
        """One log file per supervised process."""
        return self.sandbox / "logs"

    @property
    def programs(self) -> Path:
        """Programs for a PATH: `kubectl` of the clusters' version, and `pulumi` where the machine has none."""
        return self.sandbox / "bin"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME of everything that runs on the sandbox: its plugins, and no login of the user's."""
        return self.sandbox / "pulumi" / "home"
