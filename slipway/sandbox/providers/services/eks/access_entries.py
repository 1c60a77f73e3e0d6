"""Who may do what in an EKS cluster: access entries, access policies and pod identities."""

from __future__ import annotations

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import MapTags
from slipway.sandbox.providers.framework.resource import Call, Resource, present, utc_time


class AccessEntry(MapTags):
    """aws.eks.AccessEntry"""

    token = "aws:eks/accessEntry:AccessEntry"
    service = "eks"
    force_new = frozenset({"clusterName", "principalArn", "type"})
    defaults = {"type": "STANDARD"}
    conflict_codes = frozenset({"ResourceInUseException"})

    def create(self, call: Call) -> str:
        """Create."""
        arguments = call.given(kubernetesGroups="kubernetesGroups", username="userName", type="type")
        cluster, principal = call.inputs["clusterName"], call.inputs["principalArn"]
        call.client("eks").create_access_entry(clusterName=cluster, principalArn=principal, tags=call.tags, **arguments)
        return f"{cluster}:{principal}"

    def find(self, call: Call) -> str | None:
        """By cluster and principal."""
        return f"{call.inputs['clusterName']}:{call.inputs['principalArn']}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The entry."""
        cluster, _, principal = id.partition(":")
        entry = call.client("eks").describe_access_entry(clusterName=cluster, principalArn=principal)["accessEntry"]
        return {
            "accessEntryArn": entry["accessEntryArn"],
            "clusterName": entry["clusterName"],
            "createdAt": utc_time(entry.get("createdAt")),
            "kubernetesGroups": entry.get("kubernetesGroups") or [],
            "modifiedAt": utc_time(entry.get("modifiedAt")),
            "principalArn": entry["principalArn"],
            "region": call.region,
            "tagsAll": dict(entry.get("tags") or {}),
            "type": entry.get("type", "STANDARD"),
            "userName": entry.get("username", ""),
        }

    def update(self, call: Call, id: str) -> None:
        """Groups and user name."""
        cluster, _, principal = id.partition(":")
        if call.changes("kubernetesGroups", "userName"):
            arguments = call.given(username="userName")
            groups = call.inputs.get("kubernetesGroups") or []
            call.client("eks").update_access_entry(
                clusterName=cluster, principalArn=principal, kubernetesGroups=groups, **arguments
            )

    def tagged_arn(self, call: Call, id: str) -> str:
        """The entry's own ARN, not the principal's."""
        return str(call.outputs["accessEntryArn"])

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        cluster, _, principal = id.partition(":")
        call.client("eks").delete_access_entry(clusterName=cluster, principalArn=principal)


class AccessPolicyAssociation(Resource):
    """aws.eks.AccessPolicyAssociation. Associating twice succeeds at AWS, so a killed run needs nothing special."""

    token = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    force_new = frozenset({"accessScope", "clusterName", "policyArn", "principalArn"})

    def create(self, call: Call) -> str:
        """Associate."""
        inputs = call.inputs
        scope = inputs["accessScope"]
        call.client("eks").associate_access_policy(
            clusterName=inputs["clusterName"],
            principalArn=inputs["principalArn"],
            policyArn=inputs["policyArn"],
            accessScope=present(type=scope["type"], namespaces=scope.get("namespaces") or None),
        )
        return "#".join((inputs["clusterName"], inputs["principalArn"], inputs["policyArn"]))

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association among the principal's."""
        cluster, principal, policy = self._parts(id)
        answer = call.client("eks").list_associated_access_policies(clusterName=cluster, principalArn=principal)
        for item in answer["associatedAccessPolicies"]:
            if item["policyArn"] == policy:
                scope = item.get("accessScope") or {}
                return {
                    "accessScope": present(type=scope.get("type"), namespaces=scope.get("namespaces") or None),
                    "associatedAt": utc_time(item.get("associatedAt")),
                    "clusterName": cluster,
                    "modifiedAt": utc_time(item.get("modifiedAt")),
                    "policyArn": policy,
                    "principalArn": principal,
                    "region": call.region,
                }
        return None

    def _parts(self, id: str) -> tuple[str, str, str]:
        parts = id.split("#")
        if len(parts) != 3:
            raise ProviderError(f"{self.token}: unexpected id {id!r}; expected CLUSTER#PRINCIPALARN#POLICYARN")
        return parts[0], parts[1], parts[2]

    def delete(self, call: Call, id: str) -> None:
        """Disassociate."""
        cluster, principal, policy = self._parts(id)
        call.client("eks").disassociate_access_policy(clusterName=cluster, principalArn=principal, policyArn=policy)


class PodIdentityAssociation(MapTags):
    """aws.eks.PodIdentityAssociation"""

    token = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    service = "eks"
    force_new = frozenset({"clusterName", "namespace", "serviceAccount"})
    conflict_codes = frozenset({"ResourceInUseException"})
    unsupported = frozenset({"policy", "targetRoleArn", "disableSessionTags"})

    def create(self, call: Call) -> str:
        """Create."""
        arguments = call.given(
            clusterName="clusterName", namespace="namespace", serviceAccount="serviceAccount", roleArn="roleArn"
        )
        return call.client("eks").create_pod_identity_association(**arguments, tags=call.tags)["association"][
            "associationId"
        ]

    def find(self, call: Call) -> str | None:
        """By cluster, namespace and service account."""
        arguments = call.given(clusterName="clusterName", namespace="namespace", serviceAccount="serviceAccount")
        found = call.client("eks").list_pod_identity_associations(**arguments)["associations"]
        return found[0]["associationId"] if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association."""
        cluster = {**call.outputs, **call.inputs}["clusterName"]
        item = call.client("eks").describe_pod_identity_association(clusterName=cluster, associationId=id)[
            "association"
        ]
        return {
            "associationArn": item["associationArn"],
            "associationId": item["associationId"],
            "clusterName": item["clusterName"],
            "disableSessionTags": bool(item.get("disableSessionTags")),
            "externalId": item.get("externalId", ""),
            "namespace": item["namespace"],
            "region": call.region,
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

    def tagged_arn(self, call: Call, id: str) -> str:
        """The association's ARN."""
        return str(call.outputs["associationArn"])

    def import_outputs(self, call: Call, id: str) -> None:
        """Terraform imports by `cluster,association`."""
        raise ProviderError(f"{self.token}: import of {id!r} is not supported by the sandbox's AWS provider")

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        cluster = {**call.outputs, **call.inputs}["clusterName"]
        call.client("eks").delete_pod_identity_association(clusterName=cluster, associationId=id)


RESOURCES = (AccessEntry(), AccessPolicyAssociation(), PodIdentityAssociation())
