"""`make soak`: many releases under constant load. Meanwhile pods are deleted, nodes drained, the CLI is killed and resumed, the master
password of the database changes, releases are rolled back by hand, and each fifth is bad in one of four ways.

Runs on the sandbox after `make demo`, in an environment of its own, which it removes at the end. The load goes to a loopback address.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from slipway.cli.demo.sending import Load, sending
from slipway.sandbox.kubernetes.cluster import NODES_PER_GROUP_VARIABLE
from slipway.sandbox.paths import SandboxPaths
from tests.bench.environment import BenchEnvironment
from tests.e2e.story.story_kit import PACE
from tests.waiting import wait_until

NAME = "soak"
SERVICE = "orders"
RELEASES = 22
NODES = 2
RATE = 60
"""Requests a second."""
ROLLED_BACK = 10
"""The exit code of a release that was bad and went back."""
ROTATION_SECONDS = 20
SETTLE_SECONDS = 300
LONGEST_SECONDS = 900
"""Of one release: on a busy machine, or with pods that never start, for which the cluster has patience."""
API = "app/orders/api.py"
LISTING = '        """The newest orders."""\n'
BAD = {
    "errors": (
        LISTING,
        '        if __import__("random").random() < 0.3:\n            raise RuntimeError("bad on purpose")\n',
    ),
    "latency": (LISTING, '        await __import__("asyncio").sleep(3)\n'),  # the stack file allows 2 s
    "hanging": (
        LISTING,
        '        if __import__("random").random() < 0.3:\n            await __import__("asyncio").sleep(3600)\n',
    ),
    "crash loop": ('"""The HTTP API."""\n', 'raise SystemExit("bad on purpose")\n'),
}
"""Kinds of bad releases: a line of the service's API, and what is put after it."""


@dataclass
class Figures:
    """What the soak counted."""

    good: Load = field(default_factory=lambda: Load(sent=0, failed=0))
    """While releases that are in order went up."""
    bad: Load = field(default_factory=lambda: Load(sent=0, failed=0))
    """While bad ones did: their own answers are among the failed."""
    events: dict[str, int] = field(default_factory=dict[str, int])

    def note(self, event: str) -> None:
        """Count one thing that happened."""
        self.events[event] = self.events.get(event, 0) + 1


