"""IAM policies."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, tag_map, tag_pairs
from slipway.sandbox.providers.services.iam.roles import document_text

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


RESOURCES = (Policy(),)
