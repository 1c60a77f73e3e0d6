"""The order of `up`: what is built and what is fetched goes on at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from slipway.errors import MachineError, OperationError
from slipway.sandbox import bringing_up
from slipway.sandbox.go_programs import groups
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessRecord


def quietly(_text: str) -> None:
    """Progress that is not looked at."""


WANTED = bringing_up.__dict__["_wanted_programs"]


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put functions of the test's in place of the module's; what needs a machine does nothing."""

    def call(**functions: Callable[..., object]) -> None:
        for name, function in functions.items():
            monkeypatch.setattr(bringing_up, name, function)

    nothing = (
        "check_machine",
        "claim_machine",
        "dead_owner",
        "_start_daemon",
        "_wait_resumed",
        "_start_services",
        "_prepare_programs",
    )
    call(**dict.fromkeys(nothing, lambda *_arguments: None))
    call(_wanted_programs=lambda *_arguments: [])
    return call


class Daemon:
    """A process table that has one daemon."""

    def __init__(self, python: Path, code: str) -> None:
        self.record = ProcessRecord(name="daemon", pid=1, created=0.0, argv=(str(python), "--code", code))
        self.stopped = False

    def find(self, _name: str) -> ProcessRecord:
        return self.record

    def stop(self, _name: str, **_more: object) -> None:
        self.stopped = True

    def ensure(self, _spec: object) -> None:
        pass


@pytest.mark.parametrize(
    ("python", "code", "replaced"),
    [("here", "same", False), ("here", "other", True), ("gone", "same", True)],
    ids=["the same", "other sources", "its clone was deleted"],
)
def test_daemon_is_replaced_where_it_is_not_of_these_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, code: str, replaced: bool
) -> None:
    (tmp_path / "here").touch()
    monkeypatch.setattr(bringing_up, "_code_hash", lambda: "same")
    daemon = Daemon(tmp_path / python, code)
    bringing_up.__dict__["_start_daemon"](SandboxPaths(tmp_path), daemon)
    assert daemon.stopped is replaced


def test_programs_are_built_while_packages_and_images_are_fetched(replace: Callable[..., None], tmp_path: Path) -> None:
    fetching, built = threading.Event(), threading.Event()

    def fetch(*_arguments: object) -> None:
        fetching.set()
        assert built.wait(10)

    def build(*_arguments: object) -> None:
        assert fetching.wait(10)
        built.set()

    replace(_start_services=fetch, _prepare_programs=build)
    bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert built.is_set()


def test_what_a_killed_sandbox_left_is_taken_away_and_nothing_else(
    replace: Callable[..., None], tmp_path: Path
) -> None:
    swept: list[SandboxPaths] = []
    replace(sweep=swept.append)
    bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert not swept
    replace(dead_owner=lambda *_arguments: tmp_path / "another")
    bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert swept == [SandboxPaths(tmp_path)]


def test_machine_is_not_taken_over_when_the_dead_sandbox_could_not_be_taken_away(
    replace: Callable[..., None], tmp_path: Path
) -> None:
    claimed: list[str] = []

    def fail(_paths: SandboxPaths) -> None:
        raise OperationError("`ip netns delete` failed")

    replace(dead_owner=lambda *_arguments: tmp_path, sweep=fail, claim_machine=lambda *_arguments: claimed.append("x"))
    with pytest.raises(OperationError, match="ip netns"):
        bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert not claimed


@pytest.mark.parametrize("part", ["_start_services", "_prepare_programs"])
def test_daemon_is_not_started_when_a_part_fails(replace: Callable[..., None], tmp_path: Path, part: str) -> None:
    started: list[str] = []

    def fail(*_arguments: object) -> None:
        raise OperationError("no such thing")

    replace(**{part: fail, "_start_daemon": lambda *_arguments: started.append("daemon")})
    with pytest.raises(OperationError, match="no such thing"):
        bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert not started


def test_refuses_state_of_a_sandbox_that_used_other_clusters(replace: Callable[..., None], tmp_path: Path) -> None:
    begun: list[str] = []
    replace(claim_machine=lambda *_arguments: begun.append("claim"))
    setting = tmp_path / "sandbox/kubernetes/existing-kubeconfig"
    setting.parent.mkdir(parents=True)
    setting.write_text("/home/ada/.kube/config")

    with pytest.raises(MachineError, match="used clusters that it did not build") as refused:
        bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert "slipway sandbox reset" in refused.value.remedy
    assert not begun


def test_refuses_a_machine_without_go_before_anything_is_installed(
    replace: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    replace(_wanted_programs=WANTED, _start_services=lambda *_arguments: fetched.append("packages"))
    monkeypatch.setenv("PATH", str(tmp_path))
    groups.fingerprint.cache_clear()

    with pytest.raises(MachineError, match="Go is not installed"):
        bringing_up.up(SandboxPaths(tmp_path), quietly)
    assert not fetched
