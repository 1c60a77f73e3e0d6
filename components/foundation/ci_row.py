"""A statement of what CI's roles may do, with names to be filled in. Pure: no Pulumi, no AWS."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .policy_document import Conditions


@dataclass(frozen=True)
class Row:
    """A statement with names to be filled in."""

    actions: Sequence[str]
    resources: Sequence[str] = ("*",)
    conditions: Conditions = field(default_factory=dict[str, dict[str, str]])


MADE = {"StringEquals": {"aws:RequestTag/environment": "{environment}"}}
OWN = {"StringEquals": {"aws:ResourceTag/environment": "{environment}"}}
NEW = {**MADE, "StringEqualsIfExists": {"aws:ResourceTag/environment": "{environment}"}}
"""To tag what is being made. By the request's tag alone, what belongs to another environment could be tagged as one's own."""
