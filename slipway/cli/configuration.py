"""`slipway config …`: the values of a stack file, secrets encrypted."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.output import OUT, print_json
from slipway.cli.pulumi_cli import BACKEND_URL_VARIABLE, cli_of
from slipway.cli.session import Session, session_of
from slipway.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from slipway.engine.config_edit import StackConfigFile
    from slipway.engine.secrets import StackSecrets

app = typer.Typer(help="Read and edit a stack file; comments stay, secrets are encrypted.", no_args_is_help=True)

EnvironmentArgument = Annotated[str, typer.Argument(metavar="ENVIRONMENT")]
KeyArgument = Annotated[str, typer.Argument(help="name, or namespace:name.")]


@app.command("get")
def get_value(context: typer.Context, environment: EnvironmentArgument, key: KeyArgument) -> None:
    """Print one value; a secret stays encrypted."""
    value = _open(session_of(context), environment).get(key)
    if value is None:
        raise NotFoundError(f"no key {key!r} in Pulumi.{environment}.yaml")
    if isinstance(value, str):
        OUT.print(value, markup=False)
    else:
        print_json(value)


@app.command("set")
def set_value(
    context: typer.Context,
    environment: EnvironmentArgument,
    key: KeyArgument,
    value: Annotated[str | None, typer.Argument(help="The value; left out: read from standard input.")] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Encrypt it with the stack's passphrase.")] = False,
) -> None:
    """Set one value. Give secrets on standard input: arguments end up in the shell's history."""
    text = sys.stdin.read().rstrip("\n") if value is None else value
    if not text and secret:
        raise UsageError("an empty secret", remedy="give the value on standard input")
    session = session_of(context)
    if secret and (cli := cli_of(session, environment)):
        cli.set_secret(key, text)
        return
    file = _open(session, environment)
    file.set(key, text, secret=secret)
    file.save()


@app.command("rm")
def remove_value(context: typer.Context, environment: EnvironmentArgument, key: KeyArgument) -> None:
    """Remove one value."""
    file = _open(session_of(context), environment)
    if not file.remove(key):
        raise NotFoundError(f"no key {key!r} in Pulumi.{environment}.yaml")
    file.save()


def _open(session: Session, environment: str) -> StackConfigFile:
    from slipway.engine.config_edit import StackConfigFile  # noqa: PLC0415
    from slipway.engine.project import load_project  # noqa: PLC0415
    from slipway.engine.state.backend import FileBackend  # noqa: PLC0415

    project = load_project(session.require_project())
    stack = session.require_stack(environment)

    def secrets() -> StackSecrets:
        session.activate()
        return FileBackend(os.environ.get(BACKEND_URL_VARIABLE, "")).stack(project.name, stack).secrets

    return StackConfigFile(project, stack, secrets)
