"""Cluster add-ons."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.resource import Call, Lookup, present, utc_time
from slipway.sandbox.providers.services.eks.base import EksResource, as_named

ADDON_SECONDS = 20 * 60


class Addon(EksResource):
    """aws.eks.Addon"""

    token = "aws:eks/addon:Addon"
    lookup = Lookup("describe_addon", "", "addon")
    deletion = "delete_addon"
    id_arguments = ("clusterName", "addonName")
    delete_seconds = ADDON_SECONDS
    failures = frozenset({"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})
    ready = frozenset({"ACTIVE", "DEGRADED"})
    force_new = frozenset({"addonName", "clusterName", "namespaceConfig"})
    json_properties = frozenset({"configurationValues"})
    write_only = frozenset({"preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate"})
    unsupported = frozenset({"podIdentityAssociations", "namespaceConfig"})
    enums = {
        "resolveConflictsOnCreate": ("NONE", "OVERWRITE"),
        "resolveConflictsOnUpdate": ("NONE", "OVERWRITE", "PRESERVE"),
    }

    def create(self, call: Call) -> str:
        """Create and wait until it is active."""
        named = as_named(call, *self.id_arguments)
        call.client("eks").create_addon(**named, tags=call.tags, **self._settings(call, "resolveConflictsOnCreate"))
        return str(self.find(call))

    @staticmethod
    def _settings(call: Call, conflicts: str) -> dict[str, Any]:
        settings = as_named(call, "addonVersion", "configurationValues", "serviceAccountRoleArn")
        return settings | call.given(resolveConflicts=conflicts)

    def find(self, call: Call) -> str | None:
        """By cluster and name."""
        id_ = f"{call.inputs['clusterName']}:{call.inputs['addonName']}"
        self.wait_ready(call, id_, ADDON_SECONDS)
        return id_

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The add-on."""
        return present(
            arn=live["addonArn"],
            createdAt=utc_time(live["createdAt"]),
            modifiedAt=utc_time(live["modifiedAt"]),
            tagsAll=dict(live.get("tags") or {}),
        )

    def update(self, call: Call, id: str) -> None:
        """Version, configuration and role."""
        if call.changed <= {"tags", "tagsAll", "preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate"}:
            return
        call.client("eks").update_addon(**self.named(id), **self._settings(call, "resolveConflictsOnUpdate"))
        self.wait_ready(call, id, ADDON_SECONDS)

    def delete_when_free(self, call: Call, id: str, **arguments: Any) -> None:
        """What it installed may stay."""
        super().delete_when_free(call, id, **as_named(call, "preserve"), **arguments)


@function("aws:eks/getAddonVersion:getAddonVersion")
def get_addon_version(call: FunctionCall) -> PropertyMap:
    """The version that EKS installs by default for a version of Kubernetes, or the newest."""
    name, version = str(call.required("addonName")), str(call.required("kubernetesVersion"))
    answer = call.client("eks").describe_addon_versions(addonName=name, kubernetesVersion=version)
    offered = [offer for addon in answer["addons"] for offer in addon["addonVersions"]]
    for offer in offered:
        fits = any(each.get("defaultVersion") for each in offer["compatibilities"])
        if call.args.get("mostRecent") or fits:
            return {**call.args, "id": name, "version": offer["addonVersion"], "region": call.region}
    raise ProviderError(f"{call.token}: EKS has no add-on {name} for Kubernetes {version}")
