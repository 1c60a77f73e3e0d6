"""What the command line prints: text for people on standard error or output, JSON for programs on standard output only."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 200
"""Columns without a terminal: a program that reads a pipe gets whole names."""


@cache
def out() -> Console:
    """Where results go. Imported at the first use: most commands of a stack print nothing by it."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)


@cache
def err() -> Console:
    """Where progress and errors go."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, soft_wrap=True)


_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""What a file or an argument could tell the terminal to do."""


def say(text: str) -> None:
    """One line of progress."""
    err().print(f"• {text}", markup=False)


def print_error(error: SlipwayError) -> None:
    """What, where and how to fix it."""
    where = f"{error.where}: " if error.where else ""
    err().print("[bold red]error:[/bold red]", end=" ")
    err().print(_CONTROLS.sub("\ufffd", f"{where}{error.what}"), markup=False)
    if error.remedy:
        err().print("  →", _CONTROLS.sub("\ufffd", error.remedy), style="yellow", markup=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, default=_plain)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
