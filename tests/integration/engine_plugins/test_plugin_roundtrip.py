"""The same provider in-process and behind a real socket answers the same."""

# ruff: noqa: A002 - the names of the interface under test
from __future__ import annotations

import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.engine.plugins import launch
from slipway.engine.plugins.client import PluginProvider, resolve_provider
from slipway.engine.plugins.server import ProviderServer, serve
from slipway.engine.provider import (
    CallContext,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffKind,
    DiffResult,
    InitializationError,
    InvokeResult,
    NotImplementedByProviderError,
    PropertyDiff,
    Provider,
    ProviderError,
    ReadResult,
    StatusUnknownError,
)
from slipway.engine.values import UNKNOWN, Asset, PropertyMap, ResourceRef, Secret
from slipway.errors import MachineError, UsageError

CTX = CallContext(
    urn="urn:pulumi:dev::shop::demo:index:Thing::one",
    type="demo:index:Thing",
    name="one",
    timeout_seconds=12.5,
    ignore_changes=("tags",),
    random_seed=b"\x01\x02",
)
PREVIEW = CallContext(urn=CTX.urn, type=CTX.type, name=CTX.name, preview=True)


class DemoProvider(Provider):
    """Records what it is called with, and answers with every kind of value."""

    name = "demo"
    version = "1.2.3"
    supports_preview = True

    def __init__(self, *, accepts_secrets: bool = True) -> None:
        self.accepts_secrets = accepts_secrets
        self.seen: list[Any] = []

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        self.seen.append(("check_config", olds, news))
        return CheckResult(inputs=news | {"region": "here"}, failures=(CheckFailure(property="x", reason="no"),))

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        return DiffResult(changes=DiffChanges.SOME, replaces=("region",))

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        self.seen.append(("configure", inputs))

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        self.seen.append(("check", ctx, olds, news))
        return CheckResult(inputs=news | {"size": 3})

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        self.seen.append(("diff", ctx, id, old_inputs, old_outputs, news))
        return DiffResult(
            changes=DiffChanges.SOME,
            replaces=("name",),
            diffs=("name", "tags"),
            stables=("arn",),
            delete_before_replace=True,
            detailed={"tags.team": PropertyDiff(kind=DiffKind.UPDATE_REPLACE, input_diff=False)},
        )

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        self.seen.append(("create", ctx, inputs))
        if "fail" in inputs:
            failure = FAILURES[inputs["fail"]]()
            raise failure
        known = {"arn": UNKNOWN} if ctx.preview else {"arn": "arn:1"}
        return CreateResult(id="" if ctx.preview else "id-1", outputs=inputs | known)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        self.seen.append(("read", ctx, id, inputs, outputs))
        return ReadResult(id="" if id == "gone" else id, outputs=outputs, inputs=None if id == "same" else {"a": 1})

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        self.seen.append(("update", ctx, id, old_inputs, old_outputs, news))
        return news | {"updated": True}

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        self.seen.append(("delete", ctx, id, inputs, outputs))

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        self.seen.append(("invoke", token, args, preview))
        assert self.on_message is not None
        self.on_message(CTX.urn, "status", "waiting for the dawn")
        return InvokeResult(outputs={"echo": args}, failures=(CheckFailure(property="p", reason="r"),))


FAILURES: dict[str, Callable[[], Exception]] = {
    "plain": lambda: ProviderError("quota exceeded"),
    "lost": lambda: StatusUnknownError("connection lost"),
    "unknown type": lambda: NotImplementedByProviderError("no such type"),
    "not ready": lambda: InitializationError(
        id="id-9", outputs={"arn": "arn:9", "pw": Secret("x")}, reasons=["slow", "sick"], inputs={"a": 1}
    ),
    "bug": lambda: KeyError("oops"),
}

INPUTS: PropertyMap = {
    "name": "one",
    "count": 3,
    "ratio": 0.5,
    "on": False,
    "nothing": None,
    "list": [1, "two", {"three": 3}],
    "empty": {},
    "secret": Secret({"deep": ["x", Secret("y")]}),
    "file": Asset(text="hello", hash="ab"),
    "ref": ResourceRef(urn="urn:pulumi:dev::shop::demo:index:Thing::two", id="id-2", package_version="1.0.0"),
}


@pytest.fixture
def providers() -> Iterator[tuple[DemoProvider, PluginProvider, list[DemoProvider]]]:
    """A provider in-process, one behind a socket, and the instances the server made for the latter."""
    made: list[DemoProvider] = []

    def make() -> DemoProvider:
        made.append(DemoProvider())
        return made[-1]

    server = serve(make)
    client = PluginProvider("demo", "1.2.3", port=server.port)
    yield DemoProvider(), client, made
    client.close()
    server.stop()


