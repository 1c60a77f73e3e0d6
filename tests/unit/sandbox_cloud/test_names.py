"""Names of Route 53 on this machine: which there are, and how they come into the file of names."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import MachineError
from slipway.sandbox.hosts_file import BEGIN, END, HostsFile, with_block
from slipway.sandbox.names import Published, names_of_machine

NETWORK = "127.0.10"
HOSTS = "127.0.0.1\tlocalhost\n# mine\n192.0.2.7 tea.test TEA2.test\n"


def names(*records: tuple[str, str]) -> dict[str, str]:
    return names_of_machine((Published.of(name, value.split()) for name, value in records), NETWORK)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([("Orders.Example.test.", "127.0.10.3.")], {"orders.example.test": "127.0.10.3"}),
        ([("a.example.com", "dualstack.127.0.10.3")], {"a.example.com": "127.0.10.3"}),
        ([("a.test", "b.example."), ("b.example", "127.0.10.1")], {"a.test": "127.0.10.1", "b.example": "127.0.10.1"}),
        ([("a.test", "192.0.2.1 127.0.10.4")], {"a.test": "127.0.10.4"}),
        ([("a.test", "127.0.10.1"), ("a.test", "127.0.10.2")], {"a.test": "127.0.10.2"}),
    ],
    ids=["address", "dual stack", "chain", "several addresses", "zone below another"],
)
def test_name_is_found_when_it_leads_to_a_load_balancer(records: list[tuple[str, str]], found: dict[str, str]) -> None:
    assert names(*records) == found


@pytest.mark.parametrize(
    "records",
    [
        [("www.google.com", "127.0.10.1")],
        [("metadata.google.internal", "127.0.10.1")],
        [("example.com.evil.org", "127.0.10.1")],
        [("notexample.com", "127.0.10.1")],
        [("orders.localhost", "127.0.10.1")],
        [("a.test", "192.0.2.1")],
        [("a.test", "dualstack.192.0.2.1")],
        [("a.test", "127.0.100.1")],
        [("a.test", "127.0.0.1")],
        [("a.test", "www.google.com")],
        [("a.test", "b.test"), ("b.test", "a.test")],
        [("a.test", "")],
        [("*.a.test", "127.0.10.1")],
        [(r"\052.a.test", "127.0.10.1")],
        [("x\n192.0.2.1 www.google.com.test", "127.0.10.1")],
        [("x www.google.com a.test", "127.0.10.1")],
        [("a..test", "127.0.10.1")],
        [("test", "127.0.10.1")],
    ],
    ids=lambda records: repr(records[0]),
)
def test_name_is_not_found_when_it_could_mislead_this_machine(records: list[tuple[str, str]]) -> None:
    assert names(*records) == {}


def test_file_of_names_is_as_before_when_the_block_goes(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(HOSTS.encode() + b"192.0.2.8 caf\xe9.test")  # without an end of line, and not UTF-8
    file.chmod(0o640)
    hosts = HostsFile(file)
    hosts.show({"b.test": "127.0.10.2", "a.test": "127.0.10.1"})
    first = file.read_bytes().decode("latin-1")
    assert first == f"{HOSTS}192.0.2.8 caf\xe9.test\n{BEGIN}\n127.0.10.1 a.test\n127.0.10.2 b.test\n{END}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    hosts.show({"a.test": "127.0.10.9"})
    assert "127.0.10.9 a.test\n" in file.read_bytes().decode("latin-1")
    hosts.clear()
    hosts.clear()
    assert file.read_bytes() == HOSTS.encode() + b"192.0.2.8 caf\xe9.test\n"
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_names_that_are_there_already_are_left_to_their_owner() -> None:
    assert with_block(HOSTS, {"tea.test": "127.0.10.1", "tea2.test": "127.0.10.1"}) == HOSTS
    assert "127.0.10.1 mine\n" in with_block(HOSTS, {"mine": "127.0.10.1"})  # a comment is no name


def test_block_whose_end_is_missing_takes_nothing_else_with_it() -> None:
    torn = f"{HOSTS}{BEGIN}\n127.0.10.1 a.test\n192.0.2.9 coffee.test\n127.0.10.2 mine.test\n"
    assert with_block(torn, {}) == f"{HOSTS}192.0.2.9 coffee.test\n127.0.10.2 mine.test\n"


def test_file_is_not_touched_when_nothing_changes(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(HOSTS)
    before = file.stat()
    HostsFile(file).clear()
    HostsFile(file).show({"tea.test": "127.0.10.1"})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    HostsFile(tmp_path / "none").clear()
    assert not (tmp_path / "none").exists()


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(HOSTS)
    (tmp_path / "hosts").symlink_to("kept")
    HostsFile(tmp_path / "hosts").show({"a.test": "127.0.10.1"})
    assert (tmp_path / "hosts").is_symlink()
    assert "127.0.10.1 a.test" in (tmp_path / "kept").read_text()


def test_file_of_a_container_is_written_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "hosts"
    file.write_text(HOSTS)

    def busy(*_: Any) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", busy)
    HostsFile(file).show({"a.test": "127.0.10.1"})
    assert file.read_text() == f"{HOSTS}{BEGIN}\n127.0.10.1 a.test\n{END}\n"
    HostsFile(file).clear()
    assert file.read_text() == HOSTS
    assert [path.name for path in tmp_path.iterdir()] == ["hosts"]


def test_refuses_with_the_reason_when_the_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hosts"
    file.write_text(HOSTS)

    def closed(*_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_bytes", closed)
    with pytest.raises(MachineError, match="cannot be shown to this machine's programs: Read-only file system"):
        HostsFile(file).show({"a.test": "127.0.10.1"})
    assert file.read_text() == HOSTS
