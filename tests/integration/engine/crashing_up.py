"""Run by tests in a process of its own: an `up` in which the provider ends the process at a chosen moment.

Arguments: project folder, state folder, file of what exists, name of the resource to die at, moment (before or after it is made; never).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import pulumi
from engine_kit import Thing
from recording_provider import Cloud, RecordingProvider

from slipway.engine import Engine
from slipway.engine.provider import CallContext, CreateResult


class FileCloudProvider(RecordingProvider):
    """Keeps what exists in a file, so that it outlives the process; takes up a create that it did before."""

    resumes_creates = True

    def __init__(self, path: Path, victim: str, moment: str) -> None:
        super().__init__(Cloud())
        self.path, self.victim, self.moment = path, victim, moment

    def create(self, ctx: CallContext, inputs: dict[str, Any]) -> CreateResult:
        if ctx.preview:
            return super().create(ctx, inputs)
        if ctx.name == self.victim and self.moment == "before":
            os._exit(9)
        live = json.loads(self.path.read_text()) if self.path.exists() else {}
        name = inputs.get("name", ctx.name)
        live[name] = inputs
        self.path.write_text(json.dumps(live))
        if ctx.name == self.victim and self.moment == "after":
            os._exit(9)
        return CreateResult(id=name, outputs={**inputs, "address": f"address-of-{name}"})


def program() -> None:
    first = Thing("first", size=1)
    second = Thing("second", autoName=True, uses=first.address)
    third = Thing("third", uses=second.address, password=pulumi.Output.secret("hush-hush"))
    pulumi.export("address", third.address)


def main() -> None:
    project, state, live, victim, moment = sys.argv[1:]
    environ = {**os.environ, "PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "correct horse"}
    make = lambda: FileCloudProvider(Path(live), victim, moment)  # noqa: E731
    engine = Engine(Path(project), "dev", providers={"test": make}, program=program, environ=environ)
    result = engine.up()
    json.dump({"changes": result.changes, "outputs": result.outputs}, sys.stdout)


if __name__ == "__main__":
    main()
