"""The file backend's layout, locks, history and backups."""

from __future__ import annotations

import gzip
import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slipway.engine.state import locks
from slipway.engine.state.backend import FileBackend, UpdateRecord
from slipway.engine.state.model import Snapshot
from slipway.engine.state.store import StackStore
from slipway.engine.state.writer import Removed
from slipway.engine.values import Secret
from slipway.errors import LockedError, NotFoundError, UsageError
from tests.unit.engine_state.state_kit import (
    ENVIRON,
    PROVIDER,
    STACK,
    file_data,
    open_store,
    stack_file,
    thing,
)

UPDATE = UpdateRecord(
    kind="update",
    start_time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    end_time=datetime(2026, 1, 2, 3, 5, 5, tzinfo=UTC),
    result="succeeded",
    message="first",
    resource_changes={"same": 1, "create": 2},
    config={"shop:size": "3", "shop:pw": {"secure": "v1:a:b"}},
    environment={"git.head": "abc"},
)


def saved(root: Path, *states: Any, environ: dict[str, str] | None = None) -> StackStore:
    store = open_store(root, environ)
    store.save(Snapshot(resources=(STACK, PROVIDER, *states)))
    return store


def names(root: Path, folder: str) -> list[str]:
    return sorted(path.name for path in (root / ".pulumi" / folder).rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("url", "root"), [("file:///a/b", "/a/b"), ("file:///with%20space", "/with space"), ("file://~/s", "/home/me/s")]
)
def test_url_names_the_root(url: str, root: str) -> None:
    assert FileBackend(url, environ={"HOME": "/home/me"}).root == Path(root)


def test_relative_url_is_taken_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert FileBackend("file://./state", environ={}).root == tmp_path / "state"


@pytest.mark.parametrize(
    ("url", "said"), [("s3://bucket", "the backend 's3://bucket' is not supported"), ("file://", "folder is missing")]
)
def test_refuses_other_backends(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        FileBackend(url, environ={})


def test_new_stack_has_a_file_and_no_state(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    assert not store.exists()
    assert store.load() is None

    store.create()

    assert (tmp_path / ".pulumi/meta.yaml").read_text() == "version: 1\n"
    assert file_data(tmp_path) == {"version": 0, "checkpoint": {"stack": "organization/shop/dev"}}
    assert store.load() == Snapshot()
    with pytest.raises(UsageError, match="stack 'organization/shop/dev' already exists"):
        store.create()


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 101, "a b"])
def test_refuses_impossible_names(tmp_path: Path, name: str) -> None:
    backend = FileBackend(f"file://{tmp_path}", environ={})
    with pytest.raises(UsageError, match="is no stack name"):
        backend.stack("shop", name)
    with pytest.raises(UsageError, match="is no project name"):
        backend.stack(name, "dev")


