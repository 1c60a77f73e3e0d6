"""IAM roles, and the policies in and on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.faults import is_not_found
from slipway.sandbox.providers.framework.functions import Function, argument, looked_up
from slipway.sandbox.providers.framework.policy_equality import equivalent_documents
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, tag_map, tag_pairs, utc_time


def document_text(document: Any) -> str:
    """IAM's documents come decoded from boto3; as text they are compact."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


class Role(Resource):
    """aws.iam.Role"""

    token = "aws:iam/role:Role"
    force_new = frozenset({"name", "namePrefix", "path"})
    defaults = {"forceDetachPolicies": False, "maxSessionDuration": 3600, "path": "/"}
    auto_name = AutoName(max_length=64)
    conflicts = (("name", "namePrefix"),)
    json_properties = frozenset({"assumeRolePolicy", "inlinePolicies.policy"})
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"forceDetachPolicies"})

    def create(self, call: Call) -> str:
        """Create with its inline and managed policies."""
        name = call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])
        call.client("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=call.inputs["assumeRolePolicy"],
            **call.given(
                Path="path",
                Description="description",
                MaxSessionDuration="maxSessionDuration",
                PermissionsBoundary="permissionsBoundary",
            ),
            Tags=call.tag_list,
        )
        self._converge_inline(call, name)
        self._converge_managed(call, name)
        return name

    def find(self, call: Call) -> str | None:
        """By name."""
        return call.inputs.get("name")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The role and everything attached to it."""
        iam = call.client("iam")
        role = iam.get_role(RoleName=id)["Role"]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": document_text(role["AssumeRolePolicyDocument"]),
            "createDate": utc_time(role["CreateDate"]),
            "description": role.get("Description") or None,
            "inlinePolicies": [{"name": name, "policy": text} for name, text in self._inline(call, id).items()],
            "managedPolicyArns": sorted(self._managed(call, id)),
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "name": role["RoleName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "path": role["Path"],
            "permissionsBoundary": (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
            "tagsAll": tag_map(role.get("Tags")),
            "uniqueId": role["RoleId"],
        }

    @staticmethod
    def _inline(call: Call, id: str) -> dict[str, str]:
        iam = call.client("iam")
        names = iam.list_role_policies(RoleName=id)["PolicyNames"]
        return {
            name: document_text(iam.get_role_policy(RoleName=id, PolicyName=name)["PolicyDocument"])
            for name in sorted(names)
        }

    @staticmethod
    def _managed(call: Call, id: str) -> set[str]:
        attached = call.client("iam").list_attached_role_policies(RoleName=id)["AttachedPolicies"]
        return {policy["PolicyArn"] for policy in attached}

    def _converge_inline(self, call: Call, id: str) -> None:
        if "inlinePolicies" not in call.inputs:
            return
        iam = call.client("iam")
        wanted = {p["name"]: p["policy"] for p in call.inputs["inlinePolicies"] if p.get("name")}
        live = self._inline(call, id)
        for name in live.keys() - wanted.keys():
            iam.delete_role_policy(RoleName=id, PolicyName=name)
        for name, text in wanted.items():
            if name not in live or not equivalent_documents(live[name], text):
                iam.put_role_policy(RoleName=id, PolicyName=name, PolicyDocument=text)

    def _converge_managed(self, call: Call, id: str) -> None:
        if "managedPolicyArns" not in call.inputs:
            return
        iam = call.client("iam")
        wanted, live = set(call.inputs["managedPolicyArns"]), self._managed(call, id)
        for arn in sorted(live - wanted):
            iam.detach_role_policy(RoleName=id, PolicyArn=arn)
        for arn in sorted(wanted - live):
            iam.attach_role_policy(RoleName=id, PolicyArn=arn)

    def update(self, call: Call, id: str) -> None:
        """Everything but name and path."""
        iam, inputs = call.client("iam"), call.inputs
        if call.changes("assumeRolePolicy"):
            iam.update_assume_role_policy(RoleName=id, PolicyDocument=inputs["assumeRolePolicy"])
        if call.changes("description", "maxSessionDuration"):
            iam.update_role(
                RoleName=id,
                Description=inputs.get("description") or "",
                MaxSessionDuration=inputs.get("maxSessionDuration") or 3600,
            )
        if call.changes("permissionsBoundary"):
            if inputs.get("permissionsBoundary"):
                iam.put_role_permissions_boundary(RoleName=id, PermissionsBoundary=inputs["permissionsBoundary"])
            else:
                iam.delete_role_permissions_boundary(RoleName=id)
        if call.changes("inlinePolicies"):
            self._converge_inline(call, id)
        if call.changes("managedPolicyArns"):
            self._converge_managed(call, id)

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Tags of a role."""
        iam = call.client("iam")
        if remove:
            iam.untag_role(RoleName=id, TagKeys=remove)
        if add:
            iam.tag_role(RoleName=id, Tags=tag_pairs(add))

    def delete(self, call: Call, id: str) -> None:
        """Remove what the resource manages (or everything, if forced), then the role."""
        iam = call.client("iam")
        state = {**call.outputs, **call.inputs}
        for profile in iam.list_instance_profiles_for_role(RoleName=id)["InstanceProfiles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=id)
        if state.get("forceDetachPolicies") or "managedPolicyArns" in call.inputs:
            for arn in sorted(self._managed(call, id)):
                iam.detach_role_policy(RoleName=id, PolicyArn=arn)
        if state.get("forceDetachPolicies") or "inlinePolicies" in call.inputs:
            for name in self._inline(call, id):
                iam.delete_role_policy(RoleName=id, PolicyName=name)
        iam.delete_role(RoleName=id)


class RolePolicy(Resource):
    """aws.iam.RolePolicy"""

    token = "aws:iam/rolePolicy:RolePolicy"
    force_new = frozenset({"name", "namePrefix", "role"})
    auto_name = AutoName(max_length=128)
    conflicts = (("name", "namePrefix"),)
    json_properties = frozenset({"policy"})

    def create(self, call: Call) -> str:
        """Put the policy."""
        name = call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])
        call.client("iam").put_role_policy(
            RoleName=call.inputs["role"], PolicyName=name, PolicyDocument=call.inputs["policy"]
        )
        return f"{call.inputs['role']}:{name}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The document."""
        role, _, name = id.partition(":")
        policy = call.client("iam").get_role_policy(RoleName=role, PolicyName=name)
        return {
            "name": name,
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "policy": document_text(policy["PolicyDocument"]),
            "role": role,
        }

    def update(self, call: Call, id: str) -> None:
        """Put it again."""
        role, _, name = id.partition(":")
        call.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=call.inputs["policy"])

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        role, _, name = id.partition(":")
        call.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


