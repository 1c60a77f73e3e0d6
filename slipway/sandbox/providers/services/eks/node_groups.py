"""Managed node groups."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup
from slipway.sandbox.providers.framework.wire import api_arguments
from slipway.sandbox.providers.services.eks.base import EksResource, as_named
from slipway.sandbox.providers.services.eks.clusters import UPDATE_SECONDS

NODE_GROUP_SECONDS = 60 * 60


class NodeGroup(EksResource):
    """aws.eks.NodeGroup"""

    token = "aws:eks/nodeGroup:NodeGroup"
    lookup = Lookup("describe_nodegroup", "", "nodegroup")
    deletion = "delete_nodegroup"
    id_arguments = ("clusterName", "nodegroupName")
    delete_seconds = NODE_GROUP_SECONDS
    failures = frozenset({"CREATE_FAILED", "DEGRADED", "DELETE_FAILED"})
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
    write_only = frozenset({"forceUpdateVersion"})
    unsupported = frozenset({"nodeRepairConfig", "warmPoolConfig"})

    def create(self, call: Call) -> str:
        """Create and wait until the nodes have joined."""
        inputs = call.inputs
        name, eks = self.new_name(call), call.client("eks")
        named = api_arguments(eks, "create_nodegroup", inputs, nodeRole="nodeRoleArn", subnets="subnetIds")
        scaling = _scaling(inputs["scalingConfig"])
        eks.create_nodegroup(**{**named, "nodegroupName": name, "scalingConfig": scaling, "tags": call.tags})
        id_ = f"{inputs['clusterName']}:{name}"
        self.wait_ready(call, id_, NODE_GROUP_SECONDS)
        return id_

    def find(self, call: Call) -> str | None:
        """By cluster and name."""
        if not call.inputs.get("nodeGroupName"):
            return None
        id_ = f"{call.inputs['clusterName']}:{call.inputs['nodeGroupName']}"
        self.wait_ready(call, id_, NODE_GROUP_SECONDS)
        return id_

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The group."""
        resources = live.get("resources") or {}
        return {
            "arn": live["nodegroupArn"],
            "capacityType": live.get("capacityType", "ON_DEMAND"),
            "nodeRoleArn": live["nodeRole"],
            "labels": live.get("labels") or None,
            "launchTemplate": live.get("launchTemplate") or None,
            "remoteAccess": live.get("remoteAccess") or None,
            "taints": live.get("taints") or None,
            "resources": [
                {
                    "autoscalingGroups": [{"name": g["name"]} for g in resources.get("autoScalingGroups") or []],
                    "remoteAccessSecurityGroupId": resources.get("remoteAccessSecurityGroup") or "",
                }
            ],
            "scalingConfig": {k: live["scalingConfig"][k] for k in ("desiredSize", "maxSize", "minSize")},
            "subnetIds": live.get("subnets") or [],
            "tagsAll": dict(live.get("tags") or {}),
            "updateConfig": live.get("updateConfig") or {"maxUnavailable": 1},
        }

    def update(self, call: Call, id: str) -> None:
        """Configuration first, then version."""
        eks, inputs = call.client("eks"), call.inputs
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
            eks.update_nodegroup_config(**self.named(id), **arguments)
            self.wait_ready(call, id, UPDATE_SECONDS)
        if call.changes("version", "releaseVersion", "launchTemplate"):
            arguments = as_named(call, "version", "releaseVersion", "launchTemplate")
            arguments |= call.given(force="forceUpdateVersion")
            eks.update_nodegroup_version(**self.named(id), **arguments)
            self.wait_ready(call, id, UPDATE_SECONDS)


def _scaling(config: PropertyMap) -> dict[str, int]:
    return {k: int(config[k]) for k in ("minSize", "maxSize", "desiredSize")}
