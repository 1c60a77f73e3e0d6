"""Stacks to test with: records, stores and what the file of a stack holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.engine.state.backend import FileBackend
from slipway.engine.state.model import ResourceState
from slipway.engine.state.store import StackStore

PREFIX = "urn:pulumi:dev::shop::"
NOW = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
ENVIRON = {"PULUMI_CONFIG_PASSPHRASE": "password"}

STACK = ResourceState(urn=f"{PREFIX}pulumi:pulumi:Stack::shop-dev", type="pulumi:pulumi:Stack", custom=False)
PROVIDER = ResourceState(
    urn=f"{PREFIX}pulumi:providers:demo::default", type="pulumi:providers:demo", custom=True, id="u-1"
)


def thing(name: str, **fields: Any) -> ResourceState:
    """A record of the demo provider, child of the stack."""
    made = ResourceState(
        urn=f"{PREFIX}demo:index:Thing::{name}",
        type="demo:index:Thing",
        custom=True,
        id=f"id-{name}",
        parent=STACK.urn,
        provider=f"{PROVIDER.urn}::u-1",
    )
    return replace(made, **fields)


def open_store(root: Path, environ: dict[str, str] | None = None, name: str = "dev") -> StackStore:
    """The store of a stack, as a process of its own would open it."""
    return FileBackend(f"file://{root}", environ=ENVIRON if environ is None else environ).stack("shop", name)


def stack_file(root: Path, name: str = "dev") -> Path:
    """The state file."""
    return root / ".pulumi" / "stacks" / "shop" / f"{name}.json"


def file_data(root: Path, name: str = "dev") -> dict[str, Any]:
    """What the state file holds."""
    return json.loads(stack_file(root, name).read_bytes())


def urns_in_file(root: Path) -> list[str]:
    """The names of the resources in the state file, in order."""
    return [
        record["urn"].rpartition("::")[2] for record in file_data(root)["checkpoint"]["latest"].get("resources", [])
    ]
