"""Launch templates: disks and metadata of instances."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, present
from slipway.sandbox.providers.framework.schema import resource_schema
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, tag_specifications

_TOKEN = "aws:ec2/launchTemplate:LaunchTemplate"
_DATA = {
    "blockDeviceMappings": "BlockDeviceMappings",
    "imageId": "ImageId",
    "instanceType": "InstanceType",
    "metadataOptions": "MetadataOptions",
    "userData": "UserData",
}
_FLAGS = frozenset({"deleteOnTermination", "encrypted"})
"""Booleans that are text in Terraform's schema, where they can be unset."""
_SERVED = {*_DATA, "description", "name", "namePrefix", "region", "tags", "updateDefaultVersion"}


class LaunchTemplate(Ec2Resource):
    """aws.ec2.LaunchTemplate"""

    token = _TOKEN
    lookup = Lookup("describe_launch_templates", "LaunchTemplateIds", "LaunchTemplates")
    deletion = "delete_launch_template"
    id_arguments = ("LaunchTemplateId",)
    force_new = frozenset({"name", "namePrefix"})
    auto_name = AutoName(max_length=128)
    conflict_codes = frozenset({"InvalidLaunchTemplateName.AlreadyExistsException"})
    write_only = frozenset({"updateDefaultVersion"})
    unsupported = frozenset(resource_schema(_TOKEN).inputs.properties.keys() - _SERVED)

    def create(self, call: Call) -> str:
        """Create, with its first version."""
        made = call.client("ec2").create_launch_template(
            LaunchTemplateName=self.new_name(call),
            LaunchTemplateData=_data(call),
            TagSpecifications=tag_specifications(call, "launch-template"),
            **call.given(VersionDescription="description"),
        )
        return made["LaunchTemplate"]["LaunchTemplateId"]

    def find(self, call: Call) -> str | None:
        """By name."""
        found = call.client("ec2").describe_launch_templates(LaunchTemplateNames=[call.inputs.get("name")])
        return next((each["LaunchTemplateId"] for each in found["LaunchTemplates"]), None)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The template and its latest version."""
        latest = live["LatestVersionNumber"]
        versions = call.client("ec2").describe_launch_template_versions(LaunchTemplateId=id, Versions=[str(latest)])
        version = versions["LaunchTemplateVersions"][0]
        data = version["LaunchTemplateData"]
        return {
            **present(**{name: _shown(data.get(key)) for name, key in _DATA.items()}),
            "arn": call.arn("ec2", f"launch-template/{id}"),
            "defaultVersion": live["DefaultVersionNumber"],
            "description": version.get("VersionDescription") or None,
            "latestVersion": latest,
            "name": live["LaunchTemplateName"],
            "tagsAll": tag_map(live.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """A new version: what uses the template takes it by its number."""
        if not call.changes(*_DATA, "description"):
            return
        ec2 = call.client("ec2")
        version = ec2.create_launch_template_version(
            LaunchTemplateId=id, LaunchTemplateData=_data(call), **call.given(VersionDescription="description")
        )["LaunchTemplateVersion"]["VersionNumber"]
        if call.inputs.get("updateDefaultVersion"):
            ec2.modify_launch_template(LaunchTemplateId=id, DefaultVersion=str(version))


def _data(call: Call) -> dict[str, Any]:
    return {key: _api(call.inputs[name]) for name, key in _DATA.items() if call.inputs.get(name) is not None}


def _api(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: _api(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_api(item) for item in value]
    return value == "true" if name in _FLAGS else value


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _shown(item) for key, item in value.items() if key != "State"}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value
