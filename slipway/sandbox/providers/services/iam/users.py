"""IAM users."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource
from slipway.sandbox.providers.framework.tags import Tagging, tag_map
from slipway.sandbox.providers.services.iam.roles import set_boundary


class User(Resource):
    """aws.iam.User"""

    token = "aws:iam/user:User"
    service = "iam"
    found_by_name = True
    tagging = Tagging("tag_user", "untag_user", "UserName", by="name")
    force_new = frozenset[str]()
    defaults = {"forceDestroy": False, "path": "/"}
    auto_name = AutoName(max_length=64)
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"forceDestroy"})

    def create(self, call: Call) -> str:
        call.client("iam").create_user(
            UserName=call.inputs["name"],
            **call.given("path", "permissionsBoundary"),
            Tags=call.tag_list,
        )
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
            call.outputs = {**call.outputs, "name": call.inputs["name"]}
        set_boundary(call, "user", UserName=call.inputs["name"])

    def delete(self, call: Call, id: str) -> None:
        """Delete; keys and attached policies only go when forced."""
        iam, state = call.client("iam"), call.state
        name = state.get("name") or id
        if state.get("forceDestroy"):
            for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
            for policy in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
                iam.detach_user_policy(UserName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_user(UserName=name)