CALLS: dict[str, Callable[[Provider], Any]] = {
    "check": lambda p: p.check(CTX, {"name": "old"}, INPUTS),
    "check in a preview": lambda p: p.check(PREVIEW, {}, {"a": UNKNOWN, "b": Secret(UNKNOWN)}),
    "diff": lambda p: p.diff(CTX, "id-1", {"a": 1}, {"b": Secret(2)}, INPUTS | {"file": Asset(hash="ab")}),
    "diff config": lambda p: p.diff_config(CTX, {}, {}, {"region": "there"}),
    "check config": lambda p: p.check_config(CTX, {}, {"nested": '{"a":1}'}),
    "create": lambda p: p.create(CTX, INPUTS),
    "create in a preview": lambda p: p.create(PREVIEW, {"a": UNKNOWN}),
    "read": lambda p: p.read(CTX, "id-1", {"a": 1}, {"b": 2}),
    "read what is gone": lambda p: p.read(CTX, "gone", {}, {}),
    "read without inputs": lambda p: p.read(CTX, "same", {}, {}),
    "update": lambda p: p.update(CTX, "id-1", {"a": 0}, {"b": 0}, INPUTS),
    "delete": lambda p: p.delete(CTX, "id-1", {"a": 0}, {"b": 0}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_served_provider_answers_as_the_one_in_process(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]], call: Callable[[Provider], Any]
) -> None:
    local, remote, made = providers

    expected = call(local)
    assert call(remote) == expected
    expected_calls = local.seen
    (instance,) = made
    # The protocol carries neither the timeout nor ignoreChanges in every call, so contexts are compared by what it carries.
    assert [_without_context(seen) for seen in instance.seen] == [_without_context(seen) for seen in expected_calls]


