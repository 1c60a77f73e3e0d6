"""Run by a test in a process of its own: an `up` that gets Ctrl-C while a create waits for something that never comes.

Arguments: project folder, state folder, and after how many requests to cancel the provider ends its wait. Each it ignores brings the
next Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from engine_kit import Thing
from recording_provider import Cloud, RecordingProvider

from slipway.engine import Engine
from slipway.engine.provider import CallContext, CreateResult, ProviderError
from slipway.errors import SlipwayError


class WaitingProvider(RecordingProvider):
    """Waits in the create of `slow` until it is told to cancel, more than once if need be."""

    def __init__(self, patience: int) -> None:
        super().__init__(Cloud())
        self.patience = patience
        self.cancelled = threading.Event()

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.name != "slow":
            return super().create(ctx, inputs)
        press_ctrl_c()
        if not self.cancelled.wait(60):
            os._exit(3)  # nobody cancelled
        raise ProviderError("gave up waiting")

    def cancel(self) -> None:
        self.patience -= 1
        if self.patience > 0:
            press_ctrl_c()
        else:
            self.cancelled.set()


def press_ctrl_c() -> None:
    # To this thread: the main one sleeps on, as when a signal comes just before it begins to wait.
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def program() -> None:
    Thing("slow", uses=Thing("first").address)


def main() -> None:
    project, state, patience = sys.argv[1:]
    # As a terminal starts it; below a test run in the background Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    providers = {"test": lambda: WaitingProvider(int(patience))}
    engine = Engine(Path(project), "dev", providers=providers, program=program, environ=environ)
    try:
        engine.up()
    except SlipwayError as error:
        sys.stdout.write(str(error))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
