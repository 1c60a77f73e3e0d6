"""Launch templates: disks and metadata of instances."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.resource import AutoName, Call, present, tag_map
from slipway.sandbox.providers.framework.schema import resource_schema
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
    force_new = frozenset({"name", "namePrefix"})
    auto_name = AutoName(max_length=128)
    conflicts = (("name", "namePrefix"),)
    conflict_codes = frozenset({"InvalidLaunchTemplateName.AlreadyExistsException"})
    write_only = frozenset({"updateDefaultVersion"})
    unsupported = frozenset(resource_schema(_TOKEN).inputs.properties.keys() - _SERVED)

    def create(self, call: Call) -> str:
        """Create, with its first version."""
        name = str(call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"]))
        return call.client("ec2").create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData=_data(call),
            TagSpecifications=tag_specifications(call, "launch-template"),
            **call.given(VersionDescription="description"),
        )["LaunchTemplate"]["LaunchTemplateId"]

    def find(self, call: Call) -> str | None:
        """By name."""
        if not call.inputs.get("name"):
            return None
        found = call.client("ec2").describe_launch_templates(LaunchTemplateNames=[call.inputs["name"]])[
            "LaunchTemplates"
        ]
        return found[0]["LaunchTemplateId"] if found else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The template and its latest version."""
        ec2 = call.client("ec2")
        templates = ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"]
        if not templates:
            return None
        template = templates[0]
        latest = template["LatestVersionNumber"]
        version = ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=[str(latest)])
        found = version["LaunchTemplateVersions"][0]
        live = found["LaunchTemplateData"]
        return {
            **present(**{name: _shown(live.get(key)) for name, key in _DATA.items()}),
            "arn": call.arn("ec2", f"launch-template/{id}"),
            "defaultVersion": template["DefaultVersionNumber"],
            "description": found.get("VersionDescription") or None,
            "latestVersion": latest,
            "name": template["LaunchTemplateName"],
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "region": call.region,
            "tagsAll": tag_map(template.get("Tags")),
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

    def delete(self, call: Call, id: str) -> None:
        """Delete, with all versions."""
        call.client("ec2").delete_launch_template(LaunchTemplateId=id)


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


RESOURCES = (LaunchTemplate(),)