def test_legacy_layout_is_continued(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi" / "stacks"
    stacks.mkdir(parents=True)
    (stacks / "dev.json").write_text('{"version":0,"checkpoint":{"stack":"dev"}}')

    store = open_store(tmp_path)
    store.save(Snapshot(resources=(STACK,)))

    assert json.loads((stacks / "dev.json").read_bytes())["checkpoint"]["stack"] == "dev"
    assert not (tmp_path / ".pulumi/meta.yaml").exists()
    assert [(stack.project, stack.name) for stack in FileBackend(f"file://{tmp_path}").stacks("shop")] == [("", "dev")]


@pytest.mark.parametrize(
    ("meta", "said"), [("version: 2", "has layout 2"), ("{}", "corrupt store"), ("[", "corrupt store")]
)
def test_refuses_a_layout_it_does_not_know(tmp_path: Path, meta: str, said: str) -> None:
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi/meta.yaml").write_text(meta)

    with pytest.raises(UsageError, match=said):
        open_store(tmp_path)


@pytest.mark.parametrize(
    ("variable", "suffix", "magic"),
    [
        ("PULUMI_DIY_BACKEND_GZIP", ".json.gz", b"\x1f\x8b"),
        ("PULUMI_DIY_BACKEND_ZSTD", ".json.zst", b"\x28\xb5\x2f\xfd"),
    ],
)
def test_compressed_state_replaces_the_plain_one(tmp_path: Path, variable: str, suffix: str, magic: bytes) -> None:
    saved(tmp_path)

    store = saved(tmp_path, thing("a"), environ=ENVIRON | {variable: "true"})

    assert names(tmp_path, "stacks/shop") == sorted(["dev.json.bak", f"dev{suffix}"])
    assert stack_file(tmp_path).with_name(f"dev{suffix}").read_bytes().startswith(magic)
    loaded = store.load()
    assert loaded is not None
    assert len(loaded.resources) == 3
    # The journal knows the file as it is stored: compressed.
    writer = open_store(tmp_path, ENVIRON | {variable: "true"}).writer(fold_in_background=False)
    writer.end(None, Removed(writer.base.resources[2]))
    interrupted = open_store(tmp_path).load()
    assert interrupted is not None
    assert len(interrupted.resources) == 2


def test_newest_of_several_files_counts(tmp_path: Path) -> None:
    saved(tmp_path)
    newer = stack_file(tmp_path).with_name("dev.json.gz")
    newer.write_bytes(gzip.compress(b'{"version":0,"checkpoint":{"stack":"organization/shop/dev"}}'))
    os.utime(stack_file(tmp_path), (1, 1))

    assert open_store(tmp_path).load() == Snapshot()


def test_stacks_are_listed_without_reading_secrets(tmp_path: Path) -> None:
    saved(tmp_path, thing("a", outputs={"pw": Secret("x")}))
    open_store(tmp_path, name="new").create()
    (stack_file(tmp_path).with_name("dev.json.attrs")).write_text("{}")

    listed = FileBackend(f"file://{tmp_path}", environ={}).stacks()

    assert [(stack.project, stack.name, stack.resource_count) for stack in listed] == [
        ("shop", "dev", 3),
        ("shop", "new", None),
    ]
    assert listed[0].last_update is not None
    assert FileBackend(f"file://{tmp_path}", environ={}).stacks("other") == []


def test_lock_is_written_as_the_cli_writes_it(tmp_path: Path) -> None:
    with open_store(tmp_path).lock():
        (lock,) = (tmp_path / ".pulumi/locks/organization/shop/dev").iterdir()
        content = json.loads(lock.read_bytes())
        assert list(content) == ["pid", "username", "hostname", "timestamp"]
        assert content["pid"] == os.getpid()
        assert content["hostname"] == socket.gethostname()
        assert content["timestamp"].endswith("Z")
    assert names(tmp_path, "locks") == []


def test_refuses_a_second_holder_in_pulumis_words(tmp_path: Path) -> None:
    with open_store(tmp_path).lock():
        other = open_store(tmp_path).lock()
        with pytest.raises(LockedError) as caught:
            other.__enter__()

    assert str(caught.value).startswith(
        "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file"
    )
    assert f"@{socket.gethostname()} (pid {os.getpid()}) at 20" in str(caught.value)


def test_lock_that_came_meanwhile_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".pulumi/locks/organization/shop/dev"

    def write_with_a_rival(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        (folder / "rival.json").write_bytes(data)

    monkeypatch.setattr(locks, "write_atomically", write_with_a_rival)

    with pytest.raises(LockedError, match="locked by 1 lock"):
        open_store(tmp_path).lock().__enter__()

    assert names(tmp_path, "locks") == ["rival.json"]


def test_lock_is_released_when_the_operation_fails(tmp_path: Path) -> None:
    lock = open_store(tmp_path).lock()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError

    assert names(tmp_path, "locks") == []


def test_cancel_deletes_every_lock(tmp_path: Path) -> None:
    store = saved(tmp_path)
    folder = tmp_path / ".pulumi/locks/organization/shop/dev"
    folder.mkdir(parents=True)
    for name in ("a.json", "a.json.attrs", "b.json"):
        (folder / name).write_text("{}")

    assert store.unlock_all() == 2
    assert names(tmp_path, "locks") == []


def test_history_is_written_as_the_cli_writes_it_and_read_newest_first(tmp_path: Path) -> None:
    store = saved(tmp_path)
    store.record_update(UPDATE)
    store.record_update(replace(UPDATE, kind="destroy", result="failed"))

    (record, *_) = sorted((tmp_path / ".pulumi/history/shop/dev").glob("dev-*.history.json"))
    assert record.read_text() == (
        '{"kind":"update","startTime":1767323045,"message":"first","environment":{"git.head":"abc"},'
        '"config":{"shop:pw":{"secure":"v1:a:b"},"shop:size":"3"},"version":0,"result":"succeeded",'
        '"endTime":1767323105,"resourceChanges":{"create":2,"same":1}}'
    )
    checkpoint = record.with_name(record.name.replace(".history.", ".checkpoint."))
    assert checkpoint.read_bytes() == stack_file(tmp_path).read_bytes()
    record.with_name(f"{record.name}.attrs").write_text("{}")
    assert store.history() == [replace(UPDATE, kind="destroy", result="failed"), UPDATE]
    assert len(names(tmp_path, "backups")) == 2


def test_backups_are_left_out_on_demand(tmp_path: Path) -> None:
    environ = ENVIRON | {"PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "1"}

    saved(tmp_path, environ=environ).record_update(UPDATE)

    assert names(tmp_path, "backups") == []


def test_every_state_is_retained_on_demand(tmp_path: Path) -> None:
    saved(tmp_path, environ=ENVIRON | {"PULUMI_RETAIN_CHECKPOINTS": "true"})

    assert [name for name in names(tmp_path, "stacks") if name.startswith("dev.json.1")]
    assert [stack.name for stack in FileBackend(f"file://{tmp_path}", environ={}).stacks()] == ["dev"]


def test_history_of_a_new_stack_is_empty_and_needs_a_stack(tmp_path: Path) -> None:
    assert open_store(tmp_path).history() == []
    with pytest.raises(NotFoundError, match="no stack named"):
        open_store(tmp_path).record_update(UPDATE)


def test_refuses_a_damaged_history_record(tmp_path: Path) -> None:
    store = saved(tmp_path)
    store.record_update(UPDATE)
    (record,) = (tmp_path / ".pulumi/history/shop/dev").glob("*.history.json")
    record.write_text("{}")

    with pytest.raises(UsageError, match="a history record cannot be read"):
        store.history()


def test_removing_keeps_a_copy_and_the_backups(tmp_path: Path) -> None:
    store = saved(tmp_path)
    store.record_update(UPDATE)
    before = stack_file(tmp_path).read_bytes()

    store.remove(force=True)

    assert not store.exists()
    assert names(tmp_path, "history") == []
    assert len(names(tmp_path, "backups")) == 1
    assert stack_file(tmp_path).with_name("dev.json.bak").read_bytes() == before


def test_removing_leaves_nothing_when_backups_go_too(tmp_path: Path) -> None:
    store = saved(tmp_path)
    store.record_update(UPDATE)
    stack_file(tmp_path).with_name("dev.json.attrs").write_text("{}")

    with pytest.raises(UsageError, match="still has resources; removal rejected"):
        store.remove()
    store.remove(force=True, remove_backups=True)

    assert names(tmp_path, "") == ["meta.yaml"]
    with pytest.raises(NotFoundError):
        store.remove()


def test_refuses_to_save_an_inconsistent_state(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    with pytest.raises(UsageError, match="refers to unknown provider"):
        store.save(Snapshot(resources=(STACK, thing("a"))))

    assert not store.exists()


def test_refuses_to_load_an_inconsistent_state(tmp_path: Path) -> None:
    saved(tmp_path)
    data = file_data(tmp_path)
    data["checkpoint"]["latest"]["resources"].reverse()
    data["checkpoint"]["latest"]["resources"][0]["parent"] = STACK.urn
    stack_file(tmp_path).write_text(json.dumps(data))

    with pytest.raises(UsageError, match=r"snapshot integrity failure; refusing to use it: .* comes after it"):
        open_store(tmp_path).load()


def test_exported_stack_is_imported_again(tmp_path: Path) -> None:
    store = saved(tmp_path, thing("a", outputs={"pw": Secret("s3cret")}))
    exported = store.export()
    assert list(exported) == ["version", "deployment"]
    assert "s3cret" not in json.dumps(exported)

    other = open_store(tmp_path / "other")
    other.import_(exported)

    loaded = other.load()
    assert loaded is not None
    assert loaded.resources[2].outputs == {"pw": Secret("s3cret")}
    assert "s3cret" not in stack_file(tmp_path / "other").read_text()


def test_plain_secret_of_an_import_is_sealed(tmp_path: Path) -> None:
    store = saved(tmp_path, thing("a", outputs={"pw": Secret("x")}))
    exported = store.export()
    exported["deployment"]["resources"][2]["outputs"]["pw"] = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"plain-4711"',
    }

    store.import_(exported)

    assert "plain-4711" not in stack_file(tmp_path).read_text()
    loaded = store.load()
    assert loaded is not None
    assert loaded.resources[2].outputs == {"pw": Secret("plain-4711")}


def test_plain_secret_that_stands_in_the_file_is_sealed_by_the_next_operation(tmp_path: Path) -> None:
    saved(tmp_path, thing("a", outputs={"pw": Secret("x")}))
    data = file_data(tmp_path)
    data["checkpoint"]["latest"]["resources"][2]["outputs"]["pw"].pop("ciphertext")
    data["checkpoint"]["latest"]["resources"][2]["outputs"]["pw"]["plaintext"] = '"plain-4711"'
    stack_file(tmp_path).write_text(json.dumps(data))

    open_store(tmp_path).writer(fold_in_background=False).close()

    assert "plain-4711" not in stack_file(tmp_path).read_text()


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        ({}, "has version 0, which is too old"),
        ({"version": 9, "deployment": {}}, "has version 9"),
        ({"version": 4, "features": ["views"], "deployment": {}}, "features this engine does not have: views"),
        ({"version": 3, "deployment": {"resources": [{}]}}, "misses its `urn`"),
        ({"version": 3, "deployment": []}, "too old|cannot be read"),
    ],
)
def test_refuses_to_import_what_it_cannot_use(tmp_path: Path, deployment: dict[str, Any], said: str) -> None:
    store = saved(tmp_path)
    before = stack_file(tmp_path).read_bytes()
    if deployment.get("deployment") == []:
        deployment["deployment"] = [1]

    with pytest.raises(UsageError, match=said):
        store.import_(deployment)

    assert stack_file(tmp_path).read_bytes() == before


def test_unreadable_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    saved(tmp_path)
    stack_file(tmp_path).write_text('{"version":3,"checkpoint":')

    with pytest.raises(UsageError, match=r"dev\.json: the state cannot be read") as caught:
        open_store(tmp_path).load()

    assert ".bak" in caught.value.remedy
