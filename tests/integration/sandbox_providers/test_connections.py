"""Who is at the other end of a connection, and which provider instance serves it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from slipway.providers.provider import Provider, ProviderError
from slipway.providers.server import Peer
from slipway.sandbox.providers.framework.caller import caller_of, established, find_process, program_folder
from slipway.sandbox.providers.framework.connections import Connections
from tests.waiting import wait_until

NOBODY = 65534
CONNECTING = """
import socket, sys

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(connection.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def peer_of(connection: socket.socket) -> Peer:
    return Peer(connection.getsockname()[1], connection.getpeername()[1])


def connect(listener: socket.socket) -> socket.socket:
    return socket.create_connection(listener.getsockname())


def bound(port: int = 0, *, user: int = 0) -> socket.socket:
    """A client's socket at a port that several of these share. (One that `connect` chose may be taken by any process when it is closed.)"""
    os.seteuid(user or os.geteuid())
    try:
        client = socket.socket()
    finally:
        os.seteuid(os.getuid())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", port))
    return client


@pytest.fixture
def command(listener: socket.socket, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Peer]]:
    """A process in a project's folder that is connected, and its peer's name."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\nmain: site\n")
    (tmp_path / "site").mkdir()
    (tmp_path / "below").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", CONNECTING, str(listener.getsockname()[1])],
        cwd=tmp_path / "below",
        env={**os.environ, "OF_THE_COMMAND": "yes"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield process, Peer(int(process.stdout.readline()), listener.getsockname()[1])
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()


def test_caller_is_the_process_at_the_other_end(command: tuple[subprocess.Popen[str], Peer], tmp_path: Path) -> None:
    process, peer = command
    found = find_process(established(peer))
    assert found.pid == process.pid
    caller = caller_of(found)
    assert caller.folder == tmp_path / "site"
    assert caller.environ["OF_THE_COMMAND"] == "yes"
    assert caller.path("www/a.html") == tmp_path / "site/www/a.html"


def test_caller_is_the_command_not_a_child_that_it_is_starting(listener: socket.socket) -> None:
    with connect(listener) as connection:
        child = os.fork()
        if child == 0:  # as between fork and exec: every file of the parent, maybe another folder
            os.chdir("/")
            signal.pause()
        try:
            assert find_process(established(peer_of(connection))).pid == os.getpid()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_connection_to_us_is_not_one_to_elsewhere_from_the_same_port(listener: socket.socket) -> None:
    with ExitStack() as kept:
        port = 0
        for is_ours in [*[False] * 8, True]:
            client = kept.enter_context(bound(port))
            port = client.getsockname()[1]
            with socket.create_server(("127.0.0.1", 0)) as elsewhere:
                client.connect((listener if is_ours else elsewhere).getsockname())
                kept.enter_context((listener if is_ours else elsewhere).accept()[0])
        found = established(peer_of(client))
        assert found
        assert found.inode == os.fstat(client.fileno()).st_ino


def test_owners_connection_to_one_package_says_nothing_of_somebodys_from_the_same_port_to_another() -> None:
    """Both packages are served by one process: whoever connected to the other one from a port of the owner's acted as the owner."""
    with ExitStack() as kept:
        packages = [kept.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        port, peers = 0, list[Peer]()
        for package in packages:
            client = kept.enter_context(bound(port))
            client.connect(package.getsockname())
            port = client.getsockname()[1]
            peers.append(peer_of(client))
        found = [established(peer) for peer in peers]
        assert len({peer.client_port for peer in peers}) == 1
        assert len({each.inode for each in found if each}) == 2
        connections = Connections(Provider)
        connections.open(peers[0], "127.0.0.1:1")
        assert connections.find(peers[0])
        with pytest.raises(ProviderError, match="run it again"):
            connections.find(peers[1])
        connections.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_port_that_the_command_has_left_is_nobody_elses(listener: socket.socket) -> None:
    """Its instance waits for the command to connect again; who gets its port meanwhile is looked at anew."""
    connections = Connections(Provider)
    with bound() as connection, bound(connection.getsockname()[1], user=NOBODY) as thief:
        connection.connect(listener.getsockname())
        peer = peer_of(connection)
        connections.open(peer, "127.0.0.1:1")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves no TIME_WAIT
        connection.close()
        thief.connect(listener.getsockname())
        with pytest.raises(ProviderError, match=f"not the user {NOBODY}"):
            connections.find(peer)
    connections.close()


def test_port_of_a_command_that_ended_is_the_next_ones(listener: socket.socket) -> None:
    connections = Connections(Provider)
    with connect(listener) as connection:
        peer = peer_of(connection)
        connections.open(peer, "127.0.0.1:1")
        second = connections.open(peer, "127.0.0.1:1")
        assert connections.find(peer) is second
        assert len(connections) == 1
    connections.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(None, "deep/er"), ("name: a\n", "."), ("main: deep\n", "deep"), ("main: deep/app.py\n", "deep"), ("", ".")],
)
def test_relative_paths_start_where_the_program_runs(tmp_path: Path, settings: str | None, expected: str) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/app.py").touch()
    if settings is not None:
        (tmp_path / "Pulumi.yaml").write_text(settings)
    assert program_folder(tmp_path / "deep/er") == (tmp_path / expected).resolve()


def test_refuses_a_connection_that_is_not_there(listener: socket.socket) -> None:
    with connect(listener) as connection:
        peer = peer_of(connection)
    with pytest.raises(ProviderError, match="from elsewhere or closed"):
        find_process(established(peer))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_refuses_another_users_command(listener: socket.socket) -> None:
    os.seteuid(NOBODY)
    try:
        connection = socket.socket()
    finally:
        os.seteuid(0)
    connection.connect(listener.getsockname())
    with connection, pytest.raises(ProviderError, match=f"not the user {NOBODY}"):
        find_process(established(peer_of(connection)))


def test_each_connection_has_an_instance_of_its_own(listener: socket.socket) -> None:
    connections = Connections(Provider)
    with connect(listener) as first, connect(listener) as second:
        ours = [connections.open(peer_of(each), "127.0.0.1:1") for each in (first, second)]
        assert [connections.find(peer_of(each)) for each in (first, second)] == ours
        assert ours[0] is not ours[1]
    connections.close()


def test_connection_that_was_opened_again_keeps_its_instance(listener: socket.socket) -> None:
    connections = Connections(Provider)
    with connect(listener) as idle, connect(listener) as kept:
        provider, peer = connections.open(peer_of(idle), "127.0.0.1:1"), peer_of(idle)
        connections.open(peer_of(kept), "127.0.0.1:1")
        idle.close()
        wait_until(lambda: established(peer) is None, "the connection's end", 20)
        with connect(listener) as again:
            assert connections.find(peer_of(again)) is provider
            assert connections.find(peer_of(again)) is provider
    connections.close()


def test_refuses_a_connection_that_began_before_a_restart(listener: socket.socket) -> None:
    connections = Connections(Provider)
    with connect(listener) as connection, pytest.raises(ProviderError, match=r"were restarted .* run it again"):
        connections.find(peer_of(connection))
    connections.close()


def test_instances_are_freed_and_their_waits_ended_when_the_command_is_gone(
    command: tuple[subprocess.Popen[str], Peer],
) -> None:
    process, peer = command
    cancelled: list[bool] = []

    class Waiting(Provider):
        def cancel(self) -> None:
            cancelled.append(True)

    connections = Connections(Waiting)
    connections.open(peer, "127.0.0.1:1")
    assert len(connections) == 1
    process.kill()
    wait_until(lambda: len(connections) == 0 and cancelled == [True], "the end of the command's instance", 20)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    connections.close()
