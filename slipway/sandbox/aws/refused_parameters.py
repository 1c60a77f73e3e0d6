"""What AWS refuses of any caller's request, and moto takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

EXCLUSIVE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ec2": (
        ("AllocationId", "PublicIp"),
        ("AssociationId", "PublicIp"),
        ("GroupId", "GroupName"),
        ("LaunchTemplateId", "LaunchTemplateName"),
    ),
}
"""By service: parameters that name the same thing. Of two that are given moto takes one, where the judge could take the other."""
HOLDERS = ("LaunchTemplate", "LaunchTemplateSpecification")
"""Parameters that hold such names."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused."""

    code: str
    message: str


def refuse_parameters(service: str, parameters: Mapping[str, object]) -> Refusal | None:
    """The refusal of a request to botocore's `service`; None for others."""
    held = [cast(Mapping[str, object], each) for name in HOLDERS if isinstance(each := parameters.get(name), Mapping)]
    for given in (parameters, *held):
        for one, other in EXCLUSIVE.get(service, ()):
            if given.get(one) is not None and given.get(other) is not None:
                message = f"The parameter {one} cannot be used with the parameter {other}"
                return Refusal("InvalidParameterCombination", message)
    return None
