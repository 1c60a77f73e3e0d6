"""What a colour's pods are made from beside their image, as a release pins it in the ledger. The program writes and reads it; delivery
hands it on, and never looks into the template."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LARGEST_TEMPLATE = 32_768
"""In characters. A rollout holds three of them, and an item of DynamoDB 400 KB."""
REVISION_DIGITS = 12


class ColourSettings(BaseModel):
    """Settings of one colour. Equal revisions mean that its pods are the same."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    format: Literal[1] = 1
    template: Annotated[str, Field(min_length=2, max_length=LARGEST_TEMPLATE)]
    """The pod template without what a release brings, as the program's JSON. It has no secret."""
    secrets: Annotated[str, Field(pattern=r"^[a-z0-9]{1,32}$")] | None = None
    """Which values its Secret holds; they are in the cluster and in the stack's state only."""
    deregistration_delay_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """For which its target group keeps a removed target."""

    @property
    def revision(self) -> str:
        """A short name of the content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:REVISION_DIGITS]
