"""IAM roles, and the policies in and on them."""

from __future__ import annotations

import json
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import argument, looked_up
from slipway.sandbox.providers.framework.policy_equality import equivalent_documents
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, utc_time
from slipway.sandbox.providers.framework.tags import Tagging, tag_map


def document_text(document: Any) -> str:
    """IAM's documents come decoded from boto3; as text they are compact."""
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def set_boundary(call: Call, kind: str, **named: str) -> None:
    """The permissions boundary of a role or a user, where it changes."""
    boundary = call.given("permissionsBoundary")
    if call.changes("permissionsBoundary"):
        getattr(call.client("iam"), f"{'put' if boundary else 'delete'}_{kind}_permissions_boundary")(
            **named, **boundary
        )


class Role(Resource):
    """aws.iam.Role"""

    token = "aws:iam/role:Role"
    service = "iam"
    lookup = Lookup("get_role", "RoleName", "Role")
    deletion = "delete_role"
    id_arguments = ("RoleName",)
    found_by_name = True
    tagging = Tagging("tag_role", "untag_role", "RoleName", by="")
    force_new = frozenset({"name", "namePrefix", "path"})
    defaults = {"forceDetachPolicies": False, "maxSessionDuration": 3600, "path": "/"}
    auto_name = AutoName(max_length=64)
    json_properties = frozenset({"assumeRolePolicy", "inlinePolicies.policy"})
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"forceDetachPolicies"})

    def create(self, call: Call) -> str:
        """Create with its inline and managed policies."""
        name = self.new_name(call)
        call.client("iam").create_role(
            RoleName=name,
            AssumeRolePolicyDocument=call.inputs["assumeRolePolicy"],
            **call.given("path", "description", "maxSessionDuration", "permissionsBoundary"),
            Tags=call.tag_list,
        )
        self._converge_inline(call, name)
        self._converge_managed(call, name)
        return name

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The role and everything attached to it."""
        return {
            "assumeRolePolicy": document_text(live["AssumeRolePolicyDocument"]),
            "createDate": utc_time(live["CreateDate"]),
            "inlinePolicies": [{"name": name, "policy": text} for name, text in self._inline(call, id).items()],
            "managedPolicyArns": sorted(self.managed(call, id)),
            "name": live["RoleName"],
            "permissionsBoundary": (live.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
            "tagsAll": tag_map(live.get("Tags")),
            "uniqueId": live["RoleId"],
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
    def managed(call: Call, id: str) -> set[str]:
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
        wanted, live = set(call.inputs["managedPolicyArns"]), self.managed(call, id)
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
        set_boundary(call, "role", RoleName=id)
        if call.changes("inlinePolicies"):
            self._converge_inline(call, id)
        if call.changes("managedPolicyArns"):
            self._converge_managed(call, id)

    def delete(self, call: Call, id: str) -> None:
        """Remove what the resource manages (or everything, if forced), then the role."""
        iam = call.client("iam")
        state = call.state
        for profile in iam.list_instance_profiles_for_role(RoleName=id)["InstanceProfiles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=id)
        if state.get("forceDetachPolicies") or "managedPolicyArns" in call.inputs:
            for arn in sorted(self.managed(call, id)):
                iam.detach_role_policy(RoleName=id, PolicyArn=arn)
        if state.get("forceDetachPolicies") or "inlinePolicies" in call.inputs:
            for name in self._inline(call, id):
                iam.delete_role_policy(RoleName=id, PolicyName=name)
        super().delete(call, id)


class RolePolicy(Resource):
    """aws.iam.RolePolicy"""

    token = "aws:iam/rolePolicy:RolePolicy"
    service = "iam"
    deletion = "delete_role_policy"
    id_arguments = ("RoleName", "PolicyName")
    force_new = frozenset({"name", "namePrefix", "role"})
    auto_name = AutoName(max_length=128)
    json_properties = frozenset({"policy"})

    def create(self, call: Call) -> str:
        """Put the policy."""
        id_ = f"{call.inputs['role']}:{self.new_name(call)}"
        self.update(call, id_)
        return id_

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The document."""
        live = call.client("iam").get_role_policy(**self.named(id))
        return {"name": live["PolicyName"], "policy": document_text(live["PolicyDocument"]), "role": live["RoleName"]}

    def update(self, call: Call, id: str) -> None:
        """Put it again."""
        call.client("iam").put_role_policy(**self.named(id), PolicyDocument=call.inputs["policy"])


class RolePolicyAttachment(Resource):
    """aws.iam.RolePolicyAttachment. Attaching what is attached succeeds at AWS, so a killed run needs nothing special."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    service = "iam"
    deletion = "detach_role_policy"
    id_arguments = ("RoleName", "PolicyArn")
    id_separator = "/"
    force_new = frozenset({"policyArn", "role"})

    def create(self, call: Call) -> str:
        """Attach."""
        call.client("iam").attach_role_policy(RoleName=call.inputs["role"], PolicyArn=call.inputs["policyArn"])
        return f"{call.inputs['role']}/{call.inputs['policyArn']}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """Whether it is attached."""
        role, arn = self.named(id).values()
        return {"policyArn": arn, "role": role} if arn in Role.managed(call, role) else None


get_role = looked_up("aws:iam/getRole:getRole", Role(), argument("name"))
