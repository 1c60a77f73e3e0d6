"""The secret that RDS keeps for a master user: a random password, and its rotation."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable

from moto.rds.models import MasterUserSecret
from moto.secretsmanager.models import FakeSecret

PASSWORD_BYTES = 24


def replace_secret_text() -> None:
    """moto writes a fixed user and password into managed secrets; write the instance's user and a random one."""
    MasterUserSecret._generate_secret_string = _managed_secret_text


def password_in(text: str) -> str:
    """Of a secret's text, as RDS writes it."""
    return str(json.loads(text)["password"])


def rotate(secret: FakeSecret, set_password: Callable[[str], None], version: str) -> None:
    """Give the server a new password, and only then the secret: a failure leaves the secret as it was.

    `version`: the new one's id. Where the secret has it already, the request is a repeated one, and nothing changes.
    """
    if version in secret.versions:
        return
    fields = json.loads(secret.versions[str(secret.default_version_id)]["secret_string"])
    fields["password"] = _random_password()
    set_password(fields["password"])
    now = int(time.time())
    made = {
        "createdate": now,
        "version_id": version,
        "version_stages": ["AWSCURRENT"],
        "secret_string": json.dumps(fields),
    }
    secret.reset_default_version(made, version)
    secret.rotation_requested = True
    secret.last_rotation_date = secret.last_changed_date = now


def _managed_secret_text(self: MasterUserSecret) -> str:
    return json.dumps({"username": self.resource.master_username, "password": _random_password()})


def _random_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)
