"""`slipway doctor`: what an account lacks, before anything is made in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from slipway.cli.output import out, print_json
from slipway.cli.session import session_of
from slipway.cli.stacks import EnvironmentArgument, JsonOption
from slipway.errors import OperationError

if TYPE_CHECKING:
    from slipway.doctor import Finding

STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red", "could not be asked": "cyan"}


def doctor(context: typer.Context, environment: EnvironmentArgument, json: JsonOption = False) -> None:
    """Ask the account for what `up` and `release` will need: permissions, quotas, versions, domain, names. Nothing is changed."""
    from slipway.doctor import Account, Case, State, examine, read_project  # noqa: PLC0415 - boto3

    session = session_of(context)
    project = read_project(session.require_project(), environment)
    session.activate(environment)
    case = Case(project=project, account=Account(project.facts.region), now=datetime.now(UTC))
    found: list[Finding] = []
    for finding in examine(case):
        found.append(finding)
        if not json:
            print_finding(finding)
    if json:
        print_json([asdict(finding) for finding in found])
    if failures := sum(finding.state is State.FAILURE for finding in found):
        raise OperationError(
            f"{failures} of {len(found)} findings would make an `up` or a release fail", remedy="do what they say"
        )
    if not json:
        counts = Counter(finding.state for finding in found)
        out().print("No failure: " + ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state]))


def print_finding(finding: Finding) -> None:
    """One line: state, check, what, remedy."""
    out().print(f"{finding.state.value:18}", style=STYLES[finding.state.value], end=" ")
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    out().print(f"{finding.check}: {finding.what}{remedy}", markup=False)
