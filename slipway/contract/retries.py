"""How often a rollout is tried again by itself, as stack files write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Retries = Annotated[int, Field(ge=0, le=3)]
"""Few: what still fails after the fourth attempt wants a person, and each attempt keeps other releases waiting."""
