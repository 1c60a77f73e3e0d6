"""EKS clusters."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import argument, looked_up, plurals
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, present, utc_time
from slipway.sandbox.providers.services.eks.base import EksResource, as_named

CREATE_SECONDS = 30 * 60
DELETE_SECONDS = 15 * 60
UPDATE_SECONDS = 60 * 60
AUTO_MODE = ("computeConfig", "kubernetesNetworkConfig", "storageConfig")


class Cluster(EksResource):
    """aws.eks.Cluster"""

    token = "aws:eks/cluster:Cluster"
    lookup = Lookup("describe_cluster", "name", "cluster")
    deletion = "delete_cluster"
    id_arguments = ("name",)
    delete_seconds = DELETE_SECONDS
    failures = frozenset({"FAILED"})
    nested_computed = {
        "kubernetesNetworkConfig": ("ipFamily", "serviceIpv4Cidr", "serviceIpv6Cidr"),
        "vpcConfig": ("clusterSecurityGroupId", "publicAccessCidrs", "vpcId"),
    }
    force_new = frozenset(
        {
            "name",
            "roleArn",
            "accessConfig.bootstrapClusterCreatorAdminPermissions",
            "bootstrapSelfManagedAddons",
            "encryptionConfig",
            "kubernetesNetworkConfig.ipFamily",
            "kubernetesNetworkConfig.serviceIpv4Cidr",
            "outpostConfig",
        }
    )
    defaults = {"bootstrapSelfManagedAddons": True}
    auto_name = AutoName(max_length=100)
    write_only = frozenset({"bootstrapSelfManagedAddons", "defaultAddonsToRemoves", "forceUpdateVersion"})
    unsupported = frozenset(
        {
            "controlPlaneScalingConfig",
            "defaultAddonsToRemoves",
            "kubeApiServerConfig",
            "kubeControllerManagerConfig",
            "kubeSchedulerConfig",
            "outpostConfig",
            "remoteNetworkConfig",
            "zonalShiftConfig",
        }
    )

    def create(self, call: Call) -> str:
        """Create and wait until the API server answers."""
        inputs = call.inputs
        arguments: dict[str, Any] = as_named(call, "version", "deletionProtection")
        if access := inputs.get("accessConfig"):
            arguments["accessConfig"] = present(
                authenticationMode=access.get("authenticationMode"),
                bootstrapClusterCreatorAdminPermissions=access.get("bootstrapClusterCreatorAdminPermissions"),
            )
        arguments |= _auto_mode(inputs)
        if encryption := inputs.get("encryptionConfig"):
            arguments["encryptionConfig"] = [
                {"resources": encryption["resources"], "provider": {"keyArn": encryption["provider"]["keyArn"]}}
            ]
        if policy := inputs.get("upgradePolicy"):
            arguments["upgradePolicy"] = policy
        call.client("eks").create_cluster(
            name=inputs["name"],
            roleArn=inputs["roleArn"],
            resourcesVpcConfig=_vpc_arguments(inputs["vpcConfig"]),
            logging=_logging(inputs.get("enabledClusterLogTypes") or []),
            bootstrapSelfManagedAddons=inputs.get("bootstrapSelfManagedAddons", True),
            tags=call.tags,
            **arguments,
        )
        return self.find(call)

    def find(self, call: Call) -> str:
        """By name; one that is still being created is waited for."""
        name = str(call.inputs["name"])
        self.wait_ready(call, name, CREATE_SECONDS)
        return name

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """What DescribeCluster says, by property name."""
        vpc, network, access = (
            live.get(k) or {} for k in ("resourcesVpcConfig", "kubernetesNetworkConfig", "accessConfig")
        )
        enabled = [
            t
            for group in (live.get("logging") or {}).get("clusterLogging") or []
            if group.get("enabled")
            for t in group.get("types") or []
        ]
        issuer = ((live.get("identity") or {}).get("oidc") or {}).get("issuer")
        encryption = next(iter(live.get("encryptionConfig") or []), None)
        given_access = call.inputs.get("accessConfig") or call.outputs.get("accessConfig") or {}
        return {
            "accessConfig": present(
                authenticationMode=access.get("authenticationMode", "CONFIG_MAP"),
                bootstrapClusterCreatorAdminPermissions=given_access.get("bootstrapClusterCreatorAdminPermissions"),
            ),
            "certificateAuthority": {"data": (live.get("certificateAuthority") or {}).get("data", "")},
            "createdAt": utc_time(live.get("createdAt")),
            "enabledClusterLogTypes": sorted(enabled) or None,
            "encryptionConfig": {
                "provider": {"keyArn": encryption["provider"]["keyArn"]},
                "resources": encryption["resources"],
            }
            if encryption
            else None,
            "identities": [{"oidcs": [{"issuer": issuer}]}] if issuer else [],
            "kubernetesNetworkConfig": present(
                ipFamily=network.get("ipFamily", "ipv4"),
                serviceIpv4Cidr=network.get("serviceIpv4Cidr", ""),
                serviceIpv6Cidr=network.get("serviceIpv6Cidr"),
                elasticLoadBalancing=network.get("elasticLoadBalancing"),
            ),
            "computeConfig": live.get("computeConfig") or None,
            "storageConfig": live.get("storageConfig") or None,
            "tagsAll": dict(live.get("tags") or {}),
            "upgradePolicy": {"supportType": (live.get("upgradePolicy") or {}).get("supportType", "EXTENDED")},
            "vpcConfig": {
                "clusterSecurityGroupId": vpc.get("clusterSecurityGroupId", ""),
                "endpointPrivateAccess": bool(vpc.get("endpointPrivateAccess")),
                "endpointPublicAccess": bool(vpc.get("endpointPublicAccess", True)),
                "publicAccessCidrs": vpc.get("publicAccessCidrs") or [],
                "securityGroupIds": vpc.get("securityGroupIds") or [],
                "subnetIds": vpc.get("subnetIds") or [],
                "vpcId": vpc.get("vpcId", ""),
            },
        }

    def update(self, call: Call, id: str) -> None:
        """Version first, then the rest, each update awaited before the next, as EKS demands."""
        eks, inputs = call.client("eks"), call.inputs
        if call.changes("version") and inputs.get("version"):
            self._await(
                call,
                id,
                eks.update_cluster_version(
                    name=id, version=inputs["version"], **call.given(force="forceUpdateVersion")
                ),
            )
        if call.changes("accessConfig"):
            mode = (inputs.get("accessConfig") or {}).get("authenticationMode")
            if mode and mode != (call.old_inputs.get("accessConfig") or {}).get("authenticationMode"):
                self._await(call, id, eks.update_cluster_config(name=id, accessConfig={"authenticationMode": mode}))
        if call.changes("vpcConfig"):
            self._update_vpc(call, id)
        if call.changes(*AUTO_MODE):
            # EKS wants all three whichever of them changes, and not what only CreateCluster takes.
            changed = _auto_mode(inputs)
            network = changed.pop("kubernetesNetworkConfig", {})
            changed["kubernetesNetworkConfig"] = present(elasticLoadBalancing=network.get("elasticLoadBalancing"))
            self._await(call, id, eks.update_cluster_config(name=id, **changed))
        if call.changes("enabledClusterLogTypes"):
            self._await(
                call,
                id,
                eks.update_cluster_config(name=id, logging=_logging(inputs.get("enabledClusterLogTypes") or [])),
            )
        if call.changes("upgradePolicy") and inputs.get("upgradePolicy"):
            self._await(call, id, eks.update_cluster_config(name=id, upgradePolicy=inputs["upgradePolicy"]))
        if call.changes("deletionProtection"):
            self._await(
                call, id, eks.update_cluster_config(name=id, deletionProtection=bool(inputs.get("deletionProtection")))
            )

    def _update_vpc(self, call: Call, id: str) -> None:
        old, new = call.old_inputs.get("vpcConfig") or {}, call.inputs["vpcConfig"]
        wanted = _vpc_arguments(new)
        groups = {k: wanted[k] for k in ("subnetIds", "securityGroupIds") if k in wanted and old.get(k) != new.get(k)}
        access = {
            k: v for k, v in wanted.items() if k not in {"subnetIds", "securityGroupIds"} and old.get(k) != new.get(k)
        }
        for change in (groups, access):
            if change:
                self._await(call, id, call.client("eks").update_cluster_config(name=id, resourcesVpcConfig=change))

    def _await(self, call: Call, id: str, answer: dict[str, Any]) -> None:
        update_id = (answer.get("update") or {}).get("id")
        if not update_id:
            return

        def done() -> bool:
            update = call.client("eks").describe_update(name=id, updateId=update_id)["update"]
            if update["status"] in {"Failed", "Cancelled"}:
                messages = "; ".join(str(e.get("errorMessage")) for e in update.get("errors") or [])
                raise ProviderError(f"update of EKS cluster {id} {update['status'].lower()}: {messages}")
            return update["status"] == "Successful"

        call.wait(f"an update of EKS cluster {id}", done, seconds=UPDATE_SECONDS, interval_seconds=2)


def _auto_mode(inputs: PropertyMap) -> dict[str, Any]:
    """The arguments of Auto Mode, as they were given; EKS checks that they go together."""
    return {name: inputs[name] for name in AUTO_MODE if inputs.get(name)}


def _vpc_arguments(config: PropertyMap) -> dict[str, Any]:
    return {
        k: config[k]
        for k in ("subnetIds", "securityGroupIds", "endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")
        if config.get(k) is not None
    }


def _logging(types: list[str]) -> dict[str, Any]:
    every = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    rest = [name for name in every if name not in types]
    groups = [{"types": types, "enabled": True}] if types else []
    return {"clusterLogging": [*groups, *([{"types": rest, "enabled": False}] if rest else [])]}


_CLUSTER_LISTS = {
    **plurals("accessConfig", "kubernetesNetworkConfig"),
    "certificateAuthority": "certificateAuthorities",
    "upgradePolicy": "upgradePolicies",
}


get_cluster = looked_up("aws:eks/getCluster:getCluster", Cluster(), argument("name"), _CLUSTER_LISTS)
