"""Access entries, add-ons and pod identities of a cluster: checked and kept."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from moto.eks.exceptions import InvalidParameterException, ResourceInUseException, ResourceNotFoundException
from moto.eks.utils import validate_role_arn
from moto.iam.models import iam_backends

from slipway.sandbox.aws.callers import PARTITION
from slipway.sandbox.aws.eks.access import (
    ENTRY_TYPES,
    POLICY_ARN_PREFIX,
    POLICY_GROUPS,
    AccessEntry,
    AccessPolicy,
    new_entry,
)
from slipway.sandbox.aws.eks.models import (
    ACTIVE,
    BUILT_IN_ADDONS,
    CREATE_FAILED,
    Addon,
    PodIdentityAssociation,
    RealEksBackend,
    Update,
)

T = TypeVar("T")


class ClusterAdditions:
    """What one cluster has of them."""

    def __init__(self, backend: RealEksBackend, name: str) -> None:
        self.name = name
        self._cluster = backend.describe_cluster(name)
        self.extras = backend.extras_of(name)

    def create_access_entry(self, principal_arn: str, wanted: dict[str, Any]) -> AccessEntry:
        """Let an IAM principal in."""
        entry_type = str(wanted.get("type") or "STANDARD")
        groups = [str(group) for group in wanted.get("kubernetesGroups") or []]
        if not principal_arn.startswith("arn:"):
            raise InvalidParameterException(message=f"The principalArn parameter format is not valid: {principal_arn}")
        if entry_type not in ENTRY_TYPES:
            raise InvalidParameterException(
                message=f"The type must be one of {', '.join(sorted(ENTRY_TYPES))}; got {entry_type}"
            )
        if entry_type != "STANDARD" and groups:
            raise InvalidParameterException(message=f"Groups cannot be set for an access entry of type {entry_type}")
        if any(group.startswith("system:") for group in groups):
            raise InvalidParameterException(message="The kubernetes group name must not start with system:")
        if principal_arn in self.extras.access_entries:
            raise ResourceInUseException(
                clusterName=self.name,
                message="The specified access entry resource is already in use on this cluster.",
            )
        entry = new_entry(
            self._cluster.arn,
            principal_arn,
            entry_type=entry_type,
            username=str(wanted.get("username") or ""),
            groups=groups,
            tags=dict(wanted.get("tags") or {}),
        )
        self.extras.access_entries[principal_arn] = entry
        return entry

    def find_access_entry(self, principal_arn: str) -> AccessEntry:
        """An entry by its principal; raises ResourceNotFoundException."""
        missing = f"The specified principalArn could not be found. You can view your available access entries: {principal_arn}"
        return self._found(self.extras.access_entries.get(principal_arn), missing)

    def update_access_entry(self, principal_arn: str, wanted: dict[str, Any]) -> AccessEntry:
        """Change the user name or the groups of an entry."""
        entry = self.find_access_entry(principal_arn)
        if wanted.get("username"):
            entry.username = str(wanted["username"])
        if wanted.get("kubernetesGroups") is not None:
            entry.kubernetes_groups = [str(group) for group in wanted["kubernetesGroups"]]
        entry.modified_at = datetime.now(UTC)
        return entry

    def associate_policy(self, principal_arn: str, policy_arn: str, scope: dict[str, Any]) -> AccessPolicy:
        """Give an entry the rights of one of EKS's access policies, in the whole cluster."""
        entry = self.find_access_entry(principal_arn)
        if policy_arn.removeprefix(POLICY_ARN_PREFIX) not in POLICY_GROUPS:
            raise InvalidParameterException(
                message=f"The policyArn parameter format is not valid, or the sandbox lacks it: {policy_arn}"
            )
        if scope.get("type") != "cluster":
            # Bound to the whole cluster it would grant more than was asked for.
            raise InvalidParameterException(
                message="The sandbox supports the access scope type cluster only, not namespace"
            )
        now = datetime.now(UTC)
        known = entry.policies.get(policy_arn)
        association = AccessPolicy(
            policy_arn, {"type": "cluster", "namespaces": []}, known.associated_at if known else now, now
        )
        entry.policies[policy_arn] = association
        return association

    def create_addon(self, wanted: dict[str, Any]) -> Addon:
        """Record an add-on: active when the sandbox's clusters do its work anyway, else failed with the reason."""
        name = str(wanted["addonName"])
        if name in self.extras.addons:
            raise ResourceInUseException(clusterName=self.name, addonName=name, message="Addon already exists.")
        built_in = name in BUILT_IN_ADDONS
        issue = {
            "code": "AddonSubscriptionNeeded",
            "message": f"The sandbox has no add-on {name}",
            "resourceIds": [name],
        }
        addon = Addon(
            addon_name=name,
            cluster_name=self.name,
            addon_version=str(wanted.get("addonVersion") or BUILT_IN_ADDONS.get(name, "v0.0.0")),
            addon_arn=f"{self._cluster.arn.replace(':cluster/', ':addon/')}/{name}/{uuid4()}",
            tags=dict(wanted.get("tags") or {}),
            status=ACTIVE if built_in else CREATE_FAILED,
            health={"issues": [] if built_in else [issue]},
            service_account_role_arn=wanted.get("serviceAccountRoleArn"),
            configuration_values=wanted.get("configurationValues"),
        )
        self.extras.addons[name] = addon
        return addon

    def find_addon(self, name: str) -> Addon:
        """An add-on; raises ResourceNotFoundException."""
        missing = f"No addon: {name} found in cluster: {self.name}"
        return self._found(self.extras.addons.get(name), missing, addonName=name)

    def update_addon(self, name: str, wanted: dict[str, Any]) -> Update:
        """Change what was asked of an add-on."""
        addon = self.find_addon(name)
        addon.addon_version = str(wanted.get("addonVersion") or addon.addon_version)
        addon.service_account_role_arn = wanted.get("serviceAccountRoleArn") or addon.service_account_role_arn
        addon.configuration_values = wanted.get("configurationValues") or addon.configuration_values
        addon.modified_at = datetime.now(UTC)
        return self.record_update(Update("AddonUpdate", [{"type": "AddonVersion", "value": addon.addon_version}]))

    def create_association(self, wanted: dict[str, Any]) -> PodIdentityAssociation:
        """Record which role a service account's pods are to have."""
        namespace, account = str(wanted["namespace"]), str(wanted["serviceAccount"])
        if any(
            (each.namespace, each.service_account) == (namespace, account) for each in self.extras.associations.values()
        ):
            raise ResourceInUseException(
                clusterName=self.name,
                message=f"Association already exists for namespace {namespace} and service account {account}",
            )
        self._check_role(str(wanted["roleArn"]))
        association_id = f"a-{uuid4().hex[:17]}"
        association = PodIdentityAssociation(
            cluster_name=self.name,
            namespace=namespace,
            service_account=account,
            role_arn=str(wanted["roleArn"]),
            association_arn=f"{self._cluster.arn.replace(':cluster/', ':podidentityassociation/')}/{association_id}",
            association_id=association_id,
            tags=dict(wanted.get("tags") or {}),
        )
        self.extras.associations[association_id] = association
        return association

    def update_association(self, association_id: str, role_arn: str) -> PodIdentityAssociation:
        """Give the service account's pods another role; those that have a session keep it."""
        association = self.find_association(association_id)
        self._check_role(role_arn)
        association.role_arn = role_arn
        association.modified_at = datetime.now(UTC)
        return association

    def _check_role(self, role_arn: str) -> None:
        validate_role_arn(role_arn)
        account = str(self._cluster.arn).split(":")[4]
        if not any(role.arn == role_arn for role in iam_backends[account][PARTITION].get_roles()):
            raise InvalidParameterException(message="Role provided in the request does not exist.")

    def find_association(self, association_id: str) -> PodIdentityAssociation:
        """An association; raises ResourceNotFoundException."""
        return self._found(
            self.extras.associations.get(association_id), f"Association {association_id} could not be found"
        )

    def record_update(self, update: Update) -> Update:
        """Keep an update, so that DescribeUpdate finds it."""
        self.extras.updates[update.id] = update
        return update

    def find_update(self, update_id: str) -> Update:
        """An update; raises ResourceNotFoundException."""
        return self._found(self.extras.updates.get(update_id), f"No update found for ID: {update_id}")

    def _found(self, thing: T | None, missing: str, **named: str) -> T:
        if thing is None:
            raise ResourceNotFoundException(clusterName=self.name, message=missing, **named)
        return thing


def page(items: Sequence[Any], limit: int | None, token: str | None) -> tuple[list[Any], str | None]:
    """One page of a list and the token of the next; the token is a position."""
    start = int(token or 0)
    end = start + (limit or 100)
    return list(items[start:end]), str(end) if end < len(items) else None
