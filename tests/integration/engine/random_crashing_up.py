"""Run by a test in a process of its own: one `up` of a random program, in which the process may end at a chosen change.

Arguments: project folder, state folder, file of what exists, seed, round, number of the change to die at (0: never), before or after it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from random_author import Author
from recording_provider import Cloud, RecordingProvider

from slipway.engine import Engine
from slipway.engine.provider import CallContext, CreateResult


class CrashingProvider(RecordingProvider):
    """Keeps what exists in a file. A create of a name that exists finds it, as APIs with names of their own do."""

    resumes_creates = True

    def __init__(self, path: Path, die_at: int, moment: str) -> None:
        cloud = Cloud()
        cloud.live = json.loads(path.read_text()) if path.exists() else {}
        super().__init__(cloud)
        self.path, self.die_at, self.moment = path, die_at, moment
        self.changes = 0
        self.lock = threading.Lock()

    def _change(self, resource_id: str, outputs: dict[str, Any] | None) -> None:
        with self.lock:
            self.changes += 1
            if self.changes == self.die_at and self.moment == "before":
                os._exit(9)
            if outputs is None:
                self.cloud.live.pop(resource_id, None)
            else:
                self.cloud.live[resource_id] = outputs
            self.path.write_text(json.dumps(self.cloud.live))
            if self.changes == self.die_at:
                os._exit(9)

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.preview:
            return super().create(ctx, inputs)
        outputs = {**inputs, "address": f"address-of-{inputs['name']}"}
        self._change(inputs["name"], outputs)
        return CreateResult(id=inputs["name"], outputs=outputs)

    def update(self, ctx: CallContext, id: str, old_inputs: Any, old_outputs: Any, news: Any) -> dict[str, Any]:  # noqa: A002
        outputs = super().update(ctx, id, old_inputs, old_outputs, news)
        if not ctx.preview:
            self._change(id, outputs)
        return outputs

    def delete(self, ctx: CallContext, id: str, inputs: Any, outputs: Any) -> None:  # noqa: A002
        self._change(id, None)


def author_of(seed: int, round_number: int) -> Author:
    """The author as it stands in that round: every round but the last was carried through."""
    author = Author(random.Random(seed), generated_names=True)  # noqa: S311 - a test's history, not a secret
    for number in range(round_number):
        author.change()
        if number < round_number - 1:
            author.settled()
    return author


def main() -> None:
    project, state, live, seed, round_number, die_at, moment = sys.argv[1:]
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    author = author_of(int(seed), int(round_number))
    engine = Engine(
        Path(project),
        "dev",
        providers={"test": lambda: CrashingProvider(Path(live), int(die_at), moment)},
        program=author.program(),
        environ=environ,
    )
    json.dump(dict(engine.up().changes), sys.stdout)


if __name__ == "__main__":
    main()
