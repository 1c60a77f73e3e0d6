"""Databases of one name: those of two accounts share no server, and no copy of a snapshot."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.rds.models import RDSBackend, rds_backends

from slipway.sandbox.aws.rds import models
from slipway.sandbox.aws.rds.models import PostgresBackend, RealInstance
from slipway.sandbox.aws.world import World, use_world, world
from slipway.sandbox.aws_accounts import OWN_ACCOUNT

OTHER = "222222222222"
Call = tuple[str, str]


class Servers:
    """Notes what becomes of which server."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def version(self) -> str:
        return "15.1"

    def free_port(self, taken: set[int]) -> int:
        return max({15431, *taken}) + 1

    def running(self, _name: str) -> bool:
        return True

    def create(self, spec: Any, *, snapshot: str = "") -> None:
        self.calls.append(("create", f"{spec.name} from {snapshot}" if snapshot else spec.name))

    def delete(self, name: str) -> None:
        self.calls.append(("delete", name))

    def snapshot(self, name: str, _port: int, snapshot: str) -> None:
        self.calls.append(("snapshot", f"{name} as {snapshot}"))

    def delete_snapshot(self, name: str) -> None:
        if not name.rsplit("-", maxsplit=1)[-1].isdigit():  # moto's own, of the day
            self.calls.append(("delete snapshot", name))


def at_once(_service: str, _what: str, work: Callable[[], None], **then: Callable[..., None]) -> None:
    work()
    then["done"]()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    before, made = world(), Servers()
    use_world(World(postgres=made))  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(rds_backends, "backend", PostgresBackend)
    monkeypatch.setattr(models, "in_background", at_once)
    with mock_aws():
        yield made
    use_world(before)


def live(backend: RDSBackend) -> None:
    """A database's whole life."""
    database = backend.create_db_instance(
        {
            "db_instance_identifier": "orders",
            "engine": "postgres",
            "db_instance_class": "db.t4g.small",
            "allocated_storage": 20,
            "master_username": "orders",
            "master_user_password": "chosen by hand",
        }
    )
    assert isinstance(database, RealInstance)
    backend.create_db_snapshot("orders", "kept")
    backend.restore_db_instance_from_db_snapshot("kept", {"db_instance_identifier": "again"})
    backend.delete_db_snapshot("kept")
    backend.delete_db_instance("orders")


@pytest.mark.parametrize(
    ("account", "home"), [(OWN_ACCOUNT, "us-east-1"), (OTHER, f"{OTHER}-us-east-1")], ids=["own", "other"]
)
def test_server_and_copies_are_of_their_account(servers: Servers, account: str, home: str) -> None:
    live(rds_backends[account]["us-east-1"])
    assert servers.calls == [
        ("create", f"{home}-orders"),
        ("snapshot", f"{home}-orders as {home}-kept"),
        ("create", f"{home}-again from {home}-kept"),
        ("delete snapshot", f"{home}-kept"),
        ("delete", f"{home}-orders"),
    ]
