"""The wire of EKS: moto's operations, and those it lacks."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import unquote

from moto.core.responses import ActionResult, EmptyResult
from moto.eks.exceptions import InvalidParameterException
from moto.eks.models import eks_backends
from moto.eks.responses import EKSResponse

from slipway.sandbox.aws.callers import caller_arn
from slipway.sandbox.aws.eks import additions
from slipway.sandbox.aws.eks.access import POLICY_ARN_PREFIX, POLICY_GROUPS
from slipway.sandbox.aws.eks.auto_mode import PARTS, UPDATE, asks_for_auto_mode
from slipway.sandbox.aws.eks.models import BUILT_IN_ADDONS, DEFAULT_VERSION, RealEksBackend
from slipway.sandbox.aws.eks.updates import Update

CREATE_FIELDS = {
    "name": "name",
    "version": "version",
    "role_arn": "roleArn",
    "resources_vpc_config": "resourcesVpcConfig",
    "kubernetes_network_config": "kubernetesNetworkConfig",
    "logging": "logging",
    "client_request_token": "clientRequestToken",
    "tags": "tags",
    "encryption_config": "encryptionConfig",
    "remote_network_config": "remoteNetworkConfig",
}


class EksResponse(EKSResponse):
    """Decodes, calls the backend, encodes."""

    @property
    def backend(self) -> RealEksBackend:
        """Of the request's account and region."""
        return cast(RealEksBackend, eks_backends[self.current_account][self.region])

    def create_cluster(self) -> ActionResult:
        wanted = {ours: self._get_param(theirs) for ours, theirs in CREATE_FIELDS.items()}
        creator = caller_arn(self.current_account, self.access_key)
        auto = asks_for_auto_mode(self._asked(*PARTS), whole=False)
        if auto and self._get_param("bootstrapSelfManagedAddons") is not False:
            raise InvalidParameterException(
                message="When EKS Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false"
            )
        parts = self._asked("computeConfig", "storageConfig") if auto else {}
        cluster = self.backend.begin_cluster(wanted, self._get_param("accessConfig"), creator, parts)
        cluster.upgrade_policy = self._get_param("upgradePolicy") or cluster.upgrade_policy
        return ActionResult({"cluster": cluster})

    def update_cluster_config(self) -> ActionResult:
        """UpdateClusterConfig: the network, the logging or the access mode, of which nothing changes what runs; or Auto Mode."""
        name = self._text("name")
        cluster = self.backend.describe_cluster(name)
        parts = {part: value for part, value in self._asked(*PARTS).items() if value}
        if parts:
            auto = asks_for_auto_mode(parts, whole=True)
            update = Update(UPDATE, [{"type": part, "value": json.dumps(parts[part])} for part in PARTS])
            self.backend.set_auto_mode(cluster, parts if auto else {}, update)
            return self._updated(update)
        changes = {
            field: self._get_param(field)
            for field in ("resourcesVpcConfig", "logging", "accessConfig", "upgradePolicy")
        }
        changes = {field: value for field, value in changes.items() if value}
        if not changes:
            raise InvalidParameterException(message="No changes needed for the cluster update")
        cluster.resources_vpc_config = cluster.resources_vpc_config | dict(changes.get("resourcesVpcConfig") or {})
        cluster.logging = changes.get("logging") or cluster.logging
        cluster.access_config = cluster.access_config | dict(changes.get("accessConfig") or {})
        cluster.upgrade_policy = changes.get("upgradePolicy") or cluster.upgrade_policy
        kind = (
            "LoggingUpdate"
            if "logging" in changes
            else "EndpointAccessUpdate"
            if "resourcesVpcConfig" in changes
            else "ConfigUpdate"
        )
        params = [{"type": field, "value": json.dumps(value)} for field, value in changes.items()]
        return self._updated(Update(kind, params))

    def update_cluster_version(self) -> ActionResult:
        """UpdateClusterVersion: recorded; the sandbox runs one version of Kubernetes."""
        cluster = self.backend.describe_cluster(self._text("name"))
        cluster.version = str(self._get_param("version"))
        return self._updated(Update("VersionUpdate", [{"type": "Version", "value": cluster.version}]))

    def update_nodegroup_config(self) -> ActionResult:
        """UpdateNodegroupConfig: a changed size starts or stops nodes."""
        name, group_name = self._text("name"), self._text("nodegroupName")
        scaling = self._get_param("scalingConfig")
        self.backend.update_nodegroup_config(
            cluster_name=name,
            nodegroup_name=group_name,
            labels=self._get_param("labels"),
            taints=self._get_param("taints"),
            scaling_config=scaling,
            update_config=self._get_param("updateConfig"),
            node_repair_config=self._get_param("nodeRepairConfig"),
        )
        update = Update("ConfigUpdate", [{"type": "DesiredSize", "value": json.dumps(scaling)}])
        if scaling:
            self.backend.start_nodegroup(self.backend.describe_nodegroup(name, group_name), update)
        return self._updated(update)

    def update_nodegroup_version(self) -> ActionResult:
        """UpdateNodegroupVersion: recorded; the sandbox runs one version of Kubernetes."""
        group = self.backend.describe_nodegroup(self._text("name"), self._text("nodegroupName"))
        group.version = self._get_param("version") or self.backend.describe_cluster(self._text("name")).version
        group.release_version = self._get_param("releaseVersion") or group.release_version
        return self._updated(Update("VersionUpdate", [{"type": "Version", "value": str(group.version)}]))

    def describe_update(self) -> ActionResult:
        return ActionResult({"update": self._cluster().find_update(self._text("updateId"))})

    def list_updates(self) -> ActionResult:
        return self._page("updateIds", list(self._cluster().extras.updates))

    def create_access_entry(self) -> ActionResult:
        fields = self._asked("kubernetesGroups", "username", "type", "tags")
        return ActionResult({"accessEntry": self._cluster().create_access_entry(self._text("principalArn"), fields)})

    def describe_access_entry(self) -> ActionResult:
        return ActionResult({"accessEntry": self._cluster().find_access_entry(self._text("principalArn"))})

    def update_access_entry(self) -> ActionResult:
        fields = self._asked("kubernetesGroups", "username")
        return ActionResult({"accessEntry": self._cluster().update_access_entry(self._text("principalArn"), fields)})

    def delete_access_entry(self) -> ActionResult:
        self._cluster().find_access_entry(self._text("principalArn"))
        del self._cluster().extras.access_entries[self._text("principalArn")]
        return EmptyResult()

    def list_access_entries(self) -> ActionResult:
        policy = self._get_param("associatedPolicyArn")
        entries = self._cluster().extras.access_entries
        return self._page(
            "accessEntries", [arn for arn, entry in entries.items() if not policy or policy in entry.policies]
        )

    def associate_access_policy(self) -> ActionResult:
        policy, scope = self._text("policyArn"), dict(self._get_param("accessScope") or {})
        association = self._cluster().associate_policy(self._text("principalArn"), policy, scope)
        return ActionResult(
            {
                "clusterName": self._text("name"),
                "principalArn": self._text("principalArn"),
                "associatedAccessPolicy": association,
            }
        )

    def disassociate_access_policy(self) -> ActionResult:
        entry = self._cluster().find_access_entry(self._text("principalArn"))
        entry.policies.pop(self._text("policyArn"), None)
        return EmptyResult()

    def list_associated_access_policies(self) -> ActionResult:
        entry = self._cluster().find_access_entry(self._text("principalArn"))
        more = {"clusterName": self._text("name"), "principalArn": self._text("principalArn")}
        return self._page("associatedAccessPolicies", list(entry.policies.values()), more)

    def list_access_policies(self) -> ActionResult:
        return self._page(
            "accessPolicies", [{"name": name, "arn": POLICY_ARN_PREFIX + name} for name in sorted(POLICY_GROUPS)]
        )

    def create_addon(self) -> ActionResult:
        wanted = self._asked("addonName", "addonVersion", "tags", "serviceAccountRoleArn", "configurationValues")
        return ActionResult({"addon": self._cluster().create_addon(wanted)})

    def describe_addon(self) -> ActionResult:
        return ActionResult({"addon": self._cluster().find_addon(self._text("addonName"))})

    def update_addon(self) -> ActionResult:
        wanted = self._asked("addonVersion", "serviceAccountRoleArn", "configurationValues")
        update = self._cluster().update_addon(self._text("addonName"), wanted)
        return ActionResult({"update": update})

    def delete_addon(self) -> ActionResult:
        addon = self._cluster().find_addon(self._text("addonName"))
        del self._cluster().extras.addons[addon.addon_name]
        addon.status = "DELETING"
        return ActionResult({"addon": addon})

    def list_addons(self) -> ActionResult:
        return self._page("addons", sorted(self._cluster().extras.addons))

    def describe_addon_versions(self) -> ActionResult:
        """DescribeAddonVersions: those that the sandbox's clusters have built in."""
        wanted = self._get_param("addonName")
        compatible = [
            {"clusterVersion": self._get_param("kubernetesVersion") or DEFAULT_VERSION, "defaultVersion": True}
        ]
        addons = [
            {
                "addonName": name,
                "type": "networking",
                "owner": "aws",
                "publisher": "eks",
                "addonVersions": [{"addonVersion": version, "architecture": ["amd64"], "compatibilities": compatible}],
            }
            for name, version in BUILT_IN_ADDONS.items()
            if not wanted or name == wanted
        ]
        return self._page("addons", addons)

    def describe_cluster_versions(self) -> ActionResult:
        """DescribeClusterVersions: the one that the sandbox runs."""
        facts = {
            "clusterVersion": DEFAULT_VERSION,
            "clusterType": "eks",
            "defaultVersion": True,
            "defaultPlatformVersion": "eks.1",
            "versionStatus": "STANDARD_SUPPORT",
        }
        return self._page("clusterVersions", [facts])

    def create_pod_identity_association(self) -> ActionResult:
        self._refuse_role_chains()
        wanted = self._asked("namespace", "serviceAccount", "roleArn", "tags")
        return ActionResult({"association": self._cluster().create_association(wanted)})

    def describe_pod_identity_association(self) -> ActionResult:
        return ActionResult({"association": self._cluster().find_association(self._text("associationId"))})

    def update_pod_identity_association(self) -> ActionResult:
        self._refuse_role_chains()
        cluster, association_id = self._cluster(), self._text("associationId")
        role_arn = self._get_param("roleArn") or cluster.find_association(association_id).role_arn
        return ActionResult({"association": cluster.update_association(association_id, str(role_arn))})

    def delete_pod_identity_association(self) -> ActionResult:
        association = self._cluster().find_association(self._text("associationId"))
        del self._cluster().extras.associations[association.association_id]
        return ActionResult({"association": association})

    def list_pod_identity_associations(self) -> ActionResult:
        namespace, account = self._get_param("namespace"), self._get_param("serviceAccount")
        found = [
            each
            for each in self._cluster().extras.associations.values()
            if namespace in (None, each.namespace) and account in (None, each.service_account)
        ]
        return self._page("associations", found)

    def _refuse_role_chains(self) -> None:
        for name in ("targetRoleArn", "disableSessionTags", "policy"):
            if self._get_param(name):
                raise InvalidParameterException(message=f"The sandbox does not support {name} of an association")

    def _text(self, name: str) -> str:
        return unquote(str(self._get_param(name)))

    def _asked(self, *names: str) -> dict[str, Any]:
        return {name: self._get_param(name) for name in names}

    def _cluster(self) -> additions.ClusterAdditions:
        return additions.ClusterAdditions(self.backend, self._text("name"))

    def _updated(self, update: Update) -> ActionResult:
        return ActionResult({"update": self._cluster().record_update(update)})

    def _page(self, key: str, items: list[Any], more: dict[str, Any] | None = None) -> ActionResult:
        shown, token = additions.page(items, self._get_int_param("maxResults"), self._get_param("nextToken"))
        return ActionResult({key: shown, "nextToken": token} | (more or {}))
