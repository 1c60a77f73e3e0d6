"""Killed at a random moment of an `up`: the next `up` ends in the same state, and nothing was made twice or forgotten."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from project_kit import Project

from slipway.errors import OperationError
from slipway.stack.locks import LockHolder
from slipway.stack.pending import interrupted_creates
from tests.waiting import wait_until

THINGS = 6
ROUNDS = int(os.environ.get("SLIPWAY_CRASH_ROUNDS", "4"))
"""Of each kind. The seed of a failed round is in its test's name."""
UP_SECONDS = 6.0
"""About what an `up` of these Things takes; kills come at any time of it."""


@pytest.fixture
def slow(project: Project) -> Project:
    """Things that take a while, one after the other."""
    project.serve(adopts=True)
    project.write(things=THINGS, chain=True)
    project.stack().preview()  # makes the stack
    (project.things / "slow").touch()
    return project


def start(*argv: str, project: Project) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def pulumi_up(project: Project) -> subprocess.Popen[bytes]:
    return start("pulumi", "up", "--stack", "dev", "--yes", "--skip-preview", project=project)


def slipway_up(project: Project) -> subprocess.Popen[bytes]:
    return start(sys.executable, "-m", "slipway.cli", "--no-sandbox", "up", "dev", "--yes", project=project)


def runs_there(project: Project) -> list[psutil.Process]:
    """Processes of Pulumi that work in the project's folder."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("pulumi") and process.cwd() == str(project.folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def require_whole(project: Project) -> None:
    """Everything is there once, and the next `up` has nothing to do."""
    (project.things / "slow").unlink()
    stack = project.stack(adopts_creates=True)
    stack.up()
    assert project.made() == [f"thing-{number}" for number in range(THINGS)]
    assert stack.up().changes == {"same": THINGS + 1}
    assert interrupted_creates(stack.export()) == ()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_cli_is_continued(slow: Project, seed: int) -> None:
    with pulumi_up(slow) as up:
        time.sleep(random.Random(seed).uniform(0, UP_SECONDS))
        up.kill()
    require_whole(slow)
    wait_until(lambda: not runs_there(slow), "the language host ends with its CLI")


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_slipway_leaves_no_pulumi_and_is_continued(slow: Project, seed: int) -> None:
    with slipway_up(slow) as up:
        time.sleep(random.Random(100 + seed).uniform(0, UP_SECONDS))
        up.kill()
    wait_until(lambda: not runs_there(slow), "`pulumi` ends with slipway")
    require_whole(slow)


def test_interrupt_ends_in_order_and_is_told_by_the_exit_code(slow: Project) -> None:
    with slipway_up(slow) as up:
        wait_until(lambda: len(slow.made()) >= 2, "two Things")
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait(60) == 130
    assert not runs_there(slow)
    assert len(slow.made()) < THINGS
    assert interrupted_creates(slow.stack().export()) == ()
    require_whole(slow)


def test_interrupted_create_is_refused_where_providers_do_not_take_it_up(slow: Project) -> None:
    with pulumi_up(slow) as up:
        wait_until(lambda: len(slow.made()) >= 2, "two Things")
        up.kill()
    stack = slow.stack()
    assert interrupted_creates(stack.export())
    for operation in (stack.up, stack.destroy):
        with pytest.raises(OperationError, match="may exist or not") as failure:
            operation()
        assert "pulumi refresh --stack dev" in failure.value.remedy
    before = slow.made()
    stack.show("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert slow.made() == before
    assert interrupted_creates(stack.export()) == ()


def test_state_is_read_although_what_lies_beside_it_was_torn(project: Project) -> None:
    project.stack().up()
    (sidecar,) = (project.folder.parent / "state/.pulumi/stacks").rglob("dev.json.attrs")
    sidecar.write_bytes(b"")  # where the CLI was killed between creating and writing it

    assert project.stack().resources() == 4
    assert project.stack().up().changes == {"same": 4}


def test_holder_of_a_lock_is_dead_although_nobody_has_waited_for_it(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as process:
        holder = LockHolder(socket.gethostname(), process.pid)
        try:
            assert not holder.is_dead
        finally:
            process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert holder.is_dead
