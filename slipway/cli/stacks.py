"""The verbs of a stack: preview, up, refresh, destroy, outputs, cancel, export, import."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slipway.cli.asking import YesOption, confirm
from slipway.cli.output import OUT, print_json
from slipway.cli.pulumi_cli import cli_of, flags, target_flags
from slipway.cli.session import Session, session_of
from slipway.errors import UsageError

if TYPE_CHECKING:
    from slipway.engine import Engine

PANEL = "Stacks"

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="dev, staging, prod: a stack file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as the Pulumi CLI does.")]
RefreshOption = Annotated[bool, typer.Option("--refresh", "-r", help="First bring the state in line with the world.")]
TargetOption = Annotated[list[str] | None, typer.Option("--target", "-t", help="Only this URN; may be repeated.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the root."""
    for verb in (preview, up, refresh, destroy, outputs, cancel):
        app.command(rich_help_panel=PANEL)(verb)
    app.command("export", rich_help_panel=PANEL)(export_state)
    app.command("import", rich_help_panel=PANEL)(import_state)


def preview(
    context: typer.Context,
    environment: EnvironmentArgument,
    json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    expect_no_changes: Annotated[bool, typer.Option(help="Fail (exit 7) when anything would change.")] = False,
    refresh_first: RefreshOption = False,
    target: TargetOption = None,
) -> None:
    """Show what `up` would change. Nothing is changed, and no lock is taken."""
    session = session_of(context)
    if markdown:
        _preview_markdown(session, environment)
        return
    if cli := cli_of(session, environment):
        switches = flags(json=json, expect_no_changes=expect_no_changes, refresh=refresh_first)
        cli.run("preview", flags=[*switches, *target_flags(target or ()), *cli.policy_flags()])
        return
    from slipway.engine import Options  # noqa: PLC0415
    from slipway.engine.display import PlanDisplay, PreviewObject  # noqa: PLC0415

    collected = PreviewObject()
    render: Callable[[Any], None] = collected if json else PlanDisplay(OUT, show_same=session.verbose)
    options = Options(refresh=refresh_first, expect_no_changes=expect_no_changes, targets=tuple(target or ()))
    try:
        session.engine(environment, render).preview(options)
    finally:
        if json:
            print_json(collected.result)


def _preview_markdown(session: Session, environment: str) -> None:
    from slipway import delivery  # noqa: PLC0415
    from slipway.delivery.wiring import build_context  # noqa: PLC0415
    from slipway.engine.events import PolicyEvent  # noqa: PLC0415

    findings: list[str] = []

    def collect(event: Any) -> None:
        if isinstance(event, PolicyEvent):
            findings.append(f"{event.policy}: {event.message}")

    engine = session.engine(environment, collect) if session.sandbox else None
    report = delivery.preview_markdown(
        build_context(session.require_project(), session.require_stack(environment), engine=engine),
        findings=lambda: findings,
    )
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
    expect_no_changes: Annotated[bool, typer.Option(help="Fail (exit 7) when anything had to change.")] = False,
    message: Annotated[str, typer.Option("--message", "-m", help="Kept in the stack's history.")] = "",
    target: TargetOption = None,
) -> None:
    """Make the environment what the program and the ledger say; live traffic stays as it is."""
    if cli := cli_of(session_of(context), environment):
        if not dry_run:
            cli.ensure_stack()
        switches = flags(json=json, expect_no_changes=expect_no_changes, refresh=refresh_first, yes=yes and not dry_run)
        said = ["--message", message] if message else []
        verb = "preview" if dry_run else "up"
        cli.run(verb, flags=[*switches, *said, *target_flags(target or ()), *cli.policy_flags()])
        return
    from slipway.engine import Options  # noqa: PLC0415

    options = Options(
        refresh=refresh_first,
        expect_no_changes=expect_no_changes,
        message=message,
        dry_run=dry_run,
        targets=tuple(target or ()),
    )
    _engine(context, environment, f"Change {environment}?", yes=yes or dry_run, json=json).up(options)


def refresh(
    context: typer.Context,
    environment: EnvironmentArgument,
    yes: YesOption = False,
    json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the drift, keep the state.")] = False,
    clear_pending_creates: Annotated[
        bool,
        typer.Option(
            "--clear-pending-creates", help="Forget what a crash left half created, once you know it made nothing."
        ),
    ] = False,
) -> None:
    """Bring the state in line with the live resources."""
    if cli := cli_of(session_of(context), environment):
        switches = flags(
            json=json, yes=yes and not dry_run, preview_only=dry_run, clear_pending_creates=clear_pending_creates
        )
        cli.run("refresh", flags=switches)
        return
    from slipway.engine import Options  # noqa: PLC0415

    engine = _engine(context, environment, f"Refresh the state of {environment}?", yes=yes or dry_run, json=json)
    engine.refresh(Options(dry_run=dry_run, clear_pending_creates=clear_pending_creates))


