"""Access entries, add-ons and pod identities of a cluster: checked and kept."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.eks.exceptions import InvalidParameterException, ResourceInUseException, ResourceNotFoundException
from moto.eks.utils import validate_role_arn

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


def create_access_entry(
    backend: RealEksBackend, cluster_name: str, principal_arn: str, wanted: dict[str, Any]
) -> AccessEntry:
    """Let an IAM principal in."""
    extras = backend.extras_of(cluster_name)
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
    if principal_arn in extras.access_entries:
        raise ResourceInUseException(
            clusterName=cluster_name,
            message="The specified access entry resource is already in use on this cluster.",
        )
    cluster = backend.describe_cluster(cluster_name)
    entry = new_entry(
        cluster.arn,
        principal_arn,
        entry_type=entry_type,
        username=str(wanted.get("username") or ""),
        groups=groups,
        tags=dict(wanted.get("tags") or {}),
    )
    extras.access_entries[principal_arn] = entry
    return entry


def find_access_entry(backend: RealEksBackend, cluster_name: str, principal_arn: str) -> AccessEntry:
    """An entry by its principal; raises ResourceNotFoundException."""
    entry = backend.extras_of(cluster_name).access_entries.get(principal_arn)
    if entry is None:
        raise ResourceNotFoundException(
            clusterName=cluster_name,
            message=f"The specified principalArn could not be found. You can view your available access entries: {principal_arn}",
        )
    return entry


def update_access_entry(
    backend: RealEksBackend, cluster_name: str, principal_arn: str, wanted: dict[str, Any]
) -> AccessEntry:
    """Change the user name or the groups of an entry."""
    entry = find_access_entry(backend, cluster_name, principal_arn)
    if wanted.get("username"):
        entry.username = str(wanted["username"])
    if wanted.get("kubernetesGroups") is not None:
        entry.kubernetes_groups = [str(group) for group in wanted["kubernetesGroups"]]
    entry.modified_at = datetime.now(UTC)
    return entry


def associate_policy(
    backend: RealEksBackend, cluster_name: str, principal_arn: str, policy_arn: str, scope: dict[str, Any]
) -> AccessPolicy:
    """Give an entry the rights of one of EKS's access policies, in the whole cluster."""
    entry = find_access_entry(backend, cluster_name, principal_arn)
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


def create_addon(backend: RealEksBackend, cluster_name: str, wanted: dict[str, Any]) -> Addon:
    """Record an add-on: active when the sandbox's clusters do its work anyway, else failed with the reason."""
    extras = backend.extras_of(cluster_name)
    name = str(wanted["addonName"])
    if name in extras.addons:
        raise ResourceInUseException(clusterName=cluster_name, addonName=name, message="Addon already exists.")
    cluster = backend.describe_cluster(cluster_name)
    built_in = name in BUILT_IN_ADDONS
    issue = {"code": "AddonSubscriptionNeeded", "message": f"The sandbox has no add-on {name}", "resourceIds": [name]}
    addon = Addon(
        addon_name=name,
        cluster_name=cluster_name,
        addon_version=str(wanted.get("addonVersion") or BUILT_IN_ADDONS.get(name, "v0.0.0")),
        addon_arn=f"{cluster.arn.replace(':cluster/', ':addon/')}/{name}/{uuid4()}",
        tags=dict(wanted.get("tags") or {}),
        status=ACTIVE if built_in else CREATE_FAILED,
        health={"issues": [] if built_in else [issue]},
        service_account_role_arn=wanted.get("serviceAccountRoleArn"),
        configuration_values=wanted.get("configurationValues"),
    )
    extras.addons[name] = addon
    return addon


def find_addon(backend: RealEksBackend, cluster_name: str, name: str) -> Addon:
    """An add-on; raises ResourceNotFoundException."""
    addon = backend.extras_of(cluster_name).addons.get(name)
    if addon is None:
        raise ResourceNotFoundException(
            clusterName=cluster_name, addonName=name, message=f"No addon: {name} found in cluster: {cluster_name}"
        )
    return addon


def update_addon(backend: RealEksBackend, cluster_name: str, name: str, wanted: dict[str, Any]) -> Update:
    """Change what was asked of an add-on."""
    addon = find_addon(backend, cluster_name, name)
    addon.addon_version = str(wanted.get("addonVersion") or addon.addon_version)
    addon.service_account_role_arn = wanted.get("serviceAccountRoleArn") or addon.service_account_role_arn
    addon.configuration_values = wanted.get("configurationValues") or addon.configuration_values
    addon.modified_at = datetime.now(UTC)
    return record_update(
        backend, cluster_name, Update("AddonUpdate", [{"type": "AddonVersion", "value": addon.addon_version}])
    )


def create_association(backend: RealEksBackend, cluster_name: str, wanted: dict[str, Any]) -> PodIdentityAssociation:
    """Record which role a service account's pods are to have."""
    extras = backend.extras_of(cluster_name)
    namespace, account = str(wanted["namespace"]), str(wanted["serviceAccount"])
    if any((each.namespace, each.service_account) == (namespace, account) for each in extras.associations.values()):
        raise ResourceInUseException(
            clusterName=cluster_name,
            message=f"Association already exists for namespace {namespace} and service account {account}",
        )
    validate_role_arn(str(wanted["roleArn"]))
    cluster = backend.describe_cluster(cluster_name)
    association_id = f"a-{uuid4().hex[:17]}"
    association = PodIdentityAssociation(
        cluster_name=cluster_name,
        namespace=namespace,
        service_account=account,
        role_arn=str(wanted["roleArn"]),
        association_arn=f"{cluster.arn.replace(':cluster/', ':podidentityassociation/')}/{association_id}",
        association_id=association_id,
        tags=dict(wanted.get("tags") or {}),
    )
    extras.associations[association_id] = association
    return association


def find_association(backend: RealEksBackend, cluster_name: str, association_id: str) -> PodIdentityAssociation:
    """An association; raises ResourceNotFoundException."""
    association = backend.extras_of(cluster_name).associations.get(association_id)
    if association is None:
        raise ResourceNotFoundException(
            clusterName=cluster_name, message=f"Association {association_id} could not be found"
        )
    return association


def record_update(backend: RealEksBackend, cluster_name: str, update: Update) -> Update:
    """Keep an update, so that DescribeUpdate finds it."""
    backend.extras_of(cluster_name).updates[update.id] = update
    return update


def find_update(backend: RealEksBackend, cluster_name: str, update_id: str) -> Update:
    """An update; raises ResourceNotFoundException."""
    update = backend.extras_of(cluster_name).updates.get(update_id)
    if update is None:
        raise ResourceNotFoundException(clusterName=cluster_name, message=f"No update found for ID: {update_id}")
    return update


def page(items: Sequence[Any], limit: int | None, token: str | None) -> tuple[list[Any], str | None]:
    """One page of a list and the token of the next; the token is a position."""
    start = int(token or 0)
    end = start + (limit or 100)
    return list(items[start:end]), str(end) if end < len(items) else None
