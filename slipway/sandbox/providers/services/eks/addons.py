"""Cluster add-ons."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import MapTags
from slipway.sandbox.providers.framework.resource import Call, present, utc_time
from slipway.sandbox.providers.services.eks.base import wait_gone

ADDON_SECONDS = 20 * 60


class Addon(MapTags):
    """aws.eks.Addon"""

    token = "aws:eks/addon:Addon"
    service = "eks"
    force_new = frozenset({"addonName", "clusterName", "namespaceConfig"})
    json_properties = frozenset({"configurationValues"})
    conflict_codes = frozenset({"ResourceInUseException"})
    write_only = frozenset({"preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate"})
    unsupported = frozenset({"podIdentityAssociations", "namespaceConfig"})
    enums = {
        "resolveConflictsOnCreate": ("NONE", "OVERWRITE"),
        "resolveConflictsOnUpdate": ("NONE", "OVERWRITE", "PRESERVE"),
    }

    def create(self, call: Call) -> str:
        """Create and wait until it is active."""
        arguments = call.given(
            addonVersion="addonVersion",
            configurationValues="configurationValues",
            resolveConflicts="resolveConflictsOnCreate",
            serviceAccountRoleArn="serviceAccountRoleArn",
        )
        cluster, name = call.inputs["clusterName"], call.inputs["addonName"]
        call.client("eks").create_addon(clusterName=cluster, addonName=name, tags=call.tags, **arguments)
        self._wait_active(call, f"{cluster}:{name}")
        return f"{cluster}:{name}"

    def find(self, call: Call) -> str | None:
        """By cluster and name."""
        id_ = f"{call.inputs['clusterName']}:{call.inputs['addonName']}"
        self._wait_active(call, id_)
        return id_

    @staticmethod
    def _describe(call: Call, id: str) -> dict[str, Any]:
        cluster, _, name = id.partition(":")
        return call.client("eks").describe_addon(clusterName=cluster, addonName=name)["addon"]

    def _wait_active(self, call: Call, id: str) -> None:
        def active() -> bool:
            addon = self._describe(call, id)
            if addon["status"] in {"CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"}:
                issues = "; ".join(
                    f"{i.get('code')}: {i.get('message')}" for i in (addon.get("health") or {}).get("issues") or []
                )
                raise ProviderError(f"EKS add-on {id} is {addon['status']}{': ' + issues if issues else ''}")
            return addon["status"] in {"ACTIVE", "DEGRADED"}

        call.wait(f"EKS add-on {id} to be ACTIVE", active, seconds=ADDON_SECONDS, interval_seconds=2)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The add-on."""
        addon = self._describe(call, id)
        return present(
            addonName=addon["addonName"],
            addonVersion=addon.get("addonVersion", ""),
            arn=addon["addonArn"],
            clusterName=addon["clusterName"],
            configurationValues=addon.get("configurationValues") or "",
            createdAt=utc_time(addon["createdAt"]),
            modifiedAt=utc_time(addon["modifiedAt"]),
            region=call.region,
            serviceAccountRoleArn=addon.get("serviceAccountRoleArn") or None,
            tagsAll=dict(addon.get("tags") or {}),
        )

    def update(self, call: Call, id: str) -> None:
        """Version, configuration and role."""
        if call.changed <= {"tags", "tagsAll", "preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate"}:
            return
        cluster, _, name = id.partition(":")
        arguments = call.given(
            addonVersion="addonVersion",
            configurationValues="configurationValues",
            resolveConflicts="resolveConflictsOnUpdate",
            serviceAccountRoleArn="serviceAccountRoleArn",
        )
        call.client("eks").update_addon(clusterName=cluster, addonName=name, **arguments)
        self._wait_active(call, id)

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait."""
        cluster, _, name = id.partition(":")
        call.client("eks").delete_addon(clusterName=cluster, addonName=name, **call.given(preserve="preserve"))
        wait_gone(call, f"EKS add-on {id}", lambda: self._describe(call, id), seconds=ADDON_SECONDS)


RESOURCES = (Addon(),)
