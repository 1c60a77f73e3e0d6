"""Managed policies, users and OpenID Connect providers."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002 - `id` and `token` are Pulumi's words; a type's tables are constants
from collections.abc import Mapping
from typing import Any

from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.check import prefixed_name
from slipway.sandbox.providers.aws.iam_roles import document_text
from slipway.sandbox.providers.aws.resource import AutoName, Call, Resource, tag_map, tag_pairs

_MAX_POLICY_VERSIONS = 5  # IAM's limit; the oldest goes when a sixth is written


class Policy(Resource):
    """aws.iam.Policy"""

    token = "aws:iam/policy:Policy"
    force_new = frozenset({"name", "namePrefix", "path", "description"})
    defaults = {"path": "/"}
    auto_name = AutoName(max_length=128)
    conflicts = (("name", "namePrefix"),)
    json_properties = frozenset({"policy"})
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"delayAfterPolicyCreationInMs"})
    unsupported = frozenset({"delayAfterPolicyCreationInMs"})

    def create(self, call: Call) -> str:
        """Create."""
        name = call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])
        arguments = call.given(Path="path", Description="description")
        return call.client("iam").create_policy(
            PolicyName=name, PolicyDocument=call.inputs["policy"], **arguments, Tags=call.tag_list
        )["Policy"]["Arn"]

    def find(self, call: Call) -> str | None:
        """By path and name."""
        path = call.inputs.get("path") or "/"
        return (
            call.session.arn("iam", f"policy{path}{call.inputs['name']}", region="")
            if call.inputs.get("name")
            else None
        )

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The policy and its default version."""
        iam = call.client("iam")
        policy = iam.get_policy(PolicyArn=id)["Policy"]
        version = iam.get_policy_version(PolicyArn=id, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        return {
            "arn": policy["Arn"],
            "attachmentCount": policy.get("AttachmentCount", 0),
            "description": policy.get("Description") or None,
            "name": policy["PolicyName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "path": policy.get("Path", "/"),
            "policy": document_text(version["Document"]),
            "policyId": policy["PolicyId"],
            "tagsAll": tag_map(policy.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """A new default version; the oldest other one makes room."""
        if not call.changes("policy"):
            return
        iam = call.client("iam")
        versions = iam.list_policy_versions(PolicyArn=id)["Versions"]
        if len(versions) >= _MAX_POLICY_VERSIONS:
            oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: v["CreateDate"])
            iam.delete_policy_version(PolicyArn=id, VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=id, PolicyDocument=call.inputs["policy"], SetAsDefault=True)

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Tags of a policy."""
        iam = call.client("iam")
        if remove:
            iam.untag_policy(PolicyArn=id, TagKeys=remove)
        if add:
            iam.tag_policy(PolicyArn=id, Tags=tag_pairs(add))

    def delete(self, call: Call, id: str) -> None:
        """Other versions first."""
        iam = call.client("iam")
        for version in iam.list_policy_versions(PolicyArn=id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=id, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=id)


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


class OpenIdConnectProvider(Resource):
    """aws.iam.OpenIdConnectProvider"""

    token = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
    force_new = frozenset({"url"})
    conflict_codes = frozenset({"EntityAlreadyExists"})

    def create(self, call: Call) -> str:
        """Create."""
        arguments = call.given(Url="url", ClientIDList="clientIdLists", ThumbprintList="thumbprintLists")
        return call.client("iam").create_open_id_connect_provider(**arguments, Tags=call.tag_list)[
            "OpenIDConnectProviderArn"
        ]

    def find(self, call: Call) -> str | None:
        """By URL."""
        host = str(call.inputs["url"]).removeprefix("https://")
        return call.session.arn("iam", f"oidc-provider/{host}", region="")

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The provider; AWS answers its URL without the scheme, Terraform shows it so."""
        provider = call.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=id)
        given = str(call.inputs.get("url") or call.outputs.get("url") or "")
        live = str(provider["Url"])
        return {
            "arn": id,
            "clientIdLists": sorted(provider.get("ClientIDList") or []),
            "tagsAll": tag_map(provider.get("Tags")),
            "thumbprintLists": list(provider.get("ThumbprintList") or []),
            "url": given if given.removeprefix("https://") == live.removeprefix("https://") else live,
        }

    def update(self, call: Call, id: str) -> None:
        """Clients and thumbprints."""
        iam = call.client("iam")
        if call.changes("thumbprintLists") and call.inputs.get("thumbprintLists"):
            iam.update_open_id_connect_provider_thumbprint(
                OpenIDConnectProviderArn=id, ThumbprintList=call.inputs["thumbprintLists"]
            )
        if call.changes("clientIdLists"):
            old, new = set(call.outputs.get("clientIdLists") or []), set(call.inputs["clientIdLists"])
            for client in sorted(new - old):
                iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=id, ClientID=client)
            for client in sorted(old - new):
                iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=id, ClientID=client)

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Tags of a provider."""
        iam = call.client("iam")
        if remove:
            iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=id, TagKeys=remove)
        if add:
            iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=id, Tags=tag_pairs(add))

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        call.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=id)


RESOURCES = (Policy(), User(), OpenIdConnectProvider())
