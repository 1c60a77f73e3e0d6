"""What a failed CLI means, by what it printed, its exit code and its event log."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.errors import (
    ChangesError,
    LockedError,
    MachineError,
    NotFoundError,
    OperationError,
    PolicyError,
    UsageError,
)
from slipway.stack.event_log import EventLog
from slipway.stack.failures import InterruptedOperationError, failure
from slipway.stack.locks import file_holders, named_holders
from slipway.stack.process import Finished

LOCKED = """\x1b[31merror:\x1b[0m the stack is currently locked by {count} lock(s). Either wait for the other process(es) to end or delete \
the lock file with `pulumi cancel`.
{lines}"""


def locked(*holders: tuple[str, int]) -> str:
    lines = [
        f"  file:///s/.pulumi/locks/{pid}.json: created by ann@{host} (pid {pid}) at 2026-11-26T10:00:00Z"
        for host, pid in holders
    ]
    return LOCKED.format(count=len(lines), lines="\n".join(lines))


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("code", "stderr", "kind"),
    [
        (255, locked(("other", 7)), LockedError),
        (1, "error: [409] Conflict: Another update is currently in progress.", LockedError),
        (255, "error: getting stack configuration: incorrect passphrase", UsageError),
        (255, "error: write /state/dev.json: no space left on device", MachineError),
        (6, "error: no stack named 'dev' found", NotFoundError),
        (255, "error: no stack named 'dev' found", NotFoundError),
        (7, "error: no changes were expected but changes were proposed", ChangesError),
        (2, "error: --yes must be passed in non-interactive mode", UsageError),
        (3, "error: could not load credentials", MachineError),
        (1, "error: update failed", OperationError),
        (130, "", InterruptedOperationError),
        (8, "error: cancelled", InterruptedOperationError),
    ],
)
def test_failure_has_the_exit_code_of_its_kind(code: int, stderr: str, kind: type[Exception]) -> None:
    assert type(failure(Finished(code=code, stderr=stderr), EventLog(), "dev")) is kind


def test_policy_refusal_wins_over_what_follows_from_it() -> None:
    log = EventLog(refusals=("mandatory: encrypted: the queue is not",), errors=("preview failed",))
    error = failure(Finished(code=1, stderr="error: preview failed"), log, "dev")
    assert isinstance(error, PolicyError)
    assert error.what == "mandatory: encrypted: the queue is not"


def test_interruption_wins_over_the_error_that_it_causes() -> None:
    error = failure(Finished(code=1, stderr="error: update cancelled", interrupted=True), EventLog(), "dev")
    assert (error.exit_code, error.remedy) == (130, "run the same command again: it goes on where it stopped")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ('constructing secrets manager of type "passphrase": passphrase must be set', "PULUMI_CONFIG_PASSPHRASE"),
        ('constructing secrets manager of type "cloud": AccessDeniedException', "kms:Decrypt"),
    ],
)
def test_unreadable_secrets_are_told_by_what_encrypts_them(said: str, names: str) -> None:
    error = failure(Finished(code=255, stderr=f"error: {said}"), EventLog(), "dev")
    assert isinstance(error, UsageError)
    assert names in error.remedy


def test_push_that_lost_a_race_is_told_to_run_again() -> None:
    said = "The image tag 'src-1' already exists in the 'orders' repository and cannot be overwritten because the tag is immutable."
    error = failure(Finished(code=255, stderr="error: update failed"), EventLog(errors=(said,)), "dev")
    assert (type(error), error.remedy) == (
        OperationError,
        "run the same command again: it takes the image that is there",
    )


def test_message_is_the_engines_without_credentials() -> None:
    log = EventLog(errors=("db: cannot connect to postgres://app:hunter2@10.0.0.1/app",))
    error = failure(Finished(code=1, stderr="error: update failed"), log, "dev")
    assert "db: cannot connect to postgres://app:***@10.0.0.1/app" in error.what
    assert "hunter2" not in str(error)


def test_lock_of_a_dead_process_of_this_machine_is_known_as_dead(dead_pid: int) -> None:
    (holder,) = named_holders(locked((socket.gethostname(), dead_pid)))
    assert holder.is_dead


def test_lock_is_taken_for_alive_when_it_may_be(dead_pid: int) -> None:
    here = socket.gethostname()
    living, foreign = named_holders(locked((here, os.getppid()), ("elsewhere", dead_pid)))
    assert not foreign.is_dead
    # The number is in use again, but not by a Pulumi CLI: whoever made the lock is gone.
    assert living.is_dead
    assert named_holders("error: update failed (pid 12)") == ()


def test_locks_of_a_file_backend_are_read_where_they_are(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/locks/organization/shop/dev"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text('{"pid": 7, "username": "ann", "hostname": "elsewhere"}')
    (folder / "half.json").write_text('{"pid":')
    (holder,) = file_holders(f"file://{tmp_path}", "shop", "dev")
    assert (holder.host, holder.pid, holder.is_dead) == ("elsewhere", 7, False)
    assert file_holders("s3://bucket", "shop", "dev") == ()
