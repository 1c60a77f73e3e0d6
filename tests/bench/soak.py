"""`make soak`: many releases under constant load, with rollbacks, killed pods, drained nodes and broken releases among them.

Runs on the sandbox after `make demo`, in an environment of its own, which it removes at the end. The load goes to a loopback address.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from slipway.cli.demo.sending import Load, sending
from slipway.sandbox.paths import SandboxPaths
from tests.e2e.story.story_kit import PACE, Slipway

NAME = "soak"
SERVICE = "orders"
RELEASES = 22
RATE = 60
"""Requests a second."""
ROLLED_BACK = 10
"""The exit code of a release that was bad and went back."""
SETTLE_SECONDS = 120
ROOT = Path(__file__).parents[2]
BROKEN = ROOT / "demo" / "v3-broken.patch"
RUN = int(time.time())
"""In the versions: what an earlier run went back from is rejected."""


@dataclass
class Figures:
    """What the soak counted."""

    good: Load = field(default_factory=lambda: Load(sent=0, failed=0))
    """While releases that are in order went up."""
    bad: Load = field(default_factory=lambda: Load(sent=0, failed=0))
    """While broken ones did: their own answers are among the failed."""
    events: dict[str, int] = field(default_factory=dict[str, int])

    def note(self, event: str) -> None:
        """Count one thing that happened."""
        self.events[event] = self.events.get(event, 0) + 1


class Soak:
    """The environment, and what is done to it."""

    def __init__(self, paths: SandboxPaths, console: Console) -> None:
        demo = paths.sandbox / "demo"
        if not (demo / ".git").is_dir():
            sys.exit("the sandbox has no demo to take the service from; run `make demo` first")
        self._console = console
        self._folder = paths.sandbox / "soak-checkout"
        shutil.rmtree(self._folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", str(demo), str(self._folder)], check=True, timeout=60)
        (self._folder / ".venv").symlink_to(sys.prefix)
        settings = yaml.safe_load((self._folder / "Pulumi.dev.yaml").read_text())
        settings["config"]["slipway:network"]["cidr"] = "10.61.0.0/16"
        settings["config"]["slipway:cluster"]["nodes"] |= {"minimum": 2, "desired": 2}
        (self._folder / f"Pulumi.{NAME}.yaml").write_text(yaml.safe_dump(settings))
        self._paths = paths
        self.slipway = Slipway(paths, self._folder)
        self.figures = Figures()

    def prepare(self) -> None:
        """The environment and its first release, without load."""
        self._console.print("making the environment")
        self.slipway.run("bootstrap", NAME)
        self.slipway.run("up", NAME, "--yes")
        self.commit("first")
        self.slipway.run("release", NAME, *PACE)
        self._url = self.slipway.place(NAME)["url"]

    def remove(self) -> None:
        """All of it."""
        self._console.print("removing the environment")
        self.slipway.run("destroy", NAME, "--yes")

    def commit(self, name: str) -> None:
        """A new version of the app."""
        (self._folder / "app" / "VERSION").write_text(f"2.7.{RUN}-{name}\n")
        self._git("commit", "--quiet", "--all", "--message", f"Release {name}")

    def release(self, number: int) -> None:
        """One release that is in order, with one disturbance while its traffic moves."""
        disturb = (None, self.kill_pod, self.drain_node)[number % 3]
        self.commit(f"r{number}")
        with self._load(self.figures.good):
            beside = contextlib.nullcontext() if disturb is None else self._beside(disturb)
            with beside:
                done = self.slipway.run("release", NAME, *PACE, also=ROLLED_BACK)
            if (
                done.returncode
            ):  # a machine that is too busy makes the candidate slow: judged rightly, and no request lost
                self.figures.note("releases in order that went back")
                return
            self.figures.note("releases that went up")
            if number % 4 == 3:
                self.slipway.run("rollback", NAME, "--because", "the soak goes back")
                self.figures.note("rollbacks by hand")

    def release_broken(self, number: int) -> None:
        """One whose code fails a share of the requests: it must go back by itself."""
        self._git("apply", "--include=app/orders/*", str(BROKEN))
        self.commit(f"broken{number}")
        with self._load(self.figures.bad):
            self.slipway.run("release", NAME, *PACE, code=ROLLED_BACK)
        self.figures.note("broken releases that went back")
        self._git("revert", "--no-edit", "HEAD")

    def kill_pod(self) -> None:
        """Delete one pod that serves."""
        inside = ("--namespace", SERVICE)
        pods = json.loads(self.slipway.kubectl(NAME, *inside, "get", "pods", "-o", "json"))["items"]
        staying = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        # One that its rollout takes away in this very moment is gone without our doing.
        self.slipway.kubectl(NAME, *inside, "delete", "--wait=false", "--ignore-not-found", "pod", staying[0])
        self.figures.note("pods deleted")

    def drain_node(self) -> None:
        """Empty one of two nodes, as for its replacement, and take it back into use."""
        nodes = self.slipway.kubectl(NAME, "get", "nodes", "-o", "name").split()
        if len(nodes) < 2:
            return
        node = nodes[self.figures.events.get("nodes drained", 0) % 2]
        drain = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=100s")
        self.slipway.kubectl(NAME, "drain", node, *drain)
        self.slipway.kubectl(NAME, "uncordon", node)
        self.figures.note("nodes drained")

    def rollouts(self) -> list[dict[str, Any]]:
        """All ended rollouts."""
        return self.slipway.ask("history", NAME, "--limit", "100")

    @contextmanager
    def _load(self, total: Load) -> Iterator[None]:
        load = Load()
        with sending(load, self._url, self._paths.sandbox / "soak-load.json", RATE):
            yield
        if load.sent is None or load.failed is None:
            raise RuntimeError("the load's sender died")
        total.sent, total.failed = (total.sent or 0) + load.sent, (total.failed or 0) + load.failed
        for fault, count in load.faults.items():
            total.faults[fault] = total.faults.get(fault, 0) + count
        self._console.print(f"  {load.sent} requests, {load.failed} failed {load.faults or ''}")

    @contextmanager
    def _beside(self, disturb: Callable[[], None]) -> Iterator[None]:
        """Do it once the candidate has traffic, while the block goes on."""
        problems: list[Exception] = []

        def work() -> None:
            try:
                deadline = time.monotonic() + SETTLE_SECONDS
                while self._live_percent() == 100 and time.monotonic() < deadline:
                    time.sleep(0.5)
                disturb()
            except Exception as error:  # noqa: BLE001 - told where it can be
                problems.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield
        thread.join(SETTLE_SECONDS)
        if problems:
            raise problems[0]

    def _live_percent(self) -> int:
        place = self.slipway.place(NAME)
        return place["colours"][place["live"]]["actual_percent"]

    def _git(self, *arguments: str) -> None:
        author = ["-c", "user.name=Soak", "-c", "user.email=soak@slipway.invalid", "-c", "commit.gpgsign=false"]
        argv = ["git", "-C", str(self._folder), *author, *arguments]
        subprocess.run(argv, check=True, timeout=60, stdout=subprocess.DEVNULL)


def main(arguments: Sequence[str]) -> None:
    """Run the soak and print what came of it. Exit code 1 when a request of a release that is in order failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--releases", type=int, default=RELEASES, help="every fifth is a broken one")
    count: int = parser.parse_args(arguments).releases
    console = Console(soft_wrap=True, width=140)
    soak = Soak(SandboxPaths.from_environment(), console)
    started = time.monotonic()
    try:
        soak.prepare()
        for number in range(1, count + 1):
            broken = number % 5 == 0
            console.print(f"release {number} of {count}{', broken on purpose' if broken else ''}")
            (soak.release_broken if broken else soak.release)(number)
        _report(console, soak, time.monotonic() - started)
    finally:
        soak.remove()
    if soak.figures.good.failed:
        sys.exit(1)


