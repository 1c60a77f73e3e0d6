"""The Pulumi CLI and this engine work on the same stack, through the same provider. Runs where the CLI is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


ALL_KINDS = """
import pulumi
from pulumi import Output, ResourceOptions

class Thing(pulumi.CustomResource):
    arn: pulumi.Output[str]
    def __init__(self, name, props, opts=None):
        super().__init__("demo:index:Thing", name, {"arn": None, **props}, opts)

class Own(pulumi.ProviderResource):
    def __init__(self, name, props):
        super().__init__("demo", name, props)

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("shop:index:Group", name, {"colour": "red"}, opts)
        self.thing = Thing(f"{name}-thing", {"size": 2}, ResourceOptions(parent=self))
        self.register_outputs({"arn": self.thing.arn, "thing": self.thing, "none": None, "list": []})

own = Own("own", {"endpoint": "https://x", "token": Output.secret("hush"), "nested": {"a": [1, True], "b": Output.secret("hush")}})
values = Thing("values", {
    "text": "\u00e9 <&> \u2028 \x7f \t",
    "numbers": [0, -1, 0.5, 1e21, 123456789012345680000, 1e-5, 1e-7, 5e-324, 1e16, 12345678.9, 3.0, 2**53],
    "empty": {"list": [], "map": {}, "text": ""},
    "nulls": [None, {"a": None}],
    "secrets": {"list": [1, Output.secret({"b": ["<&>", Output.secret("hush")]})], "map": {"c": Output.secret("hush")}},
})
Thing("assets", {
    "text": pulumi.StringAsset("hello"),
    "file": pulumi.FileAsset("Pulumi.yaml"),
    "archive": pulumi.AssetArchive({"a": pulumi.StringAsset("x"), "d": pulumi.FileArchive("folder")}),
})
options = Thing("options", {"size": 1, "noise": 1}, ResourceOptions(
    protect=True, ignore_changes=["noise"], replace_on_changes=["size"], additional_secret_outputs=["arn"],
    custom_timeouts=pulumi.CustomTimeouts(create="10m", update="1.5s", delete="1h"), retain_on_delete=True,
    aliases=[pulumi.Alias(name="former")], provider=own, delete_before_replace=True))
group = Group("group", ResourceOptions(providers=[own]))
Thing("late", {"refs": [group, values]}, ResourceOptions(deleted_with=values, depends_on=[group], version="1.0.0"))
Thing("after", {}, ResourceOptions(replace_with=[values], hide_diffs=["size"], replacement_trigger={"a": 1}))
known = Thing("known", {}, ResourceOptions(id="id-known"))
Thing("taken", {"size": 7}, ResourceOptions(import_="id-taken"))
pulumi.export("arn", options.arn)
pulumi.export("group", group)
pulumi.export("values", values)
pulumi.export("secret", Output.secret({"a": 1}))
pulumi.export("known", known.arn)
pulumi.export("asset", pulumi.StringAsset("hello"))
"""
"""Values and options of every kind that a state file must hold."""


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
        if outputs:
            return ReadResult(id=id, outputs=outputs)
        return ReadResult(id=id, inputs={"size": 7}, outputs={"size": 7, "arn": f"arn:{id}"})

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

    def records(self) -> dict[str, object]:
        """The state file's records by URN, without what differs from one creation to the next."""
        latest = json.loads(self.file.read_bytes())["checkpoint"]["latest"]
        text = json.dumps({record["urn"]: record for record in latest["resources"]})
        for record in latest["resources"]:
            if record["type"].startswith("pulumi:providers:"):
                text = text.replace(record["id"], "provider-id")
        return {urn: without_chance(record) for urn, record in json.loads(text).items()}


def without_chance(record: dict[str, Any]) -> object:
    """A record without positions, its times and ciphertexts only named, its dependencies (sets of the SDK's) in order."""
    times = {key: "then" for key in ("created", "modified") if key in record}
    dependencies = {"dependencies": sorted(record["dependencies"])} if "dependencies" in record else {}
    by_property = {key: sorted(urns) for key, urns in record.get("propertyDependencies", {}).items()}
    kept = {key: value for key, value in record.items() if key not in {"sourcePosition", "stackTrace"}}
    return without_ciphertexts(kept | times | dependencies | {"propertyDependencies": by_property})


