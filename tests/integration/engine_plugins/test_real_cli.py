"""The Pulumi CLI and this engine work on the same stack, through the same provider. Runs where the CLI is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.engine import Engine, Options
from slipway.engine.plugins.server import serve
from slipway.engine.provider import (
    CallContext,
    CreateResult,
    DiffChanges,
    DiffResult,
    InitializationError,
    Provider,
    ReadResult,
)
from slipway.engine.state.backend import FileBackend
from slipway.engine.values import UNKNOWN, PropertyMap

pytestmark = pytest.mark.skipif(
    not (shutil.which("pulumi") and shutil.which("pulumi-language-python")),
    reason="the Pulumi CLI is not installed; it is in no package registry",
)

PROGRAM = """
import pulumi

class Thing(pulumi.CustomResource):
    arn: pulumi.Output[str]
    def __init__(self, name, props, opts=None):
        super().__init__("demo:index:Thing", name, {"arn": None, **props}, opts)

class Group(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("shop:index:Group", name)
        self.thing = Thing(f"{name}-thing", {"size": 2}, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"arn": self.thing.arn})

config = pulumi.Config()
first = Thing("first", {"size": config.require_int("size"), "pw": pulumi.Output.secret("hunter2"), "half": 0.5})
Thing("second", {"peer": first.arn, "sick": config.get_bool("sick") or False},
      pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create="10m")))
