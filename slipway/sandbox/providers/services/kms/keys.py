"""KMS keys and aliases."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.faults import error_code
from slipway.sandbox.providers.framework.functions import Function, argument, looked_up
from slipway.sandbox.providers.framework.resource import MARKER_TAG, AutoName, Call, Resource, marker_value, tag_map

DELETION_WINDOW_DAYS = 30  # Terraform's default, and the longest that AWS takes


class Key(Resource):
    """aws.kms.Key"""

    token = "aws:kms/key:Key"
    force_new = frozenset({"customerMasterKeySpec", "keyUsage", "multiRegion"})
    defaults = {
        "bypassPolicyLockoutSafetyCheck": False,
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "enableKeyRotation": False,
        "isEnabled": True,
        "keyUsage": "ENCRYPT_DECRYPT",
    }
    json_properties = frozenset({"policy"})
    write_only = frozenset({"bypassPolicyLockoutSafetyCheck", "deletionWindowInDays"})
    unsupported = frozenset({"bypassPolicyLockoutSafetyCheck", "customKeyStoreId", "xksKeyId"})

    def find_marked(self, call: Call) -> list[str]:
        """A key has no name, and no list of keys can be filtered."""
        kms, wanted = call.client("kms"), {"TagKey": MARKER_TAG, "TagValue": marker_value(call.ctx.urn)}
        ids = [key["KeyId"] for page in kms.get_paginator("list_keys").paginate() for key in page["Keys"]]
        return [key for key in ids if wanted in kms.list_resource_tags(KeyId=key)["Tags"]]

    def create(self, call: Call) -> str:
        """Create, then rotation and state, which CreateKey does not take."""
        kms = call.client("kms")
        arguments = call.given(
            Description="description",
            Policy="policy",
            KeySpec="customerMasterKeySpec",
            KeyUsage="keyUsage",
            MultiRegion="multiRegion",
        )
        tags = [{"TagKey": key, "TagValue": value} for key, value in call.tags.items()]
        key_id = kms.create_key(**arguments, Tags=tags)["KeyMetadata"]["KeyId"]
        if call.inputs.get("enableKeyRotation"):
            kms.enable_key_rotation(KeyId=key_id, **call.given(RotationPeriodInDays="rotationPeriodInDays"))
        if not call.inputs.get("isEnabled", True):
            kms.disable_key(KeyId=key_id)
        return key_id

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The key; one that waits for its deletion is gone."""
        kms = call.client("kms")
        key = kms.describe_key(KeyId=id)["KeyMetadata"]
        if key.get("KeyState") in {"PendingDeletion", "PendingReplicaDeletion"}:
            return None
        rotation: PropertyMap = {}
        if key.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT":
            rotation = kms.get_key_rotation_status(KeyId=id)
        tags = kms.list_resource_tags(KeyId=id).get("Tags")
        enabled = bool(rotation.get("KeyRotationEnabled"))
        return {
            "arn": key["Arn"],
            "customerMasterKeySpec": key.get("KeySpec") or key.get("CustomerMasterKeySpec"),
            "description": key.get("Description", ""),
            "enableKeyRotation": enabled,
            "isEnabled": bool(key.get("Enabled")),
            "keyId": key["KeyId"],
            "keyUsage": key.get("KeyUsage"),
            "multiRegion": bool(key.get("MultiRegion")),
            "policy": kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"],
            "region": call.region,
            "rotationPeriodInDays": rotation.get("RotationPeriodInDays") if enabled else 0,
            "tagsAll": tag_map(tags, "TagKey", "TagValue"),
        }

    def update(self, call: Call, id: str) -> None:
        """Enable before, disable after anything else: a disabled key takes no change."""
        kms = call.client("kms")
        enabled = bool(call.inputs.get("isEnabled", True))
        if call.changes("isEnabled") and enabled:
            kms.enable_key(KeyId=id)
        if call.changes("enableKeyRotation", "rotationPeriodInDays"):
            if call.inputs.get("enableKeyRotation"):
                kms.enable_key_rotation(KeyId=id, **call.given(RotationPeriodInDays="rotationPeriodInDays"))
            else:
                kms.disable_key_rotation(KeyId=id)
        if call.changes("description"):
            kms.update_key_description(KeyId=id, Description=call.inputs.get("description") or "")
        if call.changes("policy") and call.inputs.get("policy"):
            kms.put_key_policy(KeyId=id, PolicyName="default", Policy=call.inputs["policy"])
        if call.changes("isEnabled") and not enabled:
            kms.disable_key(KeyId=id)

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """KMS has words of its own for tags."""
        kms = call.client("kms")
        if remove:
            kms.untag_resource(KeyId=id, TagKeys=remove)
        if add:
            kms.tag_resource(KeyId=id, Tags=[{"TagKey": k, "TagValue": v} for k, v in add.items()])

    def delete(self, call: Call, id: str) -> None:
        """Schedule the deletion: AWS never deletes a key at once."""
        days = (
            call.inputs.get("deletionWindowInDays") or call.outputs.get("deletionWindowInDays") or DELETION_WINDOW_DAYS
        )
        try:
            call.client("kms").schedule_key_deletion(KeyId=id, PendingWindowInDays=int(days))
        except Exception as error:
            if error_code(error) != "KMSInvalidStateException":  # it is scheduled already
                raise


class Alias(Resource):
    """aws.kms.Alias"""

    token = "aws:kms/alias:Alias"
    force_new = frozenset({"name", "namePrefix"})
    auto_name = AutoName(prefix="alias/")
    conflicts = (("name", "namePrefix"),)
    conflict_codes = frozenset({"AlreadyExistsException"})

    def create(self, call: Call) -> str:
        """Create."""
        name = call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])
        call.client("kms").create_alias(AliasName=name, TargetKeyId=call.inputs["targetKeyId"])
        return name

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The alias among all aliases; KMS has no call for one."""
        kms = call.client("kms")
        for page in kms.get_paginator("list_aliases").paginate():
            for alias in page["Aliases"]:
                if alias["AliasName"] == id and alias.get("TargetKeyId"):
                    key_arn = ""
                    with contextlib.suppress(kms.exceptions.NotFoundException):
                        key_arn = kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]
                    given = call.inputs.get("targetKeyId")
                    return {
                        "arn": alias["AliasArn"],
                        "name": id,
                        "namePrefix": call.inputs.get("namePrefix", ""),
                        "region": call.region,
                        "targetKeyArn": key_arn,
                        # The ARN and the id name the same key: keep the program's way of saying it.
                        "targetKeyId": given if given in {key_arn, alias["TargetKeyId"]} else alias["TargetKeyId"],
                    }
        return None

    def update(self, call: Call, id: str) -> None:
        """Another key."""
        call.client("kms").update_alias(AliasName=id, TargetKeyId=call.inputs["targetKeyId"])

    def delete(self, call: Call, id: str) -> None:
        """Delete the alias, not its key."""
        call.client("kms").delete_alias(AliasName=id)


RESOURCES = (Key(), Alias())
FUNCTIONS: Mapping[str, Function] = {
    "aws:kms/getAlias:getAlias": looked_up(Alias(), argument("name")),
}