def without_ciphertexts(value: object) -> object:
    """`value` with every ciphertext replaced by one word."""
    if isinstance(value, dict):
        return {key: "sealed" if key == "ciphertext" else without_ciphertexts(item) for key, item in value.items()}
    return [without_ciphertexts(item) for item in value] if isinstance(value, list) else value


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


@pytest.mark.parametrize("program", [PROGRAM, ALL_KINDS], ids=["small", "all kinds"])
def test_cli_and_engine_write_the_same_records(stack: Stack, program: str) -> None:
    (stack.project / "__main__.py").write_text(program)
    (stack.project / "folder").mkdir()
    (stack.project / "folder/file.txt").write_text("hi")
    stack.cli("stack", "init")
    stack.cli("up", "--yes", "--skip-preview")
    theirs, head = stack.records(), stack.file.read_text().partition('"checkpoint"')[0]
    assert set(stack.engine().preview(Options()).changes) == {"same"}
    stack.file.unlink()

    stack.engine().up(Options())

    assert stack.records() == theirs
    assert stack.file.read_text().partition('"checkpoint"')[0] == head
    assert "hush" not in stack.file.read_text()
    stack.cli("preview", "--expect-no-changes")


def test_cli_and_engine_write_the_same_history(stack: Stack) -> None:
    config = {"shop:size": "3", "shop:parts": {"a": [1, True]}, "shop:on": "true"}
    (stack.project / "Pulumi.dev.yaml").write_text(
        "config:\n  size: 3\n  shop:parts: {a: [1, true]}\n  shop:on: true\n"
    )
    stack.engine().up(Options(message="from the engine"))
    stack.cli("up", "--yes", "--skip-preview", "--message", "from the CLI")

    files = sorted((stack.file.parents[2] / "history/shop/dev").glob("*.history.json"))
    ours, theirs = (json.loads(file.read_text()) for file in files)

    assert list(ours) == list(theirs)
    assert ours["config"] == theirs["config"] == config
    assert [record["message"] for record in (ours, theirs)] == ["from the engine", "from the CLI"]
    assert [record.message for record in stack.store.history()] == ["from the CLI", "from the engine"]


def test_cli_goes_on_with_a_stack_that_the_engine_only_made(stack: Stack) -> None:
    stack.store.create()

    assert json.loads(stack.cli("stack", "export"))["version"] == 3
    assert "+ 5 created" in stack.cli("up", "--yes", "--skip-preview")


@pytest.mark.parametrize("compression", ["GZIP", "ZSTD"])
def test_compressed_stack_passes_back_and_forth(stack: Stack, compression: str) -> None:
    stack.environ[f"PULUMI_DIY_BACKEND_{compression}"] = "true"
    stack.engine().up(Options())

    stack.cli("config", "set", "size", "4")
    assert "~ 1 updated" in stack.cli("up", "--yes", "--skip-preview")

    assert stack.engine().preview(Options()).changes == {"same": 5}
    assert not stack.file.exists()


def test_features_of_a_version_4_file_are_the_same_to_both(stack: Stack) -> None:
    binding = "pulumi.ResourceHookBinding(after_create=[pulumi.ResourceHook('told', lambda args: None)])"
    hooked = f"Thing('hooked', {{'size': 1}}, pulumi.ResourceOptions(hooks={binding}))\n"
    (stack.project / "__main__.py").write_text(PROGRAM + hooked)
    stack.engine().up(Options())
    stack.cli("preview", "--expect-no-changes")

    stack.cli("state", "taint", "urn:pulumi:dev::shop::demo:index:Thing::second", "--yes")

    assert json.loads(stack.file.read_text())["features"] == ["hooks", "taint"]
    assert stack.engine().up(Options()).changes == {"same": 5, "replace": 1}
    assert json.loads(stack.file.read_text())["features"] == ["hooks"]
    stack.cli("preview", "--expect-no-changes")


def test_what_the_cli_does_to_a_state_by_hand_is_understood(stack: Stack) -> None:
    stack.engine().up(Options())
    deployment = stack.cli("stack", "export", "--show-secrets")
    (stack.project / "plain.json").write_text(deployment)

    stack.cli("stack", "import", "--file", "plain.json")
    stack.cli("state", "protect", "urn:pulumi:dev::shop::demo:index:Thing::first", "--yes")

    assert "hunter2" in deployment
    assert "hunter2" not in stack.file.read_text()
    # The program does not protect it, so the next update takes the mark away, and says nothing of it.
    assert stack.engine().up(Options()).changes == {"same": 5}
    stack.cli("destroy", "--yes", "--skip-preview")


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
