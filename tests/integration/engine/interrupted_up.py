"""Run by a test in a process of its own: an `up` that gets Ctrl-C while a create waits for something that never comes.

Arguments: project folder, state folder.
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
    """Waits in the create of `slow` until it is told to cancel."""

    def __init__(self) -> None:
        super().__init__(Cloud())
        self.cancelled = threading.Event()

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.name != "slow":
            return super().create(ctx, inputs)
        os.kill(os.getpid(), signal.SIGINT)
        if not self.cancelled.wait(30):
            os._exit(3)  # nobody cancelled
        raise ProviderError("gave up waiting")

    def cancel(self) -> None:
        self.cancelled.set()


def program() -> None:
    Thing("slow", uses=Thing("first").address)


def main() -> None:
    project, state = sys.argv[1:]
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    engine = Engine(Path(project), "dev", providers={"test": WaitingProvider}, program=program, environ=environ)
    try:
        engine.up()
    except SlipwayError as error:
        sys.stdout.write(str(error))
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
