"""The verbs of a stack: preview, up, refresh, destroy, outputs. The Pulumi CLI does the work; these add what it lacks."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.asking import YesOption
from slipway.cli.output import out, print_json
from slipway.cli.session import session_of
from slipway.errors import UsageError

if TYPE_CHECKING:
    from slipway.delivery import Context
    from slipway.stack import PulumiStack

PANEL = "Stacks"

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="dev, staging, prod: a stack file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the Pulumi CLI does.")]
RefreshOption = Annotated[bool, typer.Option("--refresh", "-r", help="First bring the state in line with the world.")]
TargetOption = Annotated[list[str] | None, typer.Option("--target", "-t", help="Only this URN; may be repeated.")]
DiffOption = Annotated[bool, typer.Option("--diff", help="Show the changes property by property.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (preview, up, refresh, destroy, outputs):
        app.command(rich_help_panel=PANEL)(verb)


def preview(
    context: typer.Context,
    environment: EnvironmentArgument,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    diff: DiffOption = False,
    expect_no_changes: Annotated[bool, typer.Option(help="Fail (exit 7) if anything would change.")] = False,
    refresh_first: RefreshOption = False,
    target: TargetOption = None,
) -> None:
    """Show what `up` would change. Nothing is changed."""
    stack = session_of(context).stack(environment)
    if not markdown:
        switches = flags(json=json, diff=diff, expect_no_changes=expect_no_changes, refresh=refresh_first)
        stack.show("preview", *switches, *target_flags(target or ()))
        return
    from slipway.stack.report import preview_markdown  # noqa: PLC0415

    report = preview_markdown(stack)
    sys.stdout.write(report.markdown)
    if report.failure:
        raise report.failure


def up(
    context: typer.Context,
    environment: EnvironmentArgument,
    yes: YesOption = False,
    json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `preview`.")] = False,
    refresh_first: RefreshOption = False,
    expect_no_changes: Annotated[bool, typer.Option(help="Fail (exit 7) if anything had to change.")] = False,
    message: Annotated[str, typer.Option("--message", "-m", help="Kept in the stack's history.")] = "",
    target: TargetOption = None,
) -> None:
    """Bring the environment to what the program and the ledger say. Live traffic does not move."""
    switches = flags(json=json, expect_no_changes=expect_no_changes, refresh=refresh_first)
    # With --yes there is no one to read the preview first: it would only double the time.
    switches += [] if dry_run else flags(yes=yes, skip_preview=yes)
    said = ["--message", message] if message else []
    stack = session_of(context).stack(environment)
    if not dry_run and (place := _place_of(context, environment, stack)):
        from slipway import delivery  # noqa: PLC0415

        delivery.refuse_moved_traffic(place)
    stack.show("preview" if dry_run else "up", *switches, *said, *target_flags(target or ()))


def refresh(
    context: typer.Context,
    environment: EnvironmentArgument,
    yes: YesOption = False,
    json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the drift, keep the state.")] = False,
    clear_pending_creates: Annotated[
        bool,
        typer.Option(
            "--clear-pending-creates",
            help="Forget creates that a crash interrupted, once you know that they made nothing.",
        ),
    ] = False,
) -> None:
    """Bring the state in line with the live resources."""
    switches = flags(json=json, preview_only=dry_run, clear_pending_creates=clear_pending_creates)
    switches += [] if dry_run else flags(yes=yes, skip_preview=yes)
    session_of(context).stack(environment).show("refresh", *switches)


def destroy(
    context: typer.Context,
    environment: EnvironmentArgument,
    yes: YesOption = False,
    json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted.")] = False,
) -> None:
    """Delete everything in the environment and clear its entry in the ledger. Refuses protected resources."""
    from slipway import delivery  # noqa: PLC0415

    stack = session_of(context).stack(environment)
    switches = flags(json=json, preview_only=dry_run) + ([] if dry_run else flags(yes=yes, skip_preview=yes))
    place = _place_of(context, environment, stack)
    if place and dry_run:
        delivery.refuse_during_rollout(place)
    with delivery.being_destroyed(place) if place and not dry_run else nullcontext():
        stack.show("destroy", *switches)


def outputs(
    context: typer.Context,
    environment: EnvironmentArgument,
    name: Annotated[str | None, typer.Argument(help="Only this output.")] = None,
    show_secrets: Annotated[bool, typer.Option(help="Print secrets in plain text.")] = False,
    json: JsonOption = False,
) -> None:
    """Print what the environment exports, such as its address."""
    values = dict(session_of(context).stack(environment).outputs(show_secrets=show_secrets))
    if name is not None:
        if name not in values:
            raise UsageError(f"no output {name!r} in {environment}", remedy=f"there are: {', '.join(values) or 'none'}")
        values = {name: values[name]}
    if json:
        print_json(values)
        return
    for key, value in values.items():
        text = value if isinstance(value, str) else jsonlib.dumps(value)
        out().print(text if name else f"{key}: {text}", markup=False)


def _place_of(context: typer.Context, environment: str, stack: PulumiStack) -> Context | None:
    """What delivery sees of the stack; None before its first `up`, and for a program without a service."""
    from slipway.delivery.wiring import build_context  # noqa: PLC0415

    if "delivery" not in stack.outputs(show_secrets=False):
        return None
    session = session_of(context)
    return build_context(session.require_project(), environment, stack=stack, cadence=session.cadence)


def flags(**switches: bool) -> list[str]:
    """`--expect-no-changes` for expect_no_changes=True, in the order given."""
    return [f"--{name.replace('_', '-')}" for name, on in switches.items() if on]


def target_flags(targets: Iterable[str]) -> list[str]:
    """`--target` for each."""
    return [flag for target in targets for flag in ("--target", target)]
