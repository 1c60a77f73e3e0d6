"""The hosted zone of a service's domain, as the program looks it up and the doctor asks for it."""

from __future__ import annotations


def zone_of(domain: str | None, hosted_zone: str | None) -> str:
    """The zone's name: the domain's parent, unless another one is given. Empty where there is no domain, or DNS is served elsewhere."""
    if not domain:
        return ""
    return domain.partition(".")[2] if hosted_zone is None else hosted_zone
