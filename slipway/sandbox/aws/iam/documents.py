"""Policy documents of IAM, parsed.

Source: "IAM JSON policy elements reference", IAM User Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from slipway.sandbox.aws.iam.conditions import parse_operator
from slipway.sandbox.aws.iam.patterns import ARN_PARTS

CURRENT_VERSION = "2012-10-17"
"""Older documents, and those without a version, have no variables."""


class PolicyError(Exception):
    """A document that cannot be read. Nothing is allowed by one: it may have held a Deny."""


def _texts(value: object) -> object:
    """One value or several, as texts: conditions hold numbers and booleans too."""
    values = cast(list[object], value) if isinstance(value, list) else [value]
    return tuple(json.dumps(each) if isinstance(each, (bool, int, float)) else each for each in values)


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Principals(_Model):
    """Whom a statement of a resource's policy is about."""

    aws: Texts = Field(default=(), alias="AWS")
    federated: Texts = Field(default=(), alias="Federated")
    service: Texts = Field(default=(), alias="Service")
    canonical_user: Texts = Field(default=(), alias="CanonicalUser")


def _principals(value: object) -> object:
    return {"AWS": "*", "Federated": "*"} if value == "*" else value


AnyPrincipals = Annotated[Principals | None, BeforeValidator(_principals)]


class Statement(_Model):
    """One rule. What a policy leaves out is None."""

    sid: str = Field(default="", alias="Sid")
    effect: Literal["Allow", "Deny"] = Field(alias="Effect")
    action: Texts | None = Field(default=None, alias="Action")
    not_action: Texts | None = Field(default=None, alias="NotAction")
    resource: Texts | None = Field(default=None, alias="Resource")
    not_resource: Texts | None = Field(default=None, alias="NotResource")
    principal: AnyPrincipals = Field(default=None, alias="Principal")
    not_principal: AnyPrincipals = Field(default=None, alias="NotPrincipal")
    condition: Mapping[str, Mapping[str, Texts]] = Field(default_factory=dict, alias="Condition")

    @model_validator(mode="after")
    def _is_whole(self) -> Statement:
        if (self.action is None) == (self.not_action is None):
            raise ValueError("a statement has either Action or NotAction")
        for each in (*(self.resource or ()), *(self.not_resource or ())):
            if each != "*" and each.count(":") < ARN_PARTS - 1:
                raise ValueError(f"{each} is no ARN")
        for operator in self.condition:
            parse_operator(operator)
        return self


def _statements(value: object) -> object:
    return cast(list[object], value) if isinstance(value, list) else [value]


class Policy(_Model):
    """A document."""

    version: str = Field(default="2008-10-17", alias="Version")
    id: str = Field(default="", alias="Id")
    statements: Annotated[tuple[Statement, ...], BeforeValidator(_statements)] = Field(alias="Statement")

    @property
    def has_variables(self) -> bool:
        """Whether `${…}` stands for something."""
        return self.version == CURRENT_VERSION


@lru_cache(maxsize=1024)
def parse_policy(text: str) -> Policy:
    """Raises PolicyError."""
    try:
        document: Any = json.loads(text)
        return Policy.model_validate(document)
    except (ValidationError, ValueError, RecursionError) as error:
        raise PolicyError(f"a policy cannot be read: {error}") from error
