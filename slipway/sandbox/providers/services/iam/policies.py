"""IAM policies."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource
from slipway.sandbox.providers.framework.tags import Tagging, tag_map
from slipway.sandbox.providers.services.iam.roles import document_text

_MAX_POLICY_VERSIONS = 5  # IAM's limit; the oldest goes when a sixth is written


class Policy(Resource):
    """aws.iam.Policy"""

    token = "aws:iam/policy:Policy"
    service = "iam"
    lookup = Lookup("get_policy", "PolicyArn", "Policy")
    deletion = "delete_policy"
    id_arguments = ("PolicyArn",)
    tagging = Tagging("tag_policy", "untag_policy", "PolicyArn", by="")
    force_new = frozenset({"name", "namePrefix", "path", "description"})
    defaults = {"path": "/"}
    auto_name = AutoName(max_length=128)
    json_properties = frozenset({"policy"})
    conflict_codes = frozenset({"EntityAlreadyExists"})
    write_only = frozenset({"delayAfterPolicyCreationInMs"})
    unsupported = frozenset({"delayAfterPolicyCreationInMs"})

    def create(self, call: Call) -> str:
        arguments = call.given("path", "description", PolicyDocument="policy")
        made = call.client("iam").create_policy(PolicyName=self.new_name(call), **arguments, Tags=call.tag_list)
        return made["Policy"]["Arn"]

    def find(self, call: Call) -> str | None:
        """By path and name."""
        path, name = call.inputs.get("path") or "/", call.inputs.get("name")
        return call.session.arn("iam", f"policy{path}{name}", region="") if name else None

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The policy and its default version."""
        version = call.client("iam").get_policy_version(PolicyArn=id, VersionId=live["DefaultVersionId"])[
            "PolicyVersion"
        ]
        return {
            "name": live["PolicyName"],
            "policy": document_text(version["Document"]),
            "tagsAll": tag_map(live.get("Tags")),
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

    def delete(self, call: Call, id: str) -> None:
        """Other versions first."""
        iam = call.client("iam")
        for version in iam.list_policy_versions(PolicyArn=id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=id, VersionId=version["VersionId"])
        super().delete(call, id)
