"""The demo's story, told in the commands that a team would type."""

from __future__ import annotations

import json as jsonlib
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from slipway.cli.demo.checkout import Checkout
from slipway.cli.demo.sending import Load, sending
from slipway.cli.output import err, out, print_json
from slipway.errors import OperationError, RolledBackError
from slipway.sandbox.paths import SandboxPaths

ENVIRONMENTS = ("dev", "staging", "prod")
PACE = ("--bake", "4", "--window", "4", "--minimum-requests", "6")
"""Bakes of seconds instead of minutes: the demo shows the way, not the patience."""


@dataclass
class Phase:
    """One step of the story and what came of it."""

    name: str
    seconds: float
    sent: int | None = None
    failed: int | None = None
    result: str = ""


@dataclass
class Story:
    """What the last table tells."""

    phases: list[Phase] = field(default_factory=list[Phase])

    @contextmanager
    def phase(self, name: str) -> Generator[Phase]:
        """Announce a phase and take its time."""
        err().rule(f"[bold]{name}", align="left")
        phase = Phase(name, 0.0)
        started = time.monotonic()
        try:
            yield phase
        finally:
            phase.seconds = time.monotonic() - started
            self.phases.append(phase)


class Commands:
    """Runs `slipway` on the sandbox, in the demo's checkout."""

    def __init__(self, checkout: Checkout, *, quiet: bool) -> None:
        """`quiet`: standard output is kept for the result; what the commands print there goes to standard error."""
        self._checkout = checkout
        self._stdout = sys.stderr if quiet else None

    def run(self, *arguments: str, allowed: Sequence[int] = (0,), folder: Path | None = None) -> int:
        """Run one command with its output shown; OperationError when its exit code is none of `allowed`."""
        err().print(f"[bold cyan]$ slipway {' '.join(arguments)}")
        sys.stdout.flush()
        code = subprocess.run(self._argv(arguments, folder), stdout=self._stdout, check=False).returncode
        if code not in allowed:
            raise OperationError(
                f"`slipway {' '.join(arguments)}` ended with exit code {code}",
                remedy="fix what it says above, then run the demo again: it continues from here",
            )
        return code

    def ask(self, *arguments: str) -> Any:
        """Run one command that prints JSON, quietly."""
        done = subprocess.run(self._argv(arguments, None), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(f"`slipway {' '.join(arguments)}`: {done.stderr.strip()}")
        return jsonlib.loads(done.stdout)

    def _argv(self, arguments: Sequence[str], folder: Path | None) -> list[str]:
        where = str(folder or self._checkout.folder)
        return [sys.executable, "-m", "slipway.cli", "--sandbox", "--project-dir", where, *arguments]


def run_scenario(project: Path, paths: SandboxPaths, *, json: bool) -> None:
    """Run the whole story and print what came of it; raises OperationError when anything is not as told."""
    checkout = Checkout(project, paths.sandbox / "demo")
    commands = Commands(checkout, quiet=json)
    story = Story()
    with story.phase("Start the sandbox"):
        commands.run("sandbox", "up", folder=project)
        checkout.sync()
        commands.run("bootstrap", *ENVIRONMENTS)
    _dev(checkout, commands, story, paths)
    _promote(commands, story, paths)
    _broken(checkout, commands, story, paths)
    places = commands.ask("status", "--json")
    if json:
        print_json({"phases": [asdict(phase) for phase in story.phases], "environments": places})
    else:
        _print_report(story, places)
    _require_one_image(places)


def _dev(checkout: Checkout, commands: Commands, story: Story, paths: SandboxPaths) -> None:
    with story.phase("Deploy dev"):
        commands.run("up", "dev", "--yes")
    with story.phase("Deploy dev again: nothing to change") as phase:
        commands.run("up", "dev", "--yes", "--expect-no-changes")
        phase.result = "0 changes"
    if checkout.version.startswith("1."):
        with story.phase(f"Release {checkout.version} to dev") as phase:
            commands.run("release", "dev", *PACE)
            phase.result = "live"
        checkout.apply_v2()
    else:
        checkout.bump()
    with story.phase(f"Release {checkout.version} to dev under load") as phase:
        with _load(_url(commands, "dev"), paths, phase):
            commands.run("release", "dev", *PACE)
        phase.result = "live"
    _require_all_answered(phase)


def _require_all_answered(phase: Phase) -> None:
    if phase.failed:
        raise OperationError(f"{phase.name}: {phase.failed} of {phase.sent} requests failed, and none may")


def _promote(commands: Commands, story: Story, paths: SandboxPaths) -> None:
    for source, target in (("dev", "staging"), ("staging", "prod")):
        with story.phase(f"Promote {source} to {target}") as phase:
            url = _url(commands, target)
            if not url:
                commands.run("up", target, "--yes")
            with _load(url, paths, phase):
                commands.run("promote", source, target, *PACE)
            phase.result = "live"
            _require_all_answered(phase)


def _broken(checkout: Checkout, commands: Commands, story: Story, paths: SandboxPaths) -> None:
    checkout.break_it()
    try:
        with story.phase(f"Release {checkout.version}, broken on purpose, to dev under load") as phase:
            with _load(_url(commands, "dev"), paths, phase):
                code = commands.run("release", "dev", *PACE, allowed=(0, RolledBackError.exit_code))
            phase.result = "rolled back by itself" if code else "NOT rolled back"
    finally:
        checkout.revert()
    if code == 0:
        raise OperationError("the broken release was not rolled back")
    with story.phase("Take the mistake back"):
        commands.run("up", "dev", "--yes")


def _url(commands: Commands, environment: str) -> str:
    """Where the environment is served; empty where nothing is live yet."""
    places = commands.ask("status", "--json")
    return next((place["url"] for place in places if place["environment"] == environment and place["live"]), "")


@contextmanager
def _load(url: str, paths: SandboxPaths, phase: Phase) -> Generator[None]:
    """Constant requests on the live address meanwhile, counted into the phase; none where nothing runs yet."""
    if not url:
        yield
        return
    load = Load()
    try:
        with sending(load, url, paths.sandbox / "demo-load.json"):
            yield
    finally:
        phase.sent, phase.failed = load.sent, load.failed
        if load.sent is not None:
            err().print(f"  requests: {load.sent} sent, {load.failed} failed {load.faults or ''}")


def _print_report(story: Story, places: Sequence[dict[str, Any]]) -> None:
    phases = Table("step", "seconds", "requests", "failed", "result", title="What happened", title_justify="left")
    for phase in story.phases:
        counts = ("-", "-") if phase.sent is None else (str(phase.sent), str(phase.failed))
        phases.add_row(phase.name, f"{phase.seconds:.1f}", *counts, phase.result)
    where = Table("environment", "version", "image", "live traffic", "address", title="What runs", title_justify="left")
    for place in (place for place in places if place["live"]):
        live = place["colours"][place["live"]]
        digest = live["running"]["image"].rsplit("@", 1)[-1]
        share = f"{live['actual_percent']} % {place['live']}"
        where.add_row(place["environment"], live["running"]["version"], digest[:19] + "…", share, place["url"])
    out().print(phases)
    out().print(where)
    dev = next(place for place in places if place["environment"] == "dev")
    out().print(f"Open {dev['url']}/ in a browser, or: curl {dev['url']}/version", markup=False)


def _require_one_image(places: Sequence[dict[str, Any]]) -> None:
    # The sandbox may hold other environments, too.
    own = [place for place in places if place["environment"] in ENVIRONMENTS]
    digests = {place["colours"][place["live"]]["running"]["image"].rsplit("@", 1)[-1] for place in own}
    if len(digests) != 1:
        raise OperationError(f"environments run different images: {', '.join(sorted(digests))}")
