"""Machines that cannot: one clear error each, before anything is started; and what a dead sandbox left on them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from slipway.errors import MachineError
from slipway.sandbox import apt, requirements, taking_down
from slipway.sandbox.mounts import unmount_below
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable


def test_refuses_another_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(MachineError, match="this is Darwin on") as caught:
        requirements.check_platform()
    assert "real AWS account" in caught.value.remedy


def test_refuses_a_user_who_is_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="needs root"):
        requirements.check_root()


def test_refuses_a_disk_with_too_little_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(0, 0, 3 << 30))
    with pytest.raises(MachineError, match=r"3\.0 GiB are free and the sandbox needs 8") as caught:
        requirements.check_disk(SandboxPaths(tmp_path))
    assert caught.value.where == str(tmp_path)


@pytest.mark.enable_socket  # it holds a port of its own, and sends nothing
def test_refuses_a_port_that_another_program_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(requirements, "PORTS", {port: "daemon"})
        with pytest.raises(MachineError, match=f"port {port} is in use"):
            requirements.check_ports(ProcessTable(SandboxPaths(tmp_path)))


def _record_process(paths: SandboxPaths, pid: int) -> None:
    paths.run.mkdir(parents=True, exist_ok=True)
    created = psutil.Process(pid).create_time()
    (paths.run / "daemon.json").write_text(json.dumps({"pid": pid, "created": created, "argv": ["x"]}))


def test_waits_for_a_port_that_the_children_of_a_dead_process_of_ours_still_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = SandboxPaths(tmp_path)
    paths.run.mkdir(parents=True)
    (paths.run / "daemon.json").write_text(json.dumps({"pid": os.getpid(), "created": 1.0, "argv": ["x"]}))
    asked: list[int] = []
    monkeypatch.setattr(requirements, "PORTS", {4567: "daemon"})
    monkeypatch.setattr(requirements, "_listens", lambda port: asked.append(port) or len(asked) < 3)
    requirements.check_ports(ProcessTable(paths))
    assert asked == [4567] * 3


def test_refuses_a_second_sandbox_while_the_first_one_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(requirements, "CLAIM", tmp_path / "claim.json")
    first, second = SandboxPaths(tmp_path / "first"), SandboxPaths(tmp_path / "second")
    requirements.claim_machine(first)
    _record_process(first, os.getpid())
    with pytest.raises(MachineError, match=f"in {first.home}") as caught:
        requirements.claim_machine(second)
    assert f"SLIPWAY_HOME={first.home} slipway sandbox down" in caught.value.remedy


@pytest.mark.parametrize("verb", [taking_down.down, taking_down.reset])
def test_taking_one_down_leaves_the_network_of_another_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: Callable[..., None]
) -> None:
    monkeypatch.setattr(requirements, "CLAIM", tmp_path / "claim.json")
    monkeypatch.setattr(taking_down, "check_root", lambda: None)
    monkeypatch.delattr(taking_down, "ProcessTable")  # it goes no further
    first, second = SandboxPaths(tmp_path / "first"), SandboxPaths(tmp_path / "second")
    requirements.claim_machine(first)
    _record_process(first, os.getpid())
    with pytest.raises(MachineError, match=f"another sandbox runs on this machine, in {first.home}"):
        verb(second, lambda _text: None)


def test_second_sandbox_takes_the_machine_when_the_first_one_died(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(requirements, "CLAIM", tmp_path / "claim.json")
    first, second = SandboxPaths(tmp_path / "first"), SandboxPaths(tmp_path / "second")
    assert requirements.dead_owner(first) is None
    requirements.claim_machine(first)
    assert requirements.dead_owner(first) is None
    assert requirements.dead_owner(second) == first.home
    requirements.claim_machine(second)
    assert requirements.dead_owner(second) is None
    requirements.release_machine(first)  # not its own any more
    assert json.loads((tmp_path / "claim.json").read_text()) == {"home": str(second.home)}


def test_missing_packages_are_those_whose_program_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program, **_: None if program in ("haproxy", "socat") else program)
    assert apt.missing_packages() == ["haproxy", "socat"]


def test_refuses_a_machine_without_apt_when_programs_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    with pytest.raises(MachineError, match="lacks haproxy and has no apt-get"):
        apt.install_packages(["haproxy"], lambda _text: None)


def test_unmounts_what_is_below_and_the_last_first(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = ["/", "/s", "/s/data", "/s/data/deep", "/s-else"]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [SimpleNamespace(mountpoint=each) for each in mounts])
    unmounted: list[str] = []
    monkeypatch.setattr(subprocess, "run", lambda argv, **_: unmounted.append(str(argv[-1])))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    unmount_below(Path("/s"))
    assert unmounted == ["/s/data/deep", "/s/data"]
