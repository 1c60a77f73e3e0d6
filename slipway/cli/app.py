"""The root of the command line: options before the verb, the verbs, and how errors are shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from slipway.cli import delivery, sandbox, stacks
from slipway.cli.bootstrap import bootstrap
from slipway.cli.dashboard import dashboard
from slipway.cli.demo.command import demo
from slipway.cli.doctor import doctor
from slipway.cli.output import err, out, print_error
from slipway.cli.session import Session
from slipway.errors import SlipwayError

INTERRUPTED = 130
LONGEST_SIZE = 5
"""Digits of a terminal's width and height."""
BUG = 70

EPILOG = """
Start here: `slipway --sandbox demo`. Before the first `up` on AWS: `doctor`.
Day to day: `preview`, `up`, `release`, `promote`, `rollback`, `status`.
Pulumi runs the stacks: `pulumi up -s dev` works as well, and settings are set by `pulumi config set`.

Exit codes: 0 done · 1 failed · 2 settings or arguments · 3 the machine lacks something · 4 locked · 5 refused by a policy or a gate ·
6 not found · 7 unexpected changes · 10 released, was bad, rolled back · 70 a bug of ours · 130 interrupted.
"""

app = typer.Typer(
    name="slipway",
    help="Take a service from this machine to production: infrastructure, image, schema and traffic as one release.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
stacks.register(app)
app.command(rich_help_panel=stacks.PANEL)(bootstrap)
delivery.register(app)
app.command(rich_help_panel=delivery.PANEL)(dashboard)
app.command(rich_help_panel=stacks.PANEL)(doctor)
app.add_typer(sandbox.app, name="sandbox")
app.command(rich_help_panel="Start here")(demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - it reads mail headers: 30 ms of imports

        out().print(f"slipway {version('slipway')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    project_dir: Annotated[
        Path, typer.Option("--project-dir", "-C", help="Folder of Pulumi.yaml.", envvar="SLIPWAY_PROJECT_DIR")
    ] = Path(),
    sandbox_: Annotated[
        bool,
        typer.Option(
            "--sandbox/--no-sandbox",
            help="Use the local sandbox, not the AWS account of the environment.",
            envvar="SLIPWAY_SANDBOX",
        ),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show more of what happens.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that come before the verb."""
    context.obj = Session(project_dir=project_dir.resolve(), sandbox=sandbox_, verbose=verbose)


def run() -> None:
    """Run a command and end the process with its exit code."""
    for name in ("COLUMNS", "LINES"):
        if len(os.environ.get(name, "")) > LONGEST_SIZE:  # what prints reads them as numbers, unasked
            del os.environ[name]
    try:
        code = app(standalone_mode=False)
    except SlipwayError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        # Whatever is wrong with the arguments. All that typer raises can show themselves; only this one of them is exported with it.
        cast("typer.BadParameter", error).show()
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        err().print("interrupted", style="yellow")
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours is told in one line too
        sys.exit(_report_bug(error))
    sys.exit(code if isinstance(code, int) else 0)


def _report_bug(error: Exception) -> int:
    import tempfile  # noqa: PLC0415 - for bugs only
    import traceback  # noqa: PLC0415

    with tempfile.NamedTemporaryFile("w", prefix="slipway-bug-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    bug = SlipwayError(
        f"a bug in slipway: {type(error).__name__}: {error}",
        remedy=f"please report it with {file.name} (it may name your resources, and holds no secret of the stack)",
    )
    print_error(bug)
    return BUG
