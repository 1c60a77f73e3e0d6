"""Access keys of IAM users."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource, utc_time


class AccessKey(Resource):
    """aws.iam.AccessKey"""

    token = "aws:iam/accessKey:AccessKey"
    force_new = frozenset({"user", "pgpKey"})
    defaults = {"status": "Active"}
    enums = {"status": ("Active", "Inactive")}
    secret = frozenset({"secret", "sesSmtpPasswordV4"})
    unsupported = frozenset({"pgpKey"})

    def create(self, call: Call) -> str:
        """Create. AWS says the secret this once, so it goes from here into the outputs."""
        iam = call.client("iam")
        key = iam.create_access_key(UserName=call.inputs["user"])["AccessKey"]
        secret = str(key["SecretAccessKey"])
        call.outputs |= {"secret": secret, "sesSmtpPasswordV4": smtp_password(secret, call.region)}
        if call.inputs["status"] != "Active":
            _set_status(call, key["AccessKeyId"])
        return key["AccessKeyId"]

    def import_outputs(self, call: Call, id: str) -> None:
        """The key's user; AWS has no call for one key."""
        iam = call.client("iam")
        users = (user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"])
        owner = next((user for user in users if _find_key(iam, user, id) is not None), None)
        if owner is not None:
            call.inputs["user"] = owner

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The key; its secret is what the state has, and nothing after an import."""
        user = call.inputs.get("user") or call.outputs.get("user")
        key = _find_key(call.client("iam"), str(user), id) if user else None
        if key is None:
            return None
        return {
            "createDate": utc_time(key.get("CreateDate")),
            "secret": call.outputs.get("secret"),
            "sesSmtpPasswordV4": call.outputs.get("sesSmtpPasswordV4"),
            "status": key["Status"],
            "user": user,
        }

    def update(self, call: Call, id: str) -> None:
        """Status."""
        if call.changes("status"):
            _set_status(call, id)

    def delete(self, call: Call, id: str) -> None:
        user = call.inputs.get("user") or call.outputs["user"]
        call.client("iam").delete_access_key(UserName=user, AccessKeyId=id)


def smtp_password(secret: str, region: str) -> str:
    """The password for SES's SMTP endpoint that belongs to a secret key.

    Source: SES developer guide, "Obtaining Amazon SES SMTP credentials by converting existing AWS credentials".
    """
    signature = f"AWS4{secret}".encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signature = hmac.new(signature, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signature).decode()


def _find_key(iam: Any, user: str, id: str) -> dict[str, Any] | None:
    pages = iam.get_paginator("list_access_keys").paginate(UserName=user)
    return next((key for page in pages for key in page["AccessKeyMetadata"] if key["AccessKeyId"] == id), None)


def _set_status(call: Call, id: str) -> None:
    call.client("iam").update_access_key(UserName=call.inputs["user"], AccessKeyId=id, Status=call.inputs["status"])
