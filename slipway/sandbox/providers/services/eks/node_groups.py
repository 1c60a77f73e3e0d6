"""Managed node groups."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import MapTags
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.resource import AutoName, Call
from slipway.sandbox.providers.services.eks.base import wait_gone
from slipway.sandbox.providers.services.eks.clusters import UPDATE_SECONDS

NODE_GROUP_SECONDS = 60 * 60


class NodeGroup(MapTags):
    """aws.eks.NodeGroup"""

    token = "aws:eks/nodeGroup:NodeGroup"
    service = "eks"
    force_new = frozenset(
        {
            "amiType",
            "capacityType",
            "clusterName",
            "diskSize",
            "instanceTypes",
            "launchTemplate.id",
            "launchTemplate.name",
            "nodeGroupName",
            "nodeGroupNamePrefix",
            "nodeRoleArn",
            "remoteAccess",
            "subnetIds",
        }
    )
    auto_name = AutoName(property="nodeGroupName", max_length=63)
    ordered = frozenset({"instanceTypes"})
    conflicts = (("nodeGroupName", "nodeGroupNamePrefix"),)
    conflict_codes = frozenset({"ResourceInUseException"})
    write_only = frozenset({"forceUpdateVersion"})
    unsupported = frozenset({"nodeRepairConfig", "warmPoolConfig"})

    def create(self, call: Call) -> str:
        """Create and wait until the nodes have joined."""
        inputs = call.inputs
        name = inputs.get("nodeGroupName") or prefixed_name(inputs["nodeGroupNamePrefix"])
        arguments: dict[str, Any] = call.given(
            amiType="amiType",
            capacityType="capacityType",
            diskSize="diskSize",
            instanceTypes="instanceTypes",
            labels="labels",
            launchTemplate="launchTemplate",
            releaseVersion="releaseVersion",
            remoteAccess="remoteAccess",
            taints="taints",
            updateConfig="updateConfig",
            version="version",
        )
        call.client("eks").create_nodegroup(
            clusterName=inputs["clusterName"],
            nodegroupName=name,
            nodeRole=inputs["nodeRoleArn"],
            subnets=inputs["subnetIds"],
            scalingConfig=_scaling(inputs["scalingConfig"]),
            tags=call.tags,
            **arguments,
        )
        id_ = f"{inputs['clusterName']}:{name}"
        self._wait_active(call, id_, seconds=NODE_GROUP_SECONDS)
        return id_

    def _describe(self, call: Call, id: str) -> dict[str, Any]:
        cluster, _, name = id.partition(":")
        return call.client("eks").describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]

    def _wait_active(self, call: Call, id: str, *, seconds: float) -> None:
        def active() -> bool:
            group = self._describe(call, id)
            if group["status"] in {"CREATE_FAILED", "DEGRADED", "DELETE_FAILED"}:
                issues = "; ".join(
                    f"{i.get('code')}: {i.get('message')}" for i in (group.get("health") or {}).get("issues") or []
                )
                raise ProviderError(f"EKS node group {id} is {group['status']}{': ' + issues if issues else ''}")
            return group["status"] == "ACTIVE"

        call.wait(f"EKS node group {id} to be ACTIVE", active, seconds=seconds, interval_seconds=2)

    def find(self, call: Call) -> str | None:
        """By cluster and name."""
        if not call.inputs.get("nodeGroupName"):
            return None
        id_ = f"{call.inputs['clusterName']}:{call.inputs['nodeGroupName']}"
        self._wait_active(call, id_, seconds=NODE_GROUP_SECONDS)
        return id_

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The group."""
        group = self._describe(call, id)
        resources = group.get("resources") or {}
        return {
            "amiType": group.get("amiType", ""),
            "arn": group["nodegroupArn"],
            "capacityType": group.get("capacityType", "ON_DEMAND"),
            "clusterName": group["clusterName"],
            "diskSize": int(group.get("diskSize") or 0),
            "instanceTypes": group.get("instanceTypes") or [],
            "labels": group.get("labels") or None,
            "launchTemplate": group.get("launchTemplate") or None,
            "nodeGroupName": group["nodegroupName"],
            "nodeGroupNamePrefix": call.inputs.get("nodeGroupNamePrefix")
            or call.outputs.get("nodeGroupNamePrefix")
            or "",
            "nodeRoleArn": group["nodeRole"],
            "region": call.region,
            "releaseVersion": group.get("releaseVersion", ""),
            "remoteAccess": group.get("remoteAccess") or None,
            "resources": [
                {
                    "autoscalingGroups": [{"name": g["name"]} for g in resources.get("autoScalingGroups") or []],
                    "remoteAccessSecurityGroupId": resources.get("remoteAccessSecurityGroup") or "",
                }
            ],
            "scalingConfig": {k: group["scalingConfig"][k] for k in ("desiredSize", "maxSize", "minSize")},
            "status": group["status"],
            "subnetIds": group.get("subnets") or [],
            "tagsAll": dict(group.get("tags") or {}),
            "taints": group.get("taints") or None,
            "updateConfig": group.get("updateConfig") or {"maxUnavailable": 1},
            "version": group.get("version", ""),
        }

    def update(self, call: Call, id: str) -> None:
        """Configuration first, then version."""
        eks, (cluster, _, name) = call.client("eks"), id.partition(":")
        inputs = call.inputs
        if call.changes("labels", "taints", "scalingConfig", "updateConfig"):
            arguments: dict[str, Any] = {}
            if call.changes("labels"):
                old, new = call.old_inputs.get("labels") or {}, inputs.get("labels") or {}
                arguments["labels"] = {"addOrUpdateLabels": new, "removeLabels": sorted(old.keys() - new.keys())}
            if call.changes("taints"):
                old_taints, new_taints = call.old_inputs.get("taints") or [], inputs.get("taints") or []
                arguments["taints"] = {
                    "addOrUpdateTaints": new_taints,
                    "removeTaints": [t for t in old_taints if t not in new_taints],
                }
            if call.changes("scalingConfig"):
                arguments["scalingConfig"] = _scaling(inputs["scalingConfig"])
            if call.changes("updateConfig") and inputs.get("updateConfig"):
                arguments["updateConfig"] = inputs["updateConfig"]
            eks.update_nodegroup_config(clusterName=cluster, nodegroupName=name, **arguments)
            self._wait_active(call, id, seconds=UPDATE_SECONDS)
        if call.changes("version", "releaseVersion", "launchTemplate"):
            arguments = call.given(
                version="version",
                releaseVersion="releaseVersion",
                launchTemplate="launchTemplate",
                force="forceUpdateVersion",
            )
            eks.update_nodegroup_version(clusterName=cluster, nodegroupName=name, **arguments)
            self._wait_active(call, id, seconds=UPDATE_SECONDS)

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait until it is gone."""
        cluster, _, name = id.partition(":")
        call.client("eks").delete_nodegroup(clusterName=cluster, nodegroupName=name)
        wait_gone(call, f"EKS node group {id}", lambda: self._describe(call, id), seconds=NODE_GROUP_SECONDS)


def _scaling(config: PropertyMap) -> dict[str, int]:
    return {k: int(config[k]) for k in ("minSize", "maxSize", "desiredSize")}


RESOURCES = (NodeGroup(),)
