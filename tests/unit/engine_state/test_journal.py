"""Saving after each step: what a killed process leaves, wherever it was killed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.engine.secrets import new_passphrase
from slipway.engine.state import journal
from slipway.engine.state import store as store_module
from slipway.engine.state.model import OperationType, PendingOperation, ResourceState, Snapshot
from slipway.engine.state.writer import Added, Removed, StackWriter, Updated, fold_interval
from slipway.engine.values import Secret
from slipway.errors import MachineError, OperationError, UsageError
from tests.unit.engine_state.state_kit import (
    ENVIRON,
    PREFIX,
    PROVIDER,
    STACK,
    file_data,
    open_store,
    stack_file,
    thing,
    urns_in_file,
)

JOURNAL = Path(".pulumi/slipway/shop/dev.journal")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backend with a stack of four records, left by an operation that ended well. Made once: a salt costs 0.3 s."""
    path = tmp_path_factory.mktemp("settled")
    writer = open_store(path).writer(fold_in_background=False)
    for state in (
        STACK,
        PROVIDER,
        thing("a", outputs={"pw": Secret("s3cret")}),
        thing("b", dependencies=(thing("a").urn,)),
    ):
        writer.end(None, Added(state))
    writer.close()
    return path


@pytest.fixture
def root(settled: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return shutil.copytree(settled, tmp_path / "state")


def written(root: Path) -> bytes:
    """The journal without the space that is taken in advance."""
    return (root / JOURNAL).read_bytes().rstrip(b"\0")


def begun(root: Path) -> StackWriter:
    """An operation that has finished the stack and its provider, as every operation begins."""
    writer = open_store(root).writer(fold_in_background=False)
    for old in writer.base.resources[:2]:
        writer.end(None, Removed(old), Added(replace(old)))
    return writer


def seen(snapshot: Snapshot | None) -> tuple[list[tuple[str, str, bool]], list[tuple[str, str]]]:
    """What matters of a state: names, ids and delete marks in order, and what is pending."""
    assert snapshot is not None
    records = [(state.urn, state.id, state.delete) for state in snapshot.resources]
    return records, [(operation.resource.urn, operation.type.value) for operation in snapshot.pending_operations]


def steps(writer: StackWriter) -> Iterator[None]:
    """An operation with every kind of change, one at a time."""
    stack, provider, old_a, old_b = writer.base.resources
    writer.end(None, Removed(stack), Added(replace(stack)))
    yield
    writer.end(None, Removed(provider), Added(replace(provider)))
    yield
    creating = writer.begin(OperationType.CREATING, thing("c", id=""))
    yield
    new_c = thing("c", outputs={"pw": Secret("other")})
    writer.end(creating, Added(new_c))
    yield
    updating = writer.begin(OperationType.UPDATING, old_a)
    yield
    creating = writer.begin(OperationType.CREATING, thing("d", id=""))
    yield
    writer.end(updating, Removed(old_a), Added(replace(old_a, outputs={"n": 1})))
    yield
    writer.end(creating)
    yield
    replaced = replace(old_b, delete=True)
    writer.end(None, Updated(old_b, replaced), Added(thing("b", id="id-b2")))
    yield
    deleting = writer.begin(OperationType.DELETING, replaced)
    yield
    writer.end(deleting, Removed(replaced))
    yield
    writer.end(None, Updated(new_c, replace(new_c, outputs={"done": True})))
    yield


@pytest.mark.parametrize("fold_every", [1, 3, 100])
def test_loaded_state_is_that_of_the_last_whole_line_when_killed_anywhere(root: Path, fold_every: int) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    before = seen(writer.snapshot())
    checked = 0
    length = len(written(root))
    for number, _ in enumerate(steps(writer), start=1):
        after = seen(writer.snapshot())
        data = written(root)
        line = data[length:]
        # Nothing of the line, its first byte, amid it, all but its end, all but its newline, all of it.
        for cut in {0, 1, len(line) // 2, len(line) - 2, len(line) - 1, len(line)}:
            copy = root.with_name(f"{root.name}-{number}-{cut}")
            shutil.copytree(root, copy)
            (copy / JOURNAL).write_bytes(data[: length + cut] + bytes(1000))
            assert seen(open_store(copy).load()) == (after if cut == len(line) else before), (number, cut)
            shutil.rmtree(copy)
            checked += 1
        if number % fold_every == 0:
            writer.fold()
        before, length = after, len(written(root))
    assert checked >= 60


def crash_points() -> dict[str, Callable[[pytest.MonkeyPatch], None]]:
    """Where a fold can be cut: a function that makes the next one end there."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def before_marking(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(StackWriter, "_mark", die)

    def before_the_digest(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(store_module, "digest_of", die)

    def before_the_file(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(store_module, "write_atomically", die)

    def after_the_file(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(store_module, "remove_file", die)

    return {
        "before marking": before_marking,
        "before the digest": before_the_digest,
        "before the file": before_the_file,
        "after the file": after_the_file,
    }


@pytest.mark.parametrize("point", crash_points().values(), ids=list(crash_points()))
@pytest.mark.parametrize("at_step", range(1, 13))
def test_nothing_is_lost_when_killed_within_a_fold(
    root: Path, monkeypatch: pytest.MonkeyPatch, point: Callable[[pytest.MonkeyPatch], None], at_step: int
) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    running = steps(writer)
    for _ in range(at_step):
        next(running)
    expected = seen(writer.snapshot())
    with monkeypatch.context() as patch:
        point(patch)
        with pytest.raises(KeyboardInterrupt):
            writer.fold()

    assert seen(open_store(root).load()) == expected
    for _ in running:  # the process lives on here: the numbers it counts by must still be those of the journal
        expected = seen(writer.snapshot())
        assert seen(open_store(root).load()) == expected


@pytest.mark.parametrize("point", ["next journal", "file replaced"])
def test_nothing_is_lost_when_killed_while_the_next_operation_begins(
    root: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    for _ in steps(writer):
        pass
    gone = thing("gone")
    writer.end(None, Added(gone))
    writer.end(None, Removed(gone))
    writer.begin(OperationType.CREATING, thing("late", id=""))
    expected = seen(writer.snapshot())

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if point == "next journal":
            patch.setattr(store_module.StackStore, "replace_file", die)
        else:
            patch.setattr("slipway.engine.state.journal.JournalWriter.rename", die)
        store = open_store(root)
        with pytest.raises(KeyboardInterrupt):
            store.writer(fold_in_background=False)

    store = open_store(root)
    assert seen(store.load()) == expected
    assert not [warning for warning in store.warnings if "another program" in warning]
    again = open_store(root).writer(fold_in_background=False)
    assert seen(again.base) == expected
    again.close()
    assert seen(open_store(root).load()) == expected
    assert not (root / JOURNAL).exists()


def test_journal_grows_beyond_the_space_taken_in_advance(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_GROWTH_BYTES", 64)
    writer = begun(root)
    for number in range(50):
        writer.end(None, Added(thing(f"x{number}", inputs={"text": "x" * number * 10})))

    snapshot = open_store(root).load()

    assert snapshot == replace(writer.snapshot(), manifest_time=snapshot.manifest_time if snapshot else None)


def test_refuses_to_go_on_when_the_disk_is_full(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = begun(root)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    large = thing("large", inputs={"text": "x" * 2_000_000})

    with pytest.raises(MachineError, match="the state journal cannot be written: No space left on device"):
        writer.end(None, Added(large))


def test_recovered_operation_is_told(root: Path) -> None:
    writer = begun(root)
    writer.end(None, Added(thing("c")))

    store = open_store(root)
    store.load()

    assert store.warnings == ["an interrupted operation was recovered: its steps are in the state now"]


def test_cancel_puts_the_journal_into_the_stack_file(root: Path) -> None:
    writer = begun(root)
    writer.end(None, Added(thing("c")))
    assert "c" not in urns_in_file(root)

    open_store(root).unlock_all()

    assert "c" in urns_in_file(root)
    assert not (root / JOURNAL).exists()


def test_what_was_created_stays_pending_when_another_program_changed_the_file(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    writer.end(writer.begin(OperationType.CREATING, thing("c", id="")), Added(thing("c")))
    writer.begin(OperationType.CREATING, thing("d", id=""))
    writer.end(None, Removed(writer.base.resources[3]))
    data = file_data(root)
    data["checkpoint"]["latest"]["manifest"] |= {"time": "2027-01-01T00:00:00Z"}
    stack_file(root).write_text(json.dumps(data))

    store = open_store(root)
    records, pending = seen(store.load())

    assert [urn.rpartition("::")[2] for urn, _, _ in records] == ["shop-dev", "default", "a", "b"]
    assert pending == [(thing("c").urn, "creating"), (thing("d").urn, "creating")]
    assert thing("c").urn in store.warnings[0]
    # Once they stand in the file, the journal that told of them is done with.
    store.writer(fold_in_background=False).close()
    assert seen(open_store(root).load())[1] == pending


def test_secret_is_in_no_file_in_plain_text(root: Path) -> None:
    writer = begun(root)
    writer.begin(OperationType.CREATING, thing("c", id="", inputs={"pw": Secret("hunter2")}))
    writer.end(None, Added(thing("e", inputs={"deep": [{"pw": Secret("hunter2")}]})))
    writer.fold()

    for path in root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"hunter2" not in content
            assert b"s3cret" not in content


def test_salt_made_amid_an_operation_is_recovered(tmp_path: Path) -> None:
    writer = open_store(tmp_path).writer(fold_in_background=False)
    writer.end(None, Added(STACK))
    writer.end(None, Added(thing("x", provider="", outputs={"pw": Secret("late")})))
    assert "secrets_providers" not in file_data(tmp_path)["checkpoint"]["latest"]

    snapshot = open_store(tmp_path).load()

    assert snapshot is not None
    assert snapshot.resources[1].outputs == {"pw": Secret("late")}


def test_salt_made_for_a_pending_operation_is_recovered(tmp_path: Path) -> None:
    writer = open_store(tmp_path).writer(fold_in_background=False)
    writer.begin(OperationType.CREATING, thing("x", id="", inputs={"pw": Secret("late")}))

    snapshot = open_store(tmp_path).load()

    assert snapshot is not None
    assert snapshot.pending_operations[0].resource.inputs == {"pw": Secret("late")}


def test_refuses_a_journal_damaged_amid_its_lines(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    writer.end(None, Added(thing("c")))
    data = (root / JOURNAL).read_bytes()
    (root / JOURNAL).write_bytes(b"?" + data)

    with pytest.raises(UsageError, match="line 1 of the state journal is damaged"):
        open_store(root).load()


def test_finished_records_come_first_in_order_of_completion(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    stack, provider, _, old_b = writer.base.resources
    for old in (stack, provider, old_b):
        writer.end(None, Removed(old), Added(replace(old, dependencies=())))
    writer.end(None, Added(thing("c")))
    writer.fold()

    assert urns_in_file(root) == ["shop-dev", "default", "b", "c", "a"]


def test_only_interrupted_creates_are_carried_on(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    writer.begin(OperationType.CREATING, thing("c", id=""))
    writer.begin(OperationType.DELETING, writer.base.resources[3])
    writer.fold()

    again = open_store(root).writer(fold_in_background=False)
    assert [operation.type.value for operation in again.base.pending_operations] == ["creating", "deleting"]
    assert seen(again.snapshot())[1] == [(thing("c").urn, "creating")]
    again.forget(again.base.pending_operations[0])
    again.close()
    assert "pending_operations" not in file_data(root)["checkpoint"]["latest"]


def test_alias_is_rewritten_in_every_old_reference(tmp_path: Path) -> None:
    parent = thing("old-parent")
    child_urn = f"{PREFIX}demo:index:Thing$demo:index:Leaf::leaf"
    child = thing("x", urn=child_urn, type="demo:index:Leaf", parent=parent.urn)
    user = thing(
        "user", dependencies=(parent.urn, child_urn), property_dependencies={"p": (child_urn,)}, deleted_with=parent.urn
    )
    writer = open_store(tmp_path).writer(fold_in_background=False)
    for state in (STACK, PROVIDER, parent, child, user):
        writer.end(None, Added(state))
    writer.close()

    writer = open_store(tmp_path).writer(fold_in_background=False)
    stack, provider, old_parent, _, _ = writer.base.resources
    for old in (stack, provider):
        writer.end(None, Removed(old), Added(replace(old)))
    renamed = replace(
        old_parent, urn=f"{PREFIX}demo:index:Group::new", type="demo:index:Group", aliases=(old_parent.urn,)
    )
    writer.end(None, Removed(old_parent), Added(renamed))
    expected = seen(writer.snapshot())
    assert seen(open_store(tmp_path).load()) == expected  # from the journal alone
    writer.close()

    loaded = open_store(tmp_path).load()
    assert loaded is not None
    new_child, new_user = loaded.resources[3:]
    new_child_urn = f"{PREFIX}demo:index:Group$demo:index:Leaf::leaf"
    assert (new_child.urn, new_child.parent) == (new_child_urn, renamed.urn)
    assert new_user.dependencies == (renamed.urn, new_child_urn)
    assert new_user.property_dependencies == {"p": (new_child_urn,)}
    assert new_user.deleted_with == renamed.urn
    assert "aliases" not in stack_file(tmp_path).read_text()


def test_renamed_provider_is_rewritten_in_the_references_to_it(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    stack, provider, _, _ = writer.base.resources
    writer.end(None, Removed(stack), Added(stack))
    renamed = replace(provider, urn=f"{PREFIX}pulumi:providers:demo::renamed", aliases=(provider.urn,))
    writer.end(None, Removed(provider), Added(renamed))
    writer.close()

    loaded = open_store(root).load()
    assert loaded is not None
    assert {state.provider for state in loaded.resources[2:]} == {f"{renamed.urn}::u-1"}


def test_renamed_old_record_is_still_known_by_its_object(tmp_path: Path) -> None:
    writer = open_store(tmp_path).writer(fold_in_background=False)
    for state in (STACK, PROVIDER, thing("a"), thing("b", dependencies=(thing("a").urn,))):
        writer.end(None, Added(state))
    writer.close()

    writer = open_store(tmp_path).writer(fold_in_background=False)
    _, _, old_a, old_b = writer.base.resources
    writer.end(None, Removed(old_a), Added(replace(old_a, urn=f"{PREFIX}demo:index:Thing::z", aliases=(old_a.urn,))))
    writer.end(None, Removed(old_b))

    assert [state.urn.rpartition("::")[2] for state in writer.snapshot().resources] == ["z", "shop-dev", "default"]


def test_closing_tells_an_inconsistent_state_and_writes_it(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    writer.end(None, Added(thing("c", dependencies=(f"{PREFIX}demo:index:Thing::nobody",))))

    with pytest.raises(OperationError, match="snapshot integrity failure"):
        writer.close()

    assert "c" in urns_in_file(root)
    with pytest.raises(UsageError, match="refusing to use it"):
        open_store(root).load()


def test_fold_happens_in_the_background(root: Path) -> None:
    writer = open_store(root).writer()
    for old in writer.base.resources[:2]:
        writer.end(None, Removed(old), Added(replace(old)))
    writer.end(None, Added(thing("c")))

    deadline = time.monotonic() + 10
    while "c" not in urns_in_file(root) and time.monotonic() < deadline:
        writer._folder.join(timeout=0.01)

    assert "c" in urns_in_file(root)
    writer.close()


@pytest.mark.parametrize(("fold_seconds", "wait"), [(0.0001, 0.01), (0.003, 0.06), (0.04, 0.8), (0.2, 1.0), (2.0, 8.0)])
def test_folding_takes_its_share_of_the_time_and_no_more(fold_seconds: float, wait: float) -> None:
    assert fold_interval(fold_seconds) == pytest.approx(wait)


def test_backup_holds_the_state_before_the_operation(root: Path) -> None:
    before = stack_file(root).read_bytes()

    writer = begun(root)
    writer.end(None, Added(thing("c")))
    writer.fold()
    writer.close()

    assert stack_file(root).with_name("dev.json.bak").read_bytes() == before


def test_untouched_record_is_written_as_it_was_read(root: Path) -> None:
    data = file_data(root)
    record = data["checkpoint"]["latest"]["resources"][2]
    record |= {"created": "2026-01-02T03:04:05.123456789Z", "tomorrow": {"z": 1, "a": 2}}
    stack_file(root).write_text(json.dumps(data))

    open_store(root).writer(fold_in_background=False).close()

    assert file_data(root)["checkpoint"]["latest"]["resources"][2] == record
    assert list(file_data(root)["checkpoint"]["latest"]["resources"][2]["tomorrow"]) == ["z", "a"]


def test_new_salt_of_the_stack_file_seals_everything_anew(root: Path) -> None:
    salt = new_passphrase(ENVIRON["PULUMI_CONFIG_PASSPHRASE"]).salt
    old = file_data(root)["checkpoint"]["latest"]["resources"][2]["outputs"]["pw"]
    store = open_store(root)
    store.secrets.use_file_salt(salt)

    store.writer(fold_in_background=False).close()

    latest = file_data(root)["checkpoint"]["latest"]
    assert latest["secrets_providers"]["state"]["salt"] == salt
    assert latest["resources"][2]["outputs"]["pw"] != old
    snapshot = open_store(root).load()
    assert snapshot is not None
    assert snapshot.resources[2].outputs == {"pw": Secret("s3cret")}


def test_state_of_features_survives_a_record_that_needs_none_any_more(root: Path) -> None:
    writer = begun(root)
    tainted: ResourceState = thing("c", taint=True)
    writer.end(None, Added(tainted))
    writer.fold()
    assert (file_data(root)["version"], file_data(root)["features"]) == (4, ["taint"])

    writer.end(None, Updated(tainted, replace(tainted, taint=False)))
    writer.close()

    assert file_data(root)["version"] == 3
    assert "features" not in file_data(root)


def test_token_of_an_operation_says_what_it_is(root: Path) -> None:
    writer = open_store(root).writer(fold_in_background=False)
    state = thing("c", id="")

    assert writer.begin(OperationType.CREATING, state) == PendingOperation(resource=state, type=OperationType.CREATING)
