"""Who may do what in an EKS cluster: access entries, access policies and pod identities."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup, Resource, present, utc_time
from slipway.sandbox.providers.framework.tags import Tagging
from slipway.sandbox.providers.services.eks.base import EksResource, as_named


class AccessEntry(EksResource):
    """aws.eks.AccessEntry"""

    token = "aws:eks/accessEntry:AccessEntry"
    lookup = Lookup("describe_access_entry", "", "accessEntry")
    deletion = "delete_access_entry"
    id_arguments = ("clusterName", "principalArn")
    tagging = Tagging(target="resourceArn", by="accessEntryArn")
    force_new = frozenset({"clusterName", "principalArn", "type"})
    defaults = {"type": "STANDARD"}

    def create(self, call: Call) -> str:
        arguments = as_named(call, "clusterName", "principalArn", "kubernetesGroups", "type")
        call.client("eks").create_access_entry(**arguments, **call.given(username="userName"), tags=call.tags)
        return str(self.find(call))

    def find(self, call: Call) -> str | None:
        """By cluster and principal."""
        return f"{call.inputs['clusterName']}:{call.inputs['principalArn']}"

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The entry."""
        return {
            "createdAt": utc_time(live.get("createdAt")),
            "modifiedAt": utc_time(live.get("modifiedAt")),
            "tagsAll": dict(live.get("tags") or {}),
        }

    def update(self, call: Call, id: str) -> None:
        """Groups and user name."""
        if call.changes("kubernetesGroups", "userName"):
            groups, arguments = call.inputs.get("kubernetesGroups") or [], call.given(username="userName")
            call.client("eks").update_access_entry(**self.named(id), kubernetesGroups=groups, **arguments)


class AccessPolicyAssociation(Resource):
    """aws.eks.AccessPolicyAssociation. Associating twice succeeds at AWS, so a killed run needs nothing special."""

    token = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    service = "eks"
    deletion = "disassociate_access_policy"
    id_arguments = ("clusterName", "principalArn", "policyArn")
    id_separator = "#"
    force_new = frozenset({"accessScope", "clusterName", "policyArn", "principalArn"})

    def create(self, call: Call) -> str:
        """Associate."""
        scope = call.inputs["accessScope"]
        call.client("eks").associate_access_policy(
            **as_named(call, *self.id_arguments),
            accessScope=present(type=scope["type"], namespaces=scope.get("namespaces") or None),
        )
        return self.id_separator.join(call.inputs[name] for name in self.id_arguments)

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association among the principal's."""
        named = self.named(id)
        policy = named.pop("policyArn")
        for item in call.client("eks").list_associated_access_policies(**named)["associatedAccessPolicies"]:
            if item["policyArn"] == policy:
                scope = item.get("accessScope") or {}
                return {
                    "accessScope": present(type=scope.get("type"), namespaces=scope.get("namespaces") or None),
                    "associatedAt": utc_time(item.get("associatedAt")),
                    **named,
                    "modifiedAt": utc_time(item.get("modifiedAt")),
                    "policyArn": policy,
                }
        return None


class PodIdentityAssociation(EksResource):
    """aws.eks.PodIdentityAssociation"""

    token = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    deletion = "delete_pod_identity_association"
    tagging = Tagging(target="resourceArn", by="associationArn")
    force_new = frozenset({"clusterName", "namespace", "serviceAccount"})
    unsupported = frozenset({"policy", "targetRoleArn", "disableSessionTags"})

    def create(self, call: Call) -> str:
        arguments = as_named(call, "clusterName", "namespace", "serviceAccount", "roleArn")
        made = call.client("eks").create_pod_identity_association(**arguments, tags=call.tags)["association"]
        return made["associationId"]

    def find(self, call: Call) -> str | None:
        """By cluster, namespace and service account."""
        arguments = as_named(call, "clusterName", "namespace", "serviceAccount")
        found = call.client("eks").list_pod_identity_associations(**arguments)["associations"]
        return found[0]["associationId"] if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association."""
        cluster = call.state["clusterName"]
        answer = call.client("eks").describe_pod_identity_association(clusterName=cluster, associationId=id)
        item = answer["association"]
        return {
            "associationArn": item["associationArn"],
            "associationId": item["associationId"],
            "clusterName": item["clusterName"],
            "disableSessionTags": bool(item.get("disableSessionTags")),
            "externalId": item.get("externalId", ""),
            "namespace": item["namespace"],
            "roleArn": item["roleArn"],
            "serviceAccount": item["serviceAccount"],
            "tagsAll": dict(item.get("tags") or {}),
        }

    def update(self, call: Call, id: str) -> None:
        """Another role."""
        if call.changes("roleArn"):
            eks = call.client("eks")
            eks.update_pod_identity_association(
                clusterName=call.inputs["clusterName"], associationId=id, roleArn=call.inputs["roleArn"]
            )

    def import_outputs(self, call: Call, id: str) -> None:
        """Terraform imports by `cluster,association`."""
        raise ProviderError(f"{self.token}: import of {id!r} is not supported by the sandbox's AWS provider")

    def delete(self, call: Call, id: str) -> None:
        cluster = call.state["clusterName"]
        call.client("eks").delete_pod_identity_association(clusterName=cluster, associationId=id)