def destroy(
    context: typer.Context,
    environment: EnvironmentArgument,
    yes: YesOption = False,
    json: JsonOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go.")] = False,
) -> None:
    """Delete everything of the environment, and what the ledger says of it. Protected resources are refused."""
    from slipway import delivery  # noqa: PLC0415
    from slipway.delivery.wiring import build_context  # noqa: PLC0415
    from slipway.engine import Options  # noqa: PLC0415

    session = session_of(context)
    destroy_all: Callable[[], object]
    if cli := cli_of(session, environment):
        exports = cli.outputs()
        destroy_all = partial(cli.run, "destroy", flags=flags(json=json, yes=yes and not dry_run, preview_only=dry_run))
    else:
        engine = _engine(context, environment, f"Delete everything in {environment}?", yes=yes or dry_run, json=json)
        exports = engine.outputs()
        destroy_all = partial(engine.destroy, Options(dry_run=dry_run))
    if "delivery" not in exports:
        destroy_all()
        return
    own = None if cli else session.engine(environment)
    place = build_context(session.require_project(), environment, engine=own)
    delivery.refuse_during_rollout(place)
    destroy_all()
    if not dry_run:
        delivery.forget(place)


def outputs(
    context: typer.Context,
    environment: EnvironmentArgument,
    name: Annotated[str | None, typer.Argument(help="Only this output.")] = None,
    show_secrets: Annotated[bool, typer.Option(help="Print secrets in plain text.")] = False,
    json: JsonOption = False,
) -> None:
    """Print what the environment exports, such as its address."""
    if cli := cli_of(session_of(context), environment):
        cli.run("stack", "output", *([name] if name else []), flags=flags(json=json, show_secrets=show_secrets))
        return
    values = session_of(context).engine(environment).outputs(show_secrets=show_secrets)
    if name is not None:
        if name not in values:
            raise UsageError(f"no output {name!r} in {environment}", remedy=f"there are: {', '.join(values) or 'none'}")
        values = {name: values[name]}
    if json:
        print_json(values)
        return
    for key, value in values.items():
        text = value if isinstance(value, str) else jsonlib.dumps(value)
        OUT.print(text if name else f"{key}: {text}", markup=False)


def cancel(context: typer.Context, environment: EnvironmentArgument, yes: YesOption = False) -> None:
    """Remove the locks of an operation that died. Make sure that none is running."""
    if cli := cli_of(session_of(context), environment):
        cli.run("cancel", flags=flags(yes=yes))
        return
    confirm(f"Remove the locks of {environment}?", yes=yes)
    count = session_of(context).engine(environment).cancel()
    OUT.print(f"{count} lock(s) removed", markup=False)


def export_state(context: typer.Context, environment: EnvironmentArgument) -> None:
    """Print the state as `pulumi stack export` does; secrets stay encrypted."""
    if cli := cli_of(session_of(context), environment):
        cli.run("stack", "export")
        return
    print_json(session_of(context).engine(environment).export())


def import_state(
    context: typer.Context,
    environment: EnvironmentArgument,
    file: Annotated[Path, typer.Argument(help="A file that `export` made.", exists=True, dir_okay=False)],
    yes: YesOption = False,
) -> None:
    """Replace the state by an exported one."""
    try:
        deployment = jsonlib.loads(file.read_text())
    except ValueError as error:
        raise UsageError(f"is not JSON: {error}", where=str(file)) from error
    confirm(f"Replace the state of {environment}?", yes=yes)
    if cli := cli_of(session_of(context), environment):
        cli.run("stack", "import", flags=["--file", str(file.absolute())])
        return
    session_of(context).engine(environment).import_(deployment)


def _engine(context: typer.Context, environment: str, question: str, *, yes: bool, json: bool) -> Engine:
    """The engine of a verb that changes things, once somebody has agreed to it."""
    confirm(question, yes=yes)
    return session_of(context).engine(environment, _progress(json=json))


def _progress(*, json: bool) -> Callable[[Any], None]:
    from slipway.engine.display import EventLines, ProgressDisplay  # noqa: PLC0415

    return EventLines(sys.stdout.write) if json else ProgressDisplay(OUT)
