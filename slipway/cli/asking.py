"""Asking before something is changed."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from slipway.errors import UsageError

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Go on when somebody agrees, or has by `--yes`; UsageError when they do not, or nobody is there."""
    if yes:
        return
    if not os.isatty(sys.stdin.fileno()):
        raise UsageError("this changes things and nobody is there to be asked", remedy="add --yes")
    if not typer.confirm(question, err=True):
        raise UsageError("not changed")
