"""Structured logs: one JSON object per line on standard output."""

import logging

import structlog


def configure_logs(*, colour: str, release: str, version: str) -> None:
    """Every line carries which colour, release and version wrote it."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    structlog.contextvars.bind_contextvars(colour=colour, release=release, version=version)
