"""Supply chain: who signs what an image is made of and where it comes from, and what an environment demands of it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

KEY = re.compile(
    r"alias/[A-Za-z0-9/_-]{1,250}"
    r"|arn:aws[a-z-]{0,20}:kms:(?P<region>[a-z0-9-]{1,30}):\d{12}:(alias/[A-Za-z0-9/_-]{1,250}|key/[a-zA-Z0-9-]{1,64})"
)


class SupplyChain(BaseModel):
    """`slipway:supplyChain`. Where images are built they are signed, where releases are promoted the signatures are checked."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    key: str = ""
    """The asymmetric KMS key (ECC_NIST_P256) that signs and is trusted: an alias, or an ARN where it is another account's.
    Empty: nothing is signed or checked."""
    public_key: str = ""
    """Its public half as PEM. Pinned: KMS is not asked. Empty: KMS is asked for it at each check."""
    repository: str = ""
    """The repository that images must be built from, as its URL says. Empty: the one of the checkout that promotes."""
    branch: str = ""
    """The branch that images must be built from, without uncommitted changes. Empty: any."""
    denied_licences: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]{1,64}$")], ...] = ()
    """SPDX identifiers that no package of an image may be under: `AGPL-3.0-only`."""
    max_age_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Images built longer ago are refused. None: they do not age."""

    @model_validator(mode="after")
    def _check(self) -> SupplyChain:
        if self.key and not KEY.fullmatch(self.key):
            raise ValueError(f"key wants alias/<name> or a KMS ARN, not {self.key!r}")
        fields = type(self).model_fields.items()
        if not self.key and any(getattr(self, name) != field.default for name, field in fields):
            raise ValueError("key is missing: without it nothing is checked")
        return self

    @property
    def key_region(self) -> str | None:
        """The region that the key's ARN names; None for an alias."""
        found = KEY.fullmatch(self.key)
        return found["region"] if found else None