def _report(console: Console, soak: Soak, seconds: float) -> None:
    good, bad, table = soak.figures.good, soak.figures.bad, Table("what", "figure", "wanted", box=None)
    for event, count in soak.figures.events.items():
        table.add_row(event, str(count), "")
    table.add_row("requests while good releases and rollbacks went on", f"{good.sent:,}", "50,000")
    table.add_row("  of them failed", f"{good.failed} {good.faults or ''}", "0")
    table.add_row("requests while broken releases went up and back", f"{bad.sent:,}", "")
    table.add_row("  of them failed", f"{bad.failed} {bad.faults or ''}", "")
    forward = [each for each in soak.rollouts() if each["kind"] == "release"]
    whole = [each for each in forward if each["phase"] == "completed"]
    back = [each for each in forward if each["phase"] == "rolled-back"]
    table.add_row("seconds from traffic to verdict, broken releases", _spread(back, lambda t: t["detect"]), "")
    table.add_row("seconds from verdict to 0 %, confirmed", _spread(back, lambda t: t["weights_back"]), "2")
    for name, phases in (("pods", ("deploying", "waiting-for-targets", "sizing")), ("baking", ("baking",))):
        table.add_row(f"seconds of a release: {name}", _spread(whole, lambda t, p=phases: _sum(t, p)), "")
    rest = ("migrating", "smoke-testing", "shifting", "verifying", "settling")
    table.add_row("seconds of a release: everything else", _spread(whole, lambda t: _sum(t, rest)), "5")
    console.print(table)
    console.print(f"{seconds / 60:.0f} minutes, {RATE} requests a second")


def _sum(timings: dict[str, float], phases: Sequence[str]) -> float:
    return sum(timings.get(phase, 0.0) for phase in phases)


def _spread(rollouts: Sequence[dict[str, Any]], figure: Callable[[dict[str, float]], float]) -> str:
    values = [figure(rollout["timings"]) for rollout in rollouts]
    return f"{min(values):.1f} / {statistics.median(values):.1f} / {max(values):.1f}" if values else "none"


if __name__ == "__main__":
    main(sys.argv[1:])
