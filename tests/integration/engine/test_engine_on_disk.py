"""The engine on real files: projects, stacks, locks, history, crashes; and what it says when something is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pulumi
import pytest
from engine_kit import Thing
from recording_provider import Cloud, RecordingProvider

from slipway.engine import Engine, Options
from slipway.engine.config_edit import StackConfigFile
from slipway.engine.events import Event, to_engine_event
from slipway.engine.plugins.server import serve
from slipway.errors import ChangesError, LockedError, NotFoundError, OperationError, UsageError

PROGRAM = """
import pulumi
from parts import sizes
from engine_kit import Thing

config = pulumi.Config()
a = Thing("a", size=sizes.LARGE if config.require_bool("large") else sizes.SMALL)
Thing("b", uses=a.address, password=config.require_secret("password"))
pulumi.export("address", a.address)
pulumi.export("password", config.require_secret("password"))
print(f"stack {pulumi.get_stack()} of {pulumi.get_project()}")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "parts").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(
        "name: shop\nruntime: python\nconfig:\n  large: {type: boolean, default: false}\n  password: {secret: true}\n"
    )
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "parts" / "__init__.py").write_text("")
    (folder / "parts" / "sizes.py").write_text("SMALL, LARGE = 1, 9\n")
    return folder


@pytest.fixture
def engine_of(project: Path, tmp_path: Path, cloud: Cloud) -> Callable[..., Engine]:
    (tmp_path / "state").mkdir()

    def make(stack: str = "dev", **arguments: Any) -> Engine:
        environ = {
            "PATH": "/usr/bin:/bin",
            "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
        }
        make_provider = lambda: RecordingProvider(cloud)  # noqa: E731
        return Engine(project, stack, **{"providers": {"test": make_provider}, "environ": environ, **arguments})

    return make


def configure(project: Path, engine: Engine, *, large: bool) -> None:
    """Write Pulumi.<stack>.yaml with an encrypted password, as `config set --secret` does."""
    store = engine._store()
    file = StackConfigFile(engine.project, engine.stack, lambda: store.secrets)
    file.set("large", large)
    file.set("password", f"hush-{engine.stack}", secret=True)
    file.save()


def test_stacks_of_one_project_are_apart_and_configured_by_their_files(
    engine_of: Callable[..., Engine], project: Path, cloud: Cloud
) -> None:
    for stack, large in (("dev", False), ("prod", True)):
        configure(project, engine_of(stack), large=large)
    dev, prod = engine_of("dev").up(), engine_of("prod").up()
    assert (dev.changes, prod.changes) == ({"create": 3}, {"create": 3})
    assert [call[2]["size"] for call in cloud.taken("create") if call[1] == "a"] == [1, 9]
    assert dev.outputs == {"address": "address-of-a-1", "password": "[secret]"}
    assert engine_of("prod").outputs(show_secrets=True)["password"] == "hush-prod"
    assert engine_of("dev").up().changes == {"same": 3}
    assert engine_of("dev").destroy().changes == {"delete": 3}
    assert len(cloud.live) == 2


def test_secrets_are_nowhere_in_plain_text(engine_of: Callable[..., Engine], project: Path, tmp_path: Path) -> None:
    configure(project, engine_of(), large=False)
    lines: list[str] = []

    def take(event: Event) -> None:
        lines.append(json.dumps(to_engine_event(event, 0)))

    engine_of(on_event=take).preview()
    engine_of(on_event=take).up()
    engine_of(on_event=take).refresh()
    assert len(lines) > 20
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hush-dev" in content for content in written)
    assert not any("hush-dev" in line for line in lines)
    assert "hush-dev" not in json.dumps(engine_of().export())


@pytest.mark.parametrize("keeps_bytecode", [True, False])
def test_program_is_loaded_anew_each_time(
    engine_of: Callable[..., Engine], project: Path, monkeypatch: pytest.MonkeyPatch, keeps_bytecode: bool
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not keeps_bytecode)
    configure(project, engine_of(), large=False)
    sizes = project / "parts" / "sizes.py"
    py_compile.compile(str(sizes))  # as a run by Python itself leaves it
    engine_of().up()
    edit_unseen_by_python(sizes, "SMALL, LARGE = 2, 9\n")
    before = (Path.cwd(), list(sys.argv), list(sys.path))
    assert engine_of().up().changes == {"same": 2, "update": 1}
    edit_unseen_by_python(project / "__main__.py", PROGRAM.replace('Thing("a"', 'Thing("c"'))
    assert engine_of().up().changes == {"same": 1, "update": 1, "create": 1, "delete": 1}
    assert (Path.cwd(), sys.argv, sys.path) == before
    assert "parts" not in sys.modules
    assert "engine_kit" in sys.modules


