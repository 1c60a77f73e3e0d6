"""Loggers of Slipway's parts. They write to standard error: standard output is for what a command answers, and is often captured."""

from __future__ import annotations

import sys
from typing import Any

import structlog

structlog.configure(logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr))


def get_logger(name: str) -> Any:
    """The logger of a module."""
    return structlog.get_logger(name)
