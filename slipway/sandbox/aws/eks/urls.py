"""Routes: moto's, and those of access entries, add-ons, pod identities and updates that it lacks."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.eks.urls import url_bases
from moto.eks.urls import url_paths as moto_paths

from slipway.sandbox.aws.eks.pod_routes import assume_role_for_pod_identity
from slipway.sandbox.aws.eks.responses import EksResponse

__all__ = ["url_bases", "url_paths"]

_CLUSTER = "{0}/clusters/(?P<name>[^/]+)"
_PATHS = (
    *moto_paths,
    f"{_CLUSTER}/updates$",
    f"{_CLUSTER}/updates/(?P<updateId>[^/]+)$",
    f"{_CLUSTER}/node-groups/(?P<nodegroupName>[^/]+)/update-version$",
    f"{_CLUSTER}/access-entries$",
    # An ARN in a path holds a slash once it is decoded; the operation is found from the undecoded path.
    f"{_CLUSTER}/access-entries/(?P<rest>.+)$",
    f"{_CLUSTER}/addons$",
    f"{_CLUSTER}/addons/(?P<addonName>[^/]+)$",
    f"{_CLUSTER}/addons/(?P<addonName>[^/]+)/update$",
    f"{_CLUSTER}/pod-identity-associations$",
    f"{_CLUSTER}/pod-identity-associations/(?P<associationId>[^/]+)$",
    "{0}/access-policies$",
    "{0}/addons/supported-versions$",
    "{0}/addons/configuration-schemas$",
    "{0}/cluster-versions$",
)
url_paths: dict[str, Any] = {
    **dict.fromkeys(_PATHS, EksResponse.dispatch),
    # Of the EKS Auth API, which moto has not.
    f"{_CLUSTER}/assume-role-for-pod-identity$": assume_role_for_pod_identity,
}