def _without_context(seen: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(part for part in seen if not isinstance(part, CallContext))


def test_assets_are_compared_by_their_hashes(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, made = providers
    file = Asset(text="hello", hash="ab")

    remote.diff(CTX, "id-1", {"file": file}, {"file": file}, {"file": file})
    remote.check(CTX, {"file": file}, {"file": file})

    compared, checked = ([part for part in seen if isinstance(part, dict)] for seen in made[0].seen)
    assert compared == [{"file": Asset(hash="ab")}] * 3
    assert checked == [{"file": file}] * 2


def test_asset_is_sent_by_its_hash_when_read_and_gets_its_content_back(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, made = providers
    file, other = Asset(text="hello", hash="ab"), Asset(text="changed", hash="cd")
    inputs: PropertyMap = {"deep": [Secret({"file": file})], "other": file}

    result = remote.read(CTX, "same", inputs, {"deep": [Secret({"file": file})], "other": other})

    assert made[0].seen[0][3] == {"deep": [Secret({"file": Asset(hash="ab")})], "other": Asset(hash="ab")}
    assert result.outputs == {"deep": [Secret({"file": file})], "other": Asset(hash="cd")}


def test_served_provider_gets_timeout_seed_and_ignored_changes(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, made = providers

    remote.check(CTX, {}, {})
    remote.update(CTX, "id-1", {}, {}, {})

    (instance,) = made
    assert instance.seen[0][1].random_seed == b"\x01\x02"
    assert instance.seen[1][1].timeout_seconds == 12.5
    assert instance.seen[1][1].ignore_changes == ("tags",)
    assert (instance.seen[1][1].name, instance.seen[1][1].type) == (CTX.name, CTX.type)


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        ("plain", ProviderError, "quota exceeded"),
        ("lost", StatusUnknownError, "connection lost"),
        ("unknown type", NotImplementedByProviderError, "no such type"),
        ("bug", StatusUnknownError, "KeyError: 'oops'"),
    ],
)
def test_failed_create_raises_the_same_kind_with_its_message(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
    failure: str,
    kind: type[ProviderError],
    text: str,
) -> None:
    _, remote, _ = providers

    with pytest.raises(ProviderError) as caught:
        remote.create(CTX, {"fail": failure})

    assert type(caught.value) is kind
    assert str(caught.value) == text


def test_failed_initialization_keeps_id_outputs_and_reasons(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, _ = providers

    with pytest.raises(InitializationError) as caught:
        remote.create(CTX, {"fail": "not ready"})

    assert caught.value.id == "id-9"
    assert caught.value.outputs == {"arn": "arn:9", "pw": Secret("x")}
    assert caught.value.reasons == ("slow", "sick")
    assert caught.value.inputs == {"a": 1}


def test_invoke_passes_arguments_failures_and_messages(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, made = providers
    messages: list[tuple[str, str, str]] = []
    remote.on_message = lambda urn, severity, text: messages.append((urn, severity, text))

    result = remote.invoke("demo:index:look", {"a": [1]}, preview=True)

    assert result == InvokeResult(outputs={"echo": {"a": [1]}}, failures=(CheckFailure(property="p", reason="r"),))
    assert made[0].seen == [("invoke", "demo:index:look", {"a": [1]}, True)]
    assert messages == [(CTX.urn, "status", "waiting for the dawn")]


def test_secrets_reach_a_provider_unwrapped_when_it_does_not_accept_them() -> None:
    made: list[DemoProvider] = []

    def make() -> DemoProvider:
        made.append(DemoProvider(accepts_secrets=False))
        return made[-1]

    server = serve(make)
    client = PluginProvider("demo", "", port=server.port)
    try:
        assert client.accepts_secrets is False
        client.check(CTX, {}, {"pw": Secret({"a": Secret("x")})})
        assert made[0].seen[0][3] == {"pw": {"a": "x"}}
    finally:
        client.close()
        server.stop()


def test_each_connection_has_a_provider_of_its_own() -> None:
    made: list[DemoProvider] = []

    def make() -> DemoProvider:
        made.append(DemoProvider())
        return made[-1]

    server = serve(make)
    clients = [PluginProvider("demo", "", port=server.port) for _ in range(2)]
    try:
        for number, client in enumerate(clients):
            client.configure(CTX, {"number": number})
        for number, client in enumerate(clients):
            client.invoke("t", {"number": number}, preview=False)
        calls = [[seen for seen in provider.seen if seen[0] in {"configure", "invoke"}] for provider in made]
        assert calls == [
            [("configure", {"number": number}), ("invoke", "t", {"number": number}, False)] for number in range(2)
        ]
    finally:
        for client in clients:
            client.close()
        server.stop()


def test_refuses_an_unknown_value_in_a_real_create(
    providers: tuple[DemoProvider, PluginProvider, list[DemoProvider]],
) -> None:
    _, remote, made = providers

    with pytest.raises(ValueError, match="unknown value in a real run"):
        remote.create(CTX, {"a": UNKNOWN})

    assert made[0].seen == []


PLUGIN = """#!{python}
import sys
sys.path.insert(0, {tests!r})
from slipway.engine.plugins.server import run_plugin
from slipway.engine.provider import InvokeResult, Provider

class Tiny(Provider):
    name = "tiny"
    def invoke(self, token, args, *, preview):
        self.on_message("", "info", "hello")
        return InvokeResult(outputs={{"token": token}})

print("loading", file=sys.stderr)
sys.exit(run_plugin(Tiny, sys.argv[1:]))
"""


def write_plugin(folder: Path, text: str = PLUGIN) -> Path:
    """An executable `pulumi-resource-tiny` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pulumi-resource-tiny"
    path.write_text(text.format(python=sys.executable, tests=str(Path(__file__).parents[3])))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("place", ["PATH", "plugin folder", "project"])
def test_plugin_is_found_started_and_stopped(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "plugins" / "resource-tiny-v1.10.0" if place == "plugin folder" else tmp_path / "bin"
    write_plugin(folder)
    if place == "plugin folder":
        (tmp_path / "plugins" / "resource-tiny-v1.9.0").mkdir()
    environ = {"PATH": str(folder) if place == "PATH" else "", "PULUMI_HOME": str(tmp_path)}

    client = resolve_provider("tiny", environ=environ, local_paths={"tiny": folder} if place == "project" else {})
    messages: list[str] = []
    client.on_message = lambda _urn, _severity, text: messages.append(text)
    try:
        assert client.invoke("tiny:index:f", {}, preview=False).outputs == {"token": "tiny:index:f"}
        assert "hello" in messages
    finally:
        process = client._process
        client.close()
    assert process._process.returncode is not None


def test_attaches_to_a_running_provider_by_environment() -> None:
    server: ProviderServer = serve(DemoProvider)
    client = resolve_provider("demo", environ={"PULUMI_DEBUG_PROVIDERS": f"aws:1,demo:{server.port}"})
    try:
        client.configure(CTX, {})
        assert client.read(CTX, "x", {}, {}).id == "x"
    finally:
        client.close()
        server.stop()


def test_refuses_a_package_without_plugin_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no provider plugin for package 'nope 1\.0\.0'"):
        resolve_provider("nope", "1.0.0", environ={"PATH": "", "PULUMI_HOME": str(tmp_path)})


def test_refuses_a_plugin_that_ends_before_its_port_with_what_it_said(tmp_path: Path) -> None:
    write_plugin(tmp_path, "#!{python}\nimport sys\nprint('no licence', file=sys.stderr)\nsys.exit(3)\n")
    started = time.monotonic()

    with pytest.raises(MachineError, match=r"(?s)ended with code 3.*no licence"):
        resolve_provider("tiny", environ={"PATH": str(tmp_path)})

    assert time.monotonic() - started < 50


def test_refuses_a_port_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "CONNECT_TIMEOUT_SECONDS", 0.2)

    with pytest.raises(
        MachineError, match=r"PULUMI_DEBUG_PROVIDERS: the plugin of package 'demo' does not answer on port 1"
    ):
        resolve_provider("demo", environ={"PULUMI_DEBUG_PROVIDERS": "demo:1"})
