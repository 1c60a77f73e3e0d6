"""Migrations as SQL: what crosses from the process that renders them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class Chunk(_Document):
    """Text with the line of the migration's file that it comes from."""

    line: int
    text: str


class Migration(_Document):
    """One migration as Alembic would run it."""

    id: str
    file: str
    phase: Any
    """As the file says; None: it says nothing."""
    allowed: list[str]
    """Rules that it may break."""
    chunks: list[Chunk]
    """SQL in the order in which it runs, BEGIN and COMMIT included."""
    unseen: list[Chunk]
    """What SQL without a database cannot show."""


class Rendered(_Document):
    """All migrations of a service, oldest first."""

    error: str = ""
    """Why they cannot be read."""
    heads: list[str] = []
    migrations: list[Migration] = []
