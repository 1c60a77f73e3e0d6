"""IAM users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, tag_map, tag_pairs


class User(Resource):
    """aws.iam.User"""

    token = "aws:iam/user:User"
    force_new = frozenset[str]()
    defaults = {"forceDestroy": False, "path": "/"}
    auto_name = AutoName(max_length=64)
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"forceDestroy"})

    def create(self, call: Call) -> str:
        """Create."""
        call.client("iam").create_user(
            UserName=call.inputs["name"],
            **call.given(Path="path", PermissionsBoundary="permissionsBoundary"),
            Tags=call.tag_list,
        )
        return call.inputs["name"]

    def find(self, call: Call) -> str | None:
        """By name."""
        return call.inputs["name"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The user. A renamed one keeps its id in the state, as at Terraform; its name says where it is."""
        iam = call.client("iam")
        user = iam.get_user(UserName=call.inputs.get("name") or call.outputs.get("name") or id)["User"]
        tags: Any = iam.list_user_tags(UserName=user["UserName"])["Tags"]
        return {
            "arn": user["Arn"],
            "name": user["UserName"],
            "path": user["Path"],
            "permissionsBoundary": (user.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
            "tagsAll": tag_map(tags),
            "uniqueId": user["UserId"],
        }

    def update(self, call: Call, id: str) -> None:
        """Name, path and boundary."""
        iam = call.client("iam")
        if call.changes("name", "path"):
            iam.update_user(
                UserName=call.outputs.get("name") or id,
                NewUserName=call.inputs["name"],
                NewPath=call.inputs.get("path") or "/",
            )
        if call.changes("permissionsBoundary"):
            if call.inputs.get("permissionsBoundary"):
                iam.put_user_permissions_boundary(
                    UserName=call.inputs["name"], PermissionsBoundary=call.inputs["permissionsBoundary"]
                )
            else:
                iam.delete_user_permissions_boundary(UserName=call.inputs["name"])

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Tags of a user."""
        iam, name = call.client("iam"), call.inputs.get("name") or id
        if remove:
            iam.untag_user(UserName=name, TagKeys=remove)
        if add:
            iam.tag_user(UserName=name, Tags=tag_pairs(add))

    def delete(self, call: Call, id: str) -> None:
        """Delete; keys and attached policies only go when forced."""
        iam, state = call.client("iam"), {**call.outputs, **call.inputs}
        name = state.get("name") or id
        if state.get("forceDestroy"):
            for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
            for policy in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
                iam.detach_user_policy(UserName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_user(UserName=name)


RESOURCES = (User(),)
