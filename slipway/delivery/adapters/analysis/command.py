"""A program of this machine, and its exit code."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

from slipway.contract.analysis import CommandEntry
from slipway.delivery.adapters.analysis.filling import fill, words
from slipway.delivery.model.analysis import Answer, Subject
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import OperationError
from slipway.scrubbing import scrub

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONGEST_OUTPUT = 64 * 1024
"""Read of what it prints; the rest is thrown away."""
LONGEST_LINE = 160


class Command:
    """Answers entries of type `command`."""

    def __init__(self, declared: Callable[[], RolloutSettings | None]) -> None:
        """`declared`: the rollout settings of the stack file at hand.

        A rollout's own settings come from the ledger. Who may write there must not run programs here by that.
        """
        self._declared = declared

    def answer(self, entry: CommandEntry, subject: Subject) -> Answer:
        """See `Provider.answer`. The program and all that it started have ended when this returns."""
        settings = self._declared()
        if settings is None or entry not in settings.analysis:
            raise OperationError(
                "the stack file at hand does not have this command as it was released with; it is not run"
            )
        found = words(subject)
        environment = {"PATH": SYSTEM_PATH, **entry.environment}
        program = shutil.which(entry.argv[0], path=environment["PATH"])
        if program is None:
            raise OperationError(f"there is no program {entry.argv[0]}")
        code, last = _run([program, *(fill(text, found, str) for text in entry.argv[1:])], environment, entry)
        if code in entry.no_data_codes:
            return Answer(fault=scrub(f"{entry.argv[0]} ended with {code}, which says nothing: {last}"), silent=True)
        if code < 0:
            raise OperationError(f"{entry.argv[0]} was killed by signal {-code}")
        return Answer(value=code)


def _run(argv: list[str], environment: dict[str, str], entry: CommandEntry) -> tuple[int, str]:
    """Exit code and last line. In a group of its own, which ends with it: what it left running would outlive every look."""
    deadline = time.monotonic() + entry.timeout_seconds
    try:
        running = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise OperationError(f"{entry.argv[0]} cannot be started: {error.strerror}") from None
    with running:
        try:
            output = _read_until_end(running, deadline)
            code = running.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            raise OperationError(f"{entry.argv[0]} did not end within {entry.timeout_seconds:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
    lines = output.decode(errors="replace").split("\n")
    printable = "".join(
        each for each in next((line for line in reversed(lines) if line.strip()), "") if each.isprintable()
    )
    return code, printable[:LONGEST_LINE]


def _read_until_end(running: subprocess.Popen[bytes], deadline: float) -> bytes:
    """What it printed, until it ends or closes its output. A child that keeps the output open does not hold this up."""
    output = bytearray()
    pipe = running.stdout
    if pipe is None:
        return b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ended = running.poll() is not None
            if selector.select(0 if ended else 0.05):
                piece = os.read(pipe.fileno(), 65_536)
                if not piece:
                    break
                output = (output + piece)[-LONGEST_OUTPUT:]
            elif ended:
                break
    return bytes(output)