Group("group")
pulumi.export("arn", first.arn)
pulumi.export("password", pulumi.Output.secret("hunter2"))
"""


class Demo(Provider):
    """Keeps nothing: what was created is what the state says."""

    name = "demo"
    version = "1.0.0"
    supports_preview = True

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        if ctx.preview:
            return CreateResult(id="", outputs=inputs | {"arn": UNKNOWN})
        outputs = inputs | {"arn": f"arn:{ctx.name}"}
        if inputs.get("sick"):
            raise InitializationError(id=f"id-{ctx.name}", outputs=outputs, reasons=["it stays sick"])
        return CreateResult(id=f"id-{ctx.name}", outputs=outputs)

    def diff(
        self,
        ctx: CallContext,
        id: str,  # noqa: A002 - the interface's name
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
    ) -> DiffResult:
        changed = tuple(sorted(key for key in {*old_inputs, *news} if old_inputs.get(key) != news.get(key)))
        return DiffResult(
            changes=DiffChanges.SOME if changed else DiffChanges.NONE,
            diffs=changed,
            replaces=tuple(key for key in changed if key == "peer"),
        )

    def update(
        self,
        ctx: CallContext,
        id: str,  # noqa: A002 - the interface's name
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        news: PropertyMap,
    ) -> PropertyMap:
        return news | {"arn": old_outputs["arn"]}

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:  # noqa: A002
        return ReadResult(id=id, outputs=outputs)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:  # noqa: A002
        pass


class Stack:
    """One stack that both work on."""

    def __init__(self, root: Path, port: int) -> None:
        self.project = root / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
        (self.project / "Pulumi.dev.yaml").write_text("config:\n  shop:size: 3\n")
        (self.project / "__main__.py").write_text(PROGRAM)
        (root / "state").mkdir()
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(root),
            "PULUMI_HOME": str(root / "home"),
            "PULUMI_BACKEND_URL": f"file://{root}/state",
            "PULUMI_CONFIG_PASSPHRASE": "password",
            "PULUMI_DEBUG_PROVIDERS": f"demo:{port}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self.file = root / "state/.pulumi/stacks/shop/dev.json"
        self.store = FileBackend(self.environ["PULUMI_BACKEND_URL"], environ=self.environ).stack("shop", "dev")

    def cli(self, *arguments: str, code: int = 0) -> str:
        """Run the CLI and answer what it printed."""
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", "dev", "--non-interactive"],
            cwd=self.project,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def engine(self) -> Engine:
        """The engine on the same stack, with its provider behind the same socket."""
        return Engine(self.project, "dev", environ=self.environ)

    def names(self) -> list[str]:
        """The resources of the state file."""
        latest = json.loads(self.file.read_bytes())["checkpoint"]["latest"]
        return [record["urn"].rpartition("::")[2] for record in latest.get("resources", [])]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    server = serve(Demo)
    yield Stack(tmp_path, server.port)
    server.stop()


def test_cli_continues_what_the_engine_began(stack: Stack) -> None:
    assert stack.engine().up(Options()).changes == {"create": 5}

    stack.cli("preview", "--expect-no-changes")
    assert '"password": "hunter2"' in stack.cli("stack", "output", "--json", "--show-secrets")
    assert "hunter2" not in stack.file.read_text()
    stack.cli("config", "set", "size", "4")
    assert "~ 1 updated" in stack.cli("up", "--yes", "--skip-preview")
    stack.cli("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert "- 5 deleted" in stack.cli("destroy", "--yes", "--skip-preview")
    assert [line for line in stack.cli("stack", "history").splitlines() if line.startswith("UpdateKind")] == [
        "UpdateKind: destroy",
        "UpdateKind: refresh",
        "UpdateKind: update",
        "UpdateKind: update",
    ]


def test_engine_continues_what_the_cli_began(stack: Stack) -> None:
    stack.cli("stack", "init")
    assert "+ 5 created" in stack.cli("up", "--yes", "--skip-preview")

    assert stack.engine().preview(Options()).changes == {"same": 5}
    stack.cli("config", "set", "size", "4")
    assert stack.engine().up(Options()).changes == {"same": 4, "update": 1}
    stack.cli("preview", "--expect-no-changes")
    assert stack.engine().destroy(Options()).changes == {"delete": 5}
    stack.cli("stack", "rm", "--yes")
    assert not stack.store.exists()


def test_cli_and_engine_write_the_same_records(stack: Stack) -> None:
    def records() -> dict[str, dict[str, object]]:
        latest = json.loads(stack.file.read_bytes())["checkpoint"]["latest"]
        volatile = {"created", "modified", "sourcePosition", "stackTrace"}
        kept: dict[str, dict[str, object]] = {}
        for record in latest["resources"]:
            text = json.dumps({key: value for key, value in record.items() if key not in volatile})
            provider_id = next(r["id"] for r in latest["resources"] if r["type"] == "pulumi:providers:demo")
            kept[record["urn"]] = json.loads(text.replace(provider_id, "provider-id"))
        return kept

    def without_ciphertexts(value: object) -> object:
        if isinstance(value, dict):
            return {key: "sealed" if key == "ciphertext" else without_ciphertexts(item) for key, item in value.items()}
        return [without_ciphertexts(item) for item in value] if isinstance(value, list) else value

    stack.cli("stack", "init")
    stack.cli("up", "--yes", "--skip-preview")
    theirs = without_ciphertexts(records())
    stack.cli("destroy", "--yes", "--skip-preview")
    stack.engine().up(Options())
    ours = without_ciphertexts(records())

    assert isinstance(theirs, dict)
    assert isinstance(ours, dict)
    for urn, record in theirs.items():
        # The engine writes the provider's own `__internal` where the CLI leaves an empty one out.
        assert {key: value for key, value in ours[urn].items() if value != {"__internal": {}}} == record
    assert set(ours) == set(theirs)


def test_failed_initialization_is_the_same_to_both(stack: Stack) -> None:
    stack.cli("stack", "init")
    stack.cli("config", "set", "sick", "true")
    assert "it stays sick" in stack.cli("up", "--yes", "--skip-preview", code=1)

    snapshot = stack.store.load()
    assert snapshot is not None
    (second,) = [state for state in snapshot.resources if state.urn.endswith("::second")]
    assert (second.id, second.init_errors) == ("id-second", ("it stays sick",))
    # An update is forced although nothing differs, and it heals: the provider refuses creates only.
    assert stack.engine().up(Options()).changes["update"] == 1
    stack.cli("preview", "--expect-no-changes")


def test_lock_of_one_keeps_the_other_out(stack: Stack) -> None:
    stack.engine().up(Options())

    with stack.store.lock():
        assert "the stack is currently locked by 1 lock(s)" in stack.cli("up", "--yes", "--skip-preview", code=1)


def test_cli_is_told_of_what_a_killed_engine_was_creating(stack: Stack) -> None:
    stack.engine().up(Options())
    program = f"""
import os, signal
from dataclasses import replace
from slipway.engine.state.backend import FileBackend
from slipway.engine.state.model import OperationType
store = FileBackend({stack.environ["PULUMI_BACKEND_URL"]!r}, environ=os.environ).stack("shop", "dev")
with store.lock():
    writer = store.writer(fold_in_background=False)
    last = writer.base.resources[-1]
    writer.begin(OperationType.CREATING, replace(last, urn=last.urn + "-late", id=""))
    writer.fold()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], env=stack.environ, timeout=60, check=False)

    assert "currently locked" in stack.cli("up", "--yes", "--skip-preview", code=1)
    stack.cli("cancel", "--yes")
    said = stack.cli("up", "--yes", "--skip-preview")

    assert "-late, interrupted while creating" in said
    assert "5 unchanged" in said
