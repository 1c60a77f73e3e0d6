"""Two environments in an AWS account each, the foundation in a third: a release of one is promoted to the other by digest, under load.

Runs on the sandbox after `make demo`, which has everything in one account: `python -m tests.bench.accounts`. It removes both environments
at the end; the accounts' part of the foundation stays, so that another checkout's `bootstrap` fails, until `slipway sandbox reset`.
Exit code 1 where something is not as it should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from slipway.cli.demo.sending import Load, sending
from slipway.sandbox.aws_accounts import OWN_ACCOUNT, ROLE, account_credentials
from slipway.sandbox.environment import sandbox_environment
from slipway.sandbox.paths import SandboxPaths
from tests.bench.environment import FAILED, BenchEnvironment
from tests.e2e.story.story_kit import PACE, Slipway

FIRST, SECOND = "left", "right"
ACCOUNTS = {FIRST: "222222222222", SECOND: "444444444444"}
NETWORKS = {FIRST: "10.64.0.0/16", SECOND: "10.65.0.0/16"}
WRONG_ACCOUNT = 2
"""The exit code of what is refused before anything is touched."""


def enter_accounts(foundation: Path) -> None:
    """Both environments, in the foundation's stack file."""
    file = foundation / "Pulumi.sandbox.yaml"
    document = yaml.safe_load(file.read_text())
    for name, account in ACCOUNTS.items():
        document["config"]["foundation:environments"][name] = {
            "accountId": account,
            "stateBucket": f"slipway-state-{name}",
            "budgetUsdPerMonth": 300,
            "builds": name == FIRST,
        }
    file.write_text(yaml.safe_dump(document))


def stack_file(name: str, settings: dict[str, Any], foundation: Mapping[str, Any]) -> str:
    """As the guide to a real account says, from the stack file of an environment in the sandbox's own account."""
    config: dict[str, Any] = {**settings["config"], "slipway:accountId": ACCOUNTS[name]}
    config["slipway:ledgerTable"] = foundation["ledgerTableArn"]
    config["slipway:supplyChain"] = {"key": foundation["signingKeyArn"]}
    config["slipway:network"] = {**config["slipway:network"], "cidr": NETWORKS[name]}
    config["slipway:cluster"] = {
        **config["slipway:cluster"],
        "access": {"deploy": [f"arn:aws:iam::{ACCOUNTS[name]}:role/{ROLE}"]},
    }
    image = config.pop("slipway:image")
    if name == FIRST:
        config["slipway:image"] = {**image, "registryAccountId": OWN_ACCOUNT}
    else:
        config["slipway:rollout"] = {**config["slipway:rollout"], "promoteFrom": FIRST}
    return yaml.safe_dump({"config": config})


@contextmanager
def organisation(paths: SandboxPaths, console: Console) -> Iterator[BenchEnvironment]:
    """The checkout, with both environments up."""
    environment = BenchEnvironment(paths, FIRST, NETWORKS[FIRST])
    folder, slipway = environment.folder, environment.slipway
    settings = yaml.safe_load((folder / f"Pulumi.{FIRST}.yaml").read_text())
    enter_accounts(folder / "foundation")
    slipway.run("bootstrap")
    shown = Slipway(paths, folder / "foundation").pulumi("stack", "output", "--json", "--stack", "sandbox")
    for name in ACCOUNTS:
        (folder / f"Pulumi.{name}.yaml").write_text(stack_file(name, settings, json.loads(shown.stdout)))
    slipway.run("bootstrap", *ACCOUNTS)
    begun: list[str] = []
    try:
        for name, account in ACCOUNTS.items():
            begun.insert(0, name)
            console.print(f"{name} comes up in account {account}")
            slipway.run("up", name, "--yes")
        yield environment
    finally:
        for name in begun:
            slipway.run("destroy", name, "--yes", also=FAILED)


def promote_as_the_other_account(paths: SandboxPaths, folder: Path) -> subprocess.CompletedProcess[str]:
    """`slipway promote` with credentials of the account that the release comes from."""
    argv = [sys.executable, "-m", "slipway.cli", "--no-sandbox", "--project-dir", str(folder), "promote", FIRST, SECOND]
    keys = account_credentials(paths, ACCOUNTS[FIRST])
    variables = {**os.environ, **sandbox_environment(paths), **keys}
    return subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=120, check=False)


def images(places: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What has the traffic, by environment."""
    return {name: place["colours"][place["live"]]["running"]["image"] for name, place in places.items()}


def main() -> None:
    """Release, promote, be refused, go back; what was seen of it."""
    console, paths = Console(soft_wrap=True, width=140), SandboxPaths.from_environment()
    os.environ |= sandbox_environment(paths)
    faults: list[str] = []
    with organisation(paths, console) as environment, ExitStack() as loads:
        slipway, counts = environment.slipway, {name: Load() for name in ACCOUNTS}
        environment.commit("first")
        slipway.run("release", FIRST, *PACE)
        slipway.run("promote", FIRST, SECOND, *PACE)
        old = images({name: slipway.place(name) for name in ACCOUNTS})
        for name, load in counts.items():
            url = slipway.ask("outputs", name, "url")["url"]
            loads.enter_context(sending(load, url, paths.sandbox / f"{name}-load.json"))
        environment.commit("second")
        slipway.run("release", FIRST, *PACE)
        refused = promote_as_the_other_account(paths, environment.folder)
        slipway.run("promote", FIRST, SECOND, *PACE)
        new = images({name: slipway.place(name) for name in ACCOUNTS})
        slipway.run("rollback", SECOND, "--because", "seen in the other account")
        back = images({name: slipway.place(name) for name in ACCOUNTS})
        loads.close()
        console.print_json(data={"first": old, "second": new, "back": back})
        console.print(f"refused: {refused.returncode} {refused.stdout}{refused.stderr}", markup=False)
        for name, load in counts.items():
            console.print(f"{name}: {load.sent} requests, {load.failed} failed")
            faults += [f"{name}: {load.failed} of {load.sent} requests failed"] if load.failed or not load.sent else []
        faults += [f"{FIRST} and {SECOND} differ: {each}" for each in (old, new) if len({*each.values()}) > 1]
        if back != {FIRST: new[FIRST], SECOND: old[SECOND]}:
            faults.append(f"the rollback left {back}")
        if refused.returncode != WRONG_ACCOUNT:
            faults.append("credentials of the other account were not refused")
    for fault in faults:
        console.print(f"FAULT {fault}", markup=False)
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