class RolePolicyAttachment(Resource):
    """aws.iam.RolePolicyAttachment. Attaching what is attached succeeds at AWS, so a killed run needs nothing special."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    force_new = frozenset({"policyArn", "role"})

    def create(self, call: Call) -> str:
        """Attach."""
        call.client("iam").attach_role_policy(RoleName=call.inputs["role"], PolicyArn=call.inputs["policyArn"])
        return f"{call.inputs['role']}/{call.inputs['policyArn']}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """Whether it is attached."""
        role, _, arn = id.partition("/")
        try:
            attached = call.client("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        except Exception as error:
            if is_not_found(error):
                return None
            raise
        return {"policyArn": arn, "role": role} if any(policy["PolicyArn"] == arn for policy in attached) else None

    def import_outputs(self, call: Call, id: str) -> None:
        """The id says it all."""
        if "/arn:" not in id:
            raise ProviderError(f"{self.token}: unexpected import id {id!r}; expected ROLE/POLICYARN")

    def delete(self, call: Call, id: str) -> None:
        """Detach."""
        role, _, arn = id.partition("/")
        call.client("iam").detach_role_policy(RoleName=role, PolicyArn=arn)


RESOURCES = (Role(), RolePolicy(), RolePolicyAttachment())
FUNCTIONS: Mapping[str, Function] = {
    "aws:iam/getRole:getRole": looked_up(Role(), argument("name")),
}
