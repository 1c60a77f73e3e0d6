"""Killed in the middle of an `up` and of a release, the same command finishes the work. On an environment of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import yaml
from story_kit import PACE, Demo, Slipway

NAME = "crash"
KILL_AT_RESOURCES = (8, 30, 55)
"""How many the state holds when `up` is killed; the whole environment has about 70."""

RUN = int(time.time())
"""In the versions: what an earlier run on this sandbox released is rejected, because the test went back from it."""

Eventually = Callable[[Callable[[], bool], str], None]


@pytest.fixture(scope="module")
def crash(demo: Demo) -> Iterator[Slipway]:
    """`slipway` in a copy of the demo's checkout that has one environment more."""
    paths = demo.slipway.paths
    folder = paths.sandbox / "crash-checkout"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(demo.slipway.checkout), str(folder)], check=True, timeout=60)
    (folder / ".venv").symlink_to(sys.prefix)
    settings = yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())
    settings["config"]["slipway:network"]["cidr"] = "10.60.0.0/16"
    (folder / f"Pulumi.{NAME}.yaml").write_text(yaml.safe_dump(settings))
    slipway = Slipway(paths, folder)
    _commit_version(slipway, f"2.8.{RUN}")
    slipway.run("bootstrap", NAME)
    yield slipway
    slipway.run("destroy", NAME, "--yes")


def _resources(slipway: Slipway) -> int:
    """How many the state holds; none as long as the first `up` has not made the stack."""
    done = slipway.pulumi("stack", "export", "--stack", NAME)
    if done.returncode:
        return 0
    exported = json.loads(done.stdout)
    return len(exported["deployment"].get("resources") or [])


def _commit_version(slipway: Slipway, version: str) -> None:
    (slipway.checkout / "app" / "VERSION").write_text(f"{version}\n")
    git = ["git", "-C", str(slipway.checkout), "-c", "user.name=Crash", "-c", "user.email=crash@example.com"]
    subprocess.run([*git, "commit", "--quiet", "--all", "--message", f"Release {version}"], check=True, timeout=60)


def _live_percent(slipway: Slipway) -> int:
    place = slipway.place(NAME)
    return place["colours"][place["live"]]["actual_percent"]


def test_killed_up_is_finished_by_the_next_one(crash: Slipway, eventually: Eventually) -> None:
    for wanted in KILL_AT_RESOURCES:
        with crash.killed("up", NAME, "--yes") as up:
            eventually(
                lambda wanted=wanted: _resources(crash) >= wanted or up.poll() is not None, f"{wanted} resources"
            )

    crash.run("up", NAME, "--yes")

    crash.run("up", NAME, "--yes", "--expect-no-changes")
    names = [cluster for cluster in crash.client("eks").list_clusters()["clusters"] if NAME in cluster]
    assert len(names) == 1, "a killed run's cluster was forgotten and made a second time"


def test_killed_release_is_finished_by_the_next_one(crash: Slipway, eventually: Eventually) -> None:
    crash.run("up", NAME, "--yes")
    crash.run("release", NAME, *PACE)
    place = crash.place(NAME)
    before = place["colours"][place["live"]]["running"]
    _commit_version(crash, f"2.9.{RUN}")
    with crash.load(place["url"]) as load:
        with crash.killed("release", NAME, *PACE) as release:
            eventually(lambda: _live_percent(crash) < 100 or release.poll() is not None, "traffic has begun to move")
        # What a colleague may do at such a moment: it must not move traffic.
        percent = _live_percent(crash)
        crash.run("up", NAME, "--yes")
        assert _live_percent(crash) == percent < 100

        crash.run("release", NAME, *PACE)

    place = crash.place(NAME)
    live = place["colours"][place["live"]]
    assert live["running"]["version"] == f"2.9.{RUN}"
    assert live["running"]["release"] != before["release"]
    assert live["actual_percent"] == 100
    assert place["rollout"] is None
    assert load.sent > 100
    assert load.failed == 0, load.faults

    crash.run("rollback", NAME, "--because", "the test goes back")

    place = crash.place(NAME)
    assert place["colours"][place["live"]]["running"]["release"] == before["release"]