def edit_unseen_by_python(file: Path, text: str) -> None:
    """Write as many bytes as before in the same second, which is all that Python compares with its bytecode."""
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def test_bytecode_of_the_program_is_kept_in_a_form_that_python_takes(
    engine_of: Callable[..., Engine], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    configure(project, engine_of(), large=False)
    engine_of().up()
    sizes = project / "parts" / "sizes.py"
    kept = Path(importlib.util.cache_from_source(str(sizes)))
    written = kept.stat().st_mtime_ns
    assert engine_of().up().changes == {"same": 3}
    assert kept.stat().st_mtime_ns == written
    code = SourceFileLoader("sizes", str(sizes)).get_code("sizes")
    assert code is not None
    assert "LARGE" in code.co_names
    assert kept.stat().st_mtime_ns == written


def test_sdk_inside_the_project_may_register_itself_each_time(engine_of: Callable[..., Engine], project: Path) -> None:
    (project / "parts" / "sdk.py").write_text(
        "import pulumi\n"
        "class Module(pulumi.runtime.ResourceModule):\n"
        "    def version(self): return None\n"
        "    def construct(self, name, typ, urn): raise NotImplementedError\n"
        "pulumi.runtime.register_resource_module('local', 'index', Module())\n"
    )
    (project / "__main__.py").write_text("from parts import sdk\n")
    configure(project, engine_of(), large=False)
    assert engine_of().up().changes == {"create": 1}
    assert engine_of().up().changes == {"same": 1}


def test_source_positions_are_relative_to_the_project(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    engine_of().up()
    positions = [
        state.source_position for state in engine_of().snapshot().resources if state.type == "test:index:Thing"
    ]
    assert positions == ["project:///__main__.py#7", "project:///__main__.py#8"]


def test_operations_leave_history_and_a_backup(engine_of: Callable[..., Engine], project: Path, tmp_path: Path) -> None:
    configure(project, engine_of(), large=False)
    engine_of().up(Options(message="first release"))
    (record,) = engine_of()._store().history()
    assert (record.kind, record.result, record.message) == ("update", "succeeded", "first release")
    assert record.resource_changes == {"create": 3}
    assert record.config["shop:large"] == "false"
    assert list(record.config["shop:password"]) == ["secure"]
    assert list((tmp_path / "state/.pulumi/backups/shop/dev").iterdir())


def test_failed_operation_is_recorded_as_failed(engine_of: Callable[..., Engine], project: Path, cloud: Cloud) -> None:
    configure(project, engine_of(), large=False)
    cloud.on_create["b"] = lambda *_: 1 / 0
    with pytest.raises(OperationError, match="b: create failed: ZeroDivisionError"):
        engine_of().up()
    (record,) = engine_of()._store().history()
    assert (record.result, record.resource_changes) == ("failed", {"create": 2})
    cloud.on_create.clear()
    assert engine_of().up().changes == {"same": 2, "create": 1}


def test_expect_no_changes_fails_when_there_are_some(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    with pytest.raises(ChangesError, match="there are 3 to create"):
        engine_of().preview(Options(expect_no_changes=True))
    engine_of().up()
    engine_of().preview(Options(expect_no_changes=True))


def test_dry_runs_write_nothing(engine_of: Callable[..., Engine], project: Path, tmp_path: Path) -> None:
    configure(project, engine_of(), large=False)
    engine_of().up()
    before = {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    engine_of().preview()
    assert engine_of().destroy(Options(dry_run=True)).changes == {"delete": 3}
    assert engine_of().refresh(Options(dry_run=True)).changes == {"same": 2}
    assert {path: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()} == before


def test_exported_state_can_be_imported(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    engine_of().up()
    exported = engine_of().export()
    engine_of().destroy()
    engine_of().import_(exported)
    assert engine_of().preview().changes == {"same": 3}


# ---------------------------------------------------------------- crashes


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_same_command_finishes_the_work_after_a_crash(project: Path, tmp_path: Path, moment: str) -> None:
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    state, live = tmp_path / "state", tmp_path / "live.json"
    state.mkdir()

    def up(victim: str, at: str) -> subprocess.CompletedProcess[str]:
        script = Path(__file__).parent / "crashing_up.py"
        command = [sys.executable, str(script), str(project), str(state), str(live), victim, at]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert up("second", moment).returncode == 9
    locks = list((state / ".pulumi/locks").rglob("*.json"))
    assert len(locks) <= 1
    finished = up("nobody", "never")
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["changes"] == {"same": 2, "create": 2}
    made = json.loads(live.read_text())
    assert len(made) == 3  # the interrupted create was taken up, not done twice
    document = json.loads((state / ".pulumi/stacks/shop/dev.json").read_text())
    deployment = document["checkpoint"]["latest"]
    assert [record["urn"].split("::")[-1] for record in deployment["resources"]] == [
        "shop-dev",
        "default_1_2_3",
        "first",
        "second",
        "third",
    ]
    assert "pending_operations" not in deployment or deployment["pending_operations"] == []
    again = up("nobody", "never")
    assert json.loads(again.stdout)["changes"] == {"same": 4}


# ---------------------------------------------------------------- clear errors


def test_refuses_a_folder_without_project(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match=r"Pulumi\.yaml"):
        Engine(empty, "dev", environ={"PULUMI_BACKEND_URL": f"file://{tmp_path}"})


def test_refuses_to_run_without_a_backend(project: Path) -> None:
    with pytest.raises(UsageError, match="PULUMI_BACKEND_URL: no backend"):
        Engine(project, "dev", environ={})


def test_refuses_a_stack_that_is_locked(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    holder = engine_of()
    with holder._store().lock(), pytest.raises(LockedError, match="the stack is currently locked by 1 lock"):
        engine_of().up()
    assert engine_of().up().ok


def test_refuses_to_destroy_or_read_a_stack_that_does_not_exist(engine_of: Callable[..., Engine]) -> None:
    for operation in (engine_of("nope").destroy, engine_of("nope").refresh, engine_of("nope").outputs):
        with pytest.raises(NotFoundError, match="no stack named 'nope' found"):
            operation()


def test_program_that_cannot_be_imported_is_told_by_file_and_line(
    engine_of: Callable[..., Engine], project: Path
) -> None:
    configure(project, engine_of(), large=False)
    (project / "parts" / "sizes.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(OperationError) as caught:
        engine_of().up()
    text = str(caught.value)
    assert "No module named 'nowhere_to_be_found'" in text
    assert "parts/sizes.py:1 in <module>: import nowhere_to_be_found" in text
    assert "__main__.py:3 in <module>: from parts import sizes" in text


def test_syntax_error_is_told_by_file_and_line(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    (project / "__main__.py").write_text("import pulumi\nx = (\n")
    with pytest.raises(OperationError, match=r"__main__\.py:2"):
        engine_of().up()


def test_missing_program_is_told_by_its_path(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    (project / "__main__.py").unlink()
    with pytest.raises(OperationError, match="no Python program at"):
        engine_of().up()


def test_missing_configuration_is_told_before_anything_runs(engine_of: Callable[..., Engine], cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="password"):
        engine_of().up()
    assert cloud.calls == []


def test_missing_provider_is_told_by_its_package(engine_of: Callable[..., Engine], project: Path) -> None:
    configure(project, engine_of(), large=False)
    with pytest.raises(OperationError, match="no provider plugin for package"):
        engine_of(providers={}).up()


def test_inline_program_needs_no_file(engine_of: Callable[..., Engine], project: Path) -> None:
    (project / "__main__.py").unlink()
    configure(project, engine_of(), large=False)
    result = engine_of(program=lambda: pulumi.export("a", Thing("a").address)).up()
    assert result.outputs == {"a": "address-of-a-1"}


def test_interrupted_operation_records_what_was_done(
    engine_of: Callable[..., Engine], project: Path, cloud: Cloud
) -> None:
    configure(project, engine_of(), large=False)
    engine = engine_of()
    cloud.on_create["a"] = lambda *_: engine.interrupt()
    with pytest.raises(OperationError, match="was interrupted; what was done is recorded"):
        engine.up()
    assert [call[1] for call in cloud.taken("create")] == ["a"]
    cloud.on_create.clear()
    assert engine_of().up().changes == {"same": 2, "create": 1}


def up_with_ctrl_c(project: Path, state: Path, *, patience: int) -> subprocess.CompletedProcess[str]:
    """An `up` of `first` and `slow`, whose provider ends its wait when it is told to for the `patience`th time."""
    (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    script = Path(__file__).parent / "interrupted_up.py"
    command = [sys.executable, str(script), str(project), str(state), str(patience)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_waits_and_records_what_was_done(project: Path, tmp_path: Path, presses: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    done = up_with_ctrl_c(project, state, patience=presses)
    assert done.returncode == 1, done.stderr
    assert "was interrupted; what was done is recorded" in done.stdout
    assert list((state / ".pulumi/locks").rglob("*.json")) == []
    document = json.loads((state / ".pulumi/stacks/shop/dev.json").read_text())
    names = [record["urn"].split("::")[-1] for record in document["checkpoint"]["latest"]["resources"]]
    assert names == ["shop-dev", "default_1_2_3", "first"]


def test_second_ctrl_c_ends_the_process_when_a_provider_never_listens(
    project: Path, tmp_path: Path, engine_of: Callable[..., Engine]
) -> None:
    done = up_with_ctrl_c(project, tmp_path / "state", patience=99)
    assert done.returncode == 130, done.stderr
    (pending,) = engine_of().snapshot().pending_operations
    assert (pending.type, pending.resource.urn.split("::")[-1]) == ("creating", "slow")


def test_provider_plugin_serves_a_program_over_grpc(
    engine_of: Callable[..., Engine], project: Path, cloud: Cloud
) -> None:
    configure(project, engine_of(), large=False)
    server = serve(lambda: RecordingProvider(cloud))
    environ = {**engine_of()._environ, "PULUMI_DEBUG_PROVIDERS": f"test:{server.port}"}

    def engine() -> Engine:
        return engine_of(providers={}, environ=environ)

    try:
        assert engine().preview().changes == {"create": 3}
        result = engine().up()
        assert result.outputs == {"address": "address-of-a-1", "password": "[secret]"}
        assert engine().up().changes == {"same": 3}
        assert engine().refresh().changes == {"same": 2}
        assert engine().destroy().changes == {"delete": 3}
    finally:
        server.stop()
    assert cloud.live == {}
