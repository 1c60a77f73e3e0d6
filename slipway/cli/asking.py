"""Asking before something is changed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from slipway.errors import UsageError

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return if the user agrees, or passed `--yes`. UsageError if they do not, or if there is no terminal to ask on."""
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):  # None where it is closed
        raise UsageError("this changes things, and there is no terminal to ask on", remedy="add --yes")
    if not typer.confirm(question, err=True):
        raise UsageError("not changed")
