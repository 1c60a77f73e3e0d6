"""Which cluster has which number, whatever happens in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slipway.errors import MachineError, NotFoundError, OperationError, UsageError
from slipway.sandbox.kubernetes.cluster import nodes_per_group
from slipway.sandbox.kubernetes.layout import MAXIMUM_CLUSTERS, kubernetes_folder
from slipway.sandbox.kubernetes.state import AUTO_MODE, ClusterBook, ClusterRecord, NodeRecord
from slipway.sandbox.paths import SandboxPaths


@pytest.fixture
def book(tmp_path: Path) -> ClusterBook:
    return ClusterBook(SandboxPaths(tmp_path))


def test_number_is_kept_when_a_cluster_is_asked_for_again(book: ClusterBook) -> None:
    first = book.allocate("dev", "http://127.0.0.1/a")
    book.allocate("staging", "http://127.0.0.1/b")

    assert book.allocate("dev", "http://127.0.0.1/a") == first
    assert [record.index for record in book.all().values()] == [0, 1]


def test_lowest_number_is_reused_when_its_cluster_is_gone(book: ClusterBook) -> None:
    for name in ("dev", "staging", "prod"):
        book.allocate(name, "http://127.0.0.1/")
    book.forget("staging")

    assert book.allocate("review", "http://127.0.0.1/").index == 1


def test_numbers_are_distinct_when_allocated_at_once(book: ClusterBook) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        made = list(pool.map(lambda number: book.allocate(f"c{number}", "http://127.0.0.1/"), range(8)))

    assert sorted(record.index for record in made) == list(range(8))


def test_webhook_is_replaced_and_the_rest_kept_when_it_changes(book: ClusterBook) -> None:
    record = book.allocate("dev", "http://127.0.0.1/old")
    book.put("dev", record.model_copy(update={"nodes": (NodeRecord(number=0, group="workers"),)}))

    changed = book.allocate("dev", "http://127.0.0.1/new")

    assert changed.token_webhook_url == "http://127.0.0.1/new"
    assert [node.group for node in changed.nodes] == ["workers"]


def test_record_is_read_under_the_lock_when_its_holder_has_changed_it(book: ClusterBook) -> None:
    first = book.allocate("dev", "http://127.0.0.1/")

    def read() -> ClusterRecord | None:
        waiting.set()
        with book.held("dev") as record:
            return record

    waiting = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        with book.held("dev") as record:
            assert record == first
            other = pool.submit(read)
            assert waiting.wait(timeout=10)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.2)
            book.put("dev", first.model_copy(update={"deleting": True}))
        found = other.result(timeout=10)
    assert found is not None
    assert found.deleting


def test_nothing_is_held_of_a_cluster_that_is_unknown(book: ClusterBook) -> None:
    with book.held("ghost") as record:
        assert record is None


def test_cluster_is_not_listed_once_its_removal_has_begun(book: ClusterBook) -> None:
    for name in ("staging", "dev", "prod"):
        record = book.allocate(name, "http://127.0.0.1/")
    book.put("prod", record.model_copy(update={"deleting": True}))

    assert book.names() == ["staging", "dev"]


def test_refuses_one_cluster_more_than_there_are_ranges(book: ClusterBook) -> None:
    for number in range(MAXIMUM_CLUSTERS):
        book.allocate(f"c{number}", "http://127.0.0.1/")

    with pytest.raises(OperationError, match="the sandbox holds 16 clusters"):
        book.allocate("one-more", "http://127.0.0.1/")


def test_refuses_a_name_that_is_unknown(book: ClusterBook) -> None:
    with pytest.raises(NotFoundError, match="no sandbox cluster is named ghost"):
        book.get("ghost")


def test_file_of_an_earlier_version_is_read_when_it_tells_more(tmp_path: Path, book: ClusterBook) -> None:
    path = kubernetes_folder(SandboxPaths(tmp_path)) / "clusters.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"clusters": {"dev": {"index": 3, "token_webhook_url": "", "existing": {"uid": "1"}}}}')

    assert book.get("dev") == ClusterRecord(index=3, token_webhook_url="")


def test_refuses_a_damaged_file_by_its_path(tmp_path: Path, book: ClusterBook) -> None:
    path = kubernetes_folder(SandboxPaths(tmp_path)) / "clusters.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"clusters": 3}')

    with pytest.raises(MachineError, match="not a list of clusters") as refused:
        book.all()
    assert refused.value.where == str(path)


@pytest.mark.parametrize("setting", ["0", "17", "-1", "two", ""])
def test_refuses_a_number_of_nodes_that_is_none(setting: str) -> None:
    with pytest.raises(UsageError, match="is not a whole number from 1 to 16"):
        nodes_per_group(setting)


def test_region_is_the_zone_without_its_letter() -> None:
    assert NodeRecord(number=0, group="g", zone="eu-central-1b").region == "eu-central-1"


def test_node_of_auto_mode_is_in_no_node_group() -> None:
    auto = NodeRecord(number=0, group=AUTO_MODE, zone="us-east-1b", labels={"tier": "web"}).all_labels
    assert auto["eks.amazonaws.com/compute-type"] == "auto"
    assert auto["karpenter.sh/nodepool"] == "general-purpose"
    assert (auto["topology.kubernetes.io/zone"], auto["tier"]) == ("us-east-1b", "web")
    assert "eks.amazonaws.com/nodegroup" not in auto
    managed = NodeRecord(number=0, group="workers").all_labels
    assert managed["eks.amazonaws.com/nodegroup"] == "workers"
    assert "eks.amazonaws.com/compute-type" not in managed
