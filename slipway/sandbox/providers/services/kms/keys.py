"""KMS keys and aliases."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import error_code
from slipway.sandbox.providers.framework.functions import argument, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, unless_missing
from slipway.sandbox.providers.framework.tags import MARKER_TAG, Tagging, marker_value, tag_map

DELETION_WINDOW_DAYS = 30  # Terraform's default, and the longest that AWS takes


class Key(Resource):
    """aws.kms.Key"""

    token = "aws:kms/key:Key"
    service = "kms"
    lookup = Lookup("describe_key", "KeyId", "KeyMetadata")
    tagging = Tagging(target="KeyId", by="")
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
        arguments = call.given("description", "policy", "keyUsage", "multiRegion", KeySpec="customerMasterKeySpec")
        tags = [{"TagKey": key, "TagValue": value} for key, value in call.tags.items()]
        key_id = kms.create_key(**arguments, Tags=tags)["KeyMetadata"]["KeyId"]
        if call.inputs.get("enableKeyRotation"):
            kms.enable_key_rotation(KeyId=key_id, **call.given("rotationPeriodInDays"))
        if not call.inputs.get("isEnabled", True):
            kms.disable_key(KeyId=key_id)
        return key_id

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap | None:
        """The key; one that waits for its deletion is gone."""
        kms = call.client("kms")
        if live.get("KeyState") in {"PendingDeletion", "PendingReplicaDeletion"}:
            return None
        rotation: PropertyMap = {}
        if live.get("KeySpec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT":
            rotation = kms.get_key_rotation_status(KeyId=id)
        tags = kms.list_resource_tags(KeyId=id).get("Tags")
        enabled = bool(rotation.get("KeyRotationEnabled"))
        return {
            "customerMasterKeySpec": live.get("KeySpec") or live.get("CustomerMasterKeySpec"),
            "enableKeyRotation": enabled,
            "isEnabled": bool(live.get("Enabled")),
            "keyUsage": live.get("KeyUsage"),
            "policy": kms.get_key_policy(KeyId=id, PolicyName="default")["Policy"],
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
                kms.enable_key_rotation(KeyId=id, **call.given("rotationPeriodInDays"))
            else:
                kms.disable_key_rotation(KeyId=id)
        if call.changes("description"):
            kms.update_key_description(KeyId=id, Description=call.inputs.get("description") or "")
        if call.changes("policy") and call.inputs.get("policy"):
            kms.put_key_policy(KeyId=id, PolicyName="default", Policy=call.inputs["policy"])
        if call.changes("isEnabled") and not enabled:
            kms.disable_key(KeyId=id)

    def delete(self, call: Call, id: str) -> None:
        """Schedule the deletion: AWS never deletes a key at once."""
        days = call.state.get("deletionWindowInDays") or DELETION_WINDOW_DAYS
        try:
            call.client("kms").schedule_key_deletion(KeyId=id, PendingWindowInDays=int(days))
        except Exception as error:
            if error_code(error) != "KMSInvalidStateException":  # it is scheduled already
                raise


class Alias(Resource):
    """aws.kms.Alias"""

    token = "aws:kms/alias:Alias"
    service = "kms"
    deletion = "delete_alias"
    id_arguments = ("AliasName",)
    force_new = frozenset({"name", "namePrefix"})
    auto_name = AutoName(prefix="alias/")
    conflict_codes = frozenset({"AlreadyExistsException"})

    def create(self, call: Call) -> str:
        name = self.new_name(call)
        call.client("kms").create_alias(AliasName=name, TargetKeyId=call.inputs["targetKeyId"])
        return name

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The alias among all aliases; KMS has no call for one."""
        kms = call.client("kms")
        for page in kms.get_paginator("list_aliases").paginate():
            for alias in page["Aliases"]:
                if alias["AliasName"] == id and alias.get("TargetKeyId"):
                    key: Any = unless_missing(lambda id_=alias["TargetKeyId"]: kms.describe_key(KeyId=id_))
                    key_arn = key["KeyMetadata"]["Arn"] if key else ""
                    given = call.inputs.get("targetKeyId")
                    return {
                        "arn": alias["AliasArn"],
                        "name": id,
                        "targetKeyArn": key_arn,
                        # The ARN and the id name the same key: keep the program's way of saying it.
                        "targetKeyId": given if given in {key_arn, alias["TargetKeyId"]} else alias["TargetKeyId"],
                    }
        return None

    def update(self, call: Call, id: str) -> None:
        """Another key."""
        call.client("kms").update_alias(AliasName=id, TargetKeyId=call.inputs["targetKeyId"])


get_alias = looked_up("aws:kms/getAlias:getAlias", Alias(), argument("name"))
