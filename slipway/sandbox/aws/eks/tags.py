"""The tags of a cluster and of its parts, by ARN."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.eks.exceptions import ResourceNotFoundException


def tags_of(clusters: Mapping[str, Any], all_extras: Mapping[str, Any], arn: str) -> dict[str, str]:
    """The tags, to be changed in place. `all_extras`: what moto has not, by cluster. Raises ResourceNotFoundException."""
    for name, cluster in clusters.items():
        parts: dict[str, Any] = {part.arn: part for part in (cluster, *cluster.nodegroups.values())}
        if extras := all_extras.get(name):
            parts |= {addon.addon_arn: addon for addon in extras.addons.values()}
            parts |= {entry.access_entry_arn: entry for entry in extras.access_entries.values()}
            parts |= {link.association_arn: link for link in extras.associations.values()}
        if arn in parts:
            part = parts[arn]
            if part.tags is None:  # moto's, where none were given
                part.tags = {}
            return part.tags
    raise ResourceNotFoundException(
        clusterName=None,
        nodegroupName=None,
        fargateProfileName=None,
        addonName=None,
        message=f"The specified resource could not be found: {arn}",
    )