class Soak:
    """The environment, and what is done to it."""

    def __init__(self, paths: SandboxPaths, console: Console) -> None:
        self._console = console
        self._environment = BenchEnvironment(paths, NAME, "10.61.0.0/16")
        self._paths = paths
        self.slipway = self._environment.slipway
        self.figures = Figures()

    def prepare(self) -> None:
        """The environment and its first release, without load."""
        self._console.print("making the environment")
        self._environment.make()
        if len(self._nodes()) < NODES:
            sys.exit(
                f"nodes cannot be drained here: start the sandbox with {NODES_PER_GROUP_VARIABLE}={NODES}, or `make soak`"
            )
        self._url = self.slipway.place(NAME)["url"]

    def remove(self) -> None:
        """All of it."""
        self._console.print("removing the environment")
        self._environment.remove()

    def release(self, number: int) -> None:
        """One release that is in order, with one disturbance while its traffic moves."""
        self._environment.commit(f"r{number}")
        with self._load(self.figures.good):
            if number % 3 == 0:
                self.kill_release()
                verb = "resume"
            else:
                verb = "release"
            pace = PACE if verb == "release" else ()
            with self._beside((self.rotate_password, self.kill_pod, self.drain_node)[number % 3]):
                done = self.slipway.run(verb, NAME, *pace, also=ROLLED_BACK, seconds=LONGEST_SECONDS)
            if (
                done.returncode
            ):  # a machine that is too busy makes the candidate slow: judged rightly, and no request lost
                self.figures.note("releases in order that went back")
                return
            self.figures.note("releases that went up")
            if number % 4 == 3:
                self.slipway.run("rollback", NAME, "--because", "the soak goes back")
                self.figures.note("rollbacks by hand")

    def release_bad(self, number: int) -> None:
        """One that is bad in one way: it must go back by itself."""
        kind = [*BAD][number // 5 % len(BAD)]
        line, more = BAD[kind]
        api = self._environment.folder / API
        text = api.read_text()
        assert line in text
        api.write_text(text.replace(line, line + more, 1))
        self._environment.commit(f"bad{number}")
        with self._load(self.figures.bad):
            self.slipway.run("release", NAME, *PACE, code=ROLLED_BACK, seconds=LONGEST_SECONDS)
        self.figures.note(f"bad releases that went back: {kind}")
        self._environment.revert()

    def kill_release(self) -> None:
        """Begin a release, and kill its process when the candidate has traffic."""
        with self.slipway.killed("release", NAME, *PACE) as release:
            wait_until(
                lambda: self._live_percent() < 100 or release.poll() is not None,
                "traffic of the candidate",
                SETTLE_SECONDS,
            )
        self.figures.note("releases whose process was killed, and resumed")

    def rotate_password(self) -> None:
        """Have RDS change the master user's password, as it does each week."""
        self.slipway.client("secretsmanager").rotate_secret(SecretId=self._database()["MasterUserSecret"]["SecretArn"])
        self.figures.note("master passwords changed")

    def rotate_on(self, minutes: float) -> None:
        """Change the master password and drop every connection, again and again."""
        ends = time.monotonic() + 60 * minutes
        with self._load(self.figures.good):
            while (began := time.monotonic()) < ends:
                self.rotate_password()
                self.drop_connections()
                time.sleep(max(0.0, began + ROTATION_SECONDS - time.monotonic()))

    def drop_connections(self) -> None:
        """All of the database, as a failover does."""
        database = self._database()
        secret = self.slipway.client("secretsmanager").get_secret_value(
            SecretId=database["MasterUserSecret"]["SecretArn"]
        )
        login = json.loads(secret["SecretString"])
        with psycopg.connect(
            host=database["Endpoint"]["Address"],
            port=database["Endpoint"]["Port"],
            dbname=database["DBName"],
            user=login["username"],
            password=login["password"],
            connect_timeout=10,
        ) as connection:
            dropped = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        self.figures.note("times that all connections to the database were dropped")
        self.figures.events["connections dropped"] = self.figures.events.get("connections dropped", 0) + len(dropped)

    def _database(self) -> dict[str, Any]:
        (found,) = (
            each
            for each in self.slipway.client("rds").describe_db_instances()["DBInstances"]
            if NAME in each["DBInstanceIdentifier"]
        )
        return found

    def rescalings(self) -> int:
        """How often an autoscaler has changed the number of pods, as far as the cluster still knows."""
        events = json.loads(self.slipway.kubectl(NAME, "get", "events", "-o", "json"))["items"]
        return sum(each.get("count") or 1 for each in events if each["reason"] == "SuccessfulRescale")

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
        nodes = self._nodes()
        node = nodes[self.figures.events.get("nodes drained", 0) % 2]
        drain = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=100s")
        self.slipway.kubectl(NAME, "drain", node, *drain)
        self.slipway.kubectl(NAME, "uncordon", node)
        self.figures.note("nodes drained")

    def _nodes(self) -> list[str]:
        return self.slipway.kubectl(NAME, "get", "nodes", "-o", "name").split()

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


def main(arguments: Sequence[str]) -> None:
    """Run the soak and print what came of it. Exit code 1 when a request of a release that is in order failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--releases", type=int, default=RELEASES, help="every fifth is a bad one")
    parser.add_argument(
        "--rotations",
        type=float,
        default=0,
        metavar="MINUTES",
        help="first, change the database's password all the time",
    )
    asked = parser.parse_args(arguments)
    count: int = asked.releases
    console = Console(soft_wrap=True, width=140)
    soak = Soak(SandboxPaths.from_environment(), console)
    started = time.monotonic()
    try:
        soak.prepare()
        if asked.rotations:
            soak.rotate_on(asked.rotations)
        for number in range(1, count + 1):
            bad = number % 5 == 0
            console.print(f"release {number} of {count}{', bad on purpose' if bad else ''}")
            (soak.release_bad if bad else soak.release)(number)
        soak.figures.events["changes of size by an autoscaler"] = soak.rescalings()
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
    table.add_row("requests while bad releases went up and back", f"{bad.sent:,}", "")
    table.add_row("  of them failed", f"{bad.failed} {bad.faults or ''}", "")
    forward = [each for each in soak.rollouts() if each["kind"] == "release"]
    whole = [each for each in forward if each["phase"] == "completed"]
    back = [each for each in forward if each["phase"] == "rolled-back"]
    table.add_row("seconds from traffic to verdict, bad releases", _spread(back, lambda t: t["detect"]), "")
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
