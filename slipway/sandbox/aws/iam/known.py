"""What the sandbox has, by the names that requests give it. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.kms.utils import _deserialize_ciphertext_blob
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from slipway.sandbox.aws.iam.patterns import ARN_PARTS

PARTITION = "aws"
PRINCIPAL = re.compile(r"arn:[^:]*:(?:iam|sts)::(?P<account>\d*):(?P<kind>[\w-]+)/(?P<name>.+)")


def role(arn: str) -> Any | None:
    """moto's role."""
    found = PRINCIPAL.fullmatch(arn)
    if not found:
        return None
    roles = iam_backends[found["account"]][PARTITION].roles.values() if found["account"] in iam_backends else ()
    return next((each for each in roles if each.arn == arn), None)


def user(arn: str) -> Any | None:
    """moto's user."""
    found = PRINCIPAL.fullmatch(arn)
    if not found:
        return None
    users = iam_backends[found["account"]][PARTITION].users.values() if found["account"] in iam_backends else ()
    return next((each for each in users if each.arn == arn), None)


def key_arn(key: str, account: str, region: str) -> str | None:
    """Of a KMS key, by id, ARN, alias or the alias's ARN."""
    backend: Any = kms_backends[account][region]
    name = backend.get_alias_name(key)
    key_id = backend.get_key_id_from_alias(name) if name.startswith("alias/") else backend.get_key_id(name)
    found = backend.keys.get(key_id)
    return str(found.arn) if found else None


def key_aliases(arn: str) -> list[str]:
    """Of a KMS key by its ARN; none where it leads nowhere."""
    parts = arn.split(":", 5)
    if len(parts) < ARN_PARTS or not parts[5].startswith("key/") or parts[4] not in kms_backends:
        return []
    found: Any = kms_backends[parts[4]][parts[3]].keys.get(parts[5].removeprefix("key/"))
    return sorted(str(alias) for alias in found.aliases) if found else []


def table(arn: str) -> Any | None:
    """moto's table of DynamoDB, by its ARN or that of a part of it."""
    parts = arn.split(":", 5)
    if len(parts) < ARN_PARTS or parts[4] not in dynamodb_backends or parts[3] not in dynamodb_backends[parts[4]]:
        return None
    return dynamodb_backends[parts[4]][parts[3]].tables.get(parts[5].removeprefix("table/").partition("/")[0])


def table_key(arn: str) -> str:
    """The ARN of the caller's own key that a table is encrypted with; empty where it has none, or one of AWS's."""
    found = table(arn)
    encryption: dict[str, Any] = (found.sse_specification if found else None) or {}
    key = str(encryption.get("KMSMasterKeyId") or "")
    _, _, _, region, account, _ = arn.split(":", 5)
    return (key_arn(key, account, region) or "") if encryption.get("Enabled") and key else ""


def boundary_arn(arn: str) -> str:
    """The permissions boundary of a role or user; empty for one without."""
    found = PRINCIPAL.fullmatch(arn)
    if not found or found["account"] not in iam_backends:
        return ""
    backend: Any = iam_backends[found["account"]][PARTITION]
    holders: list[Any] = [*backend.roles.values(), *backend.users.values()]
    holder = next((each for each in holders if each.arn == arn), None)
    return str(getattr(holder, "permissions_boundary_arn", None) or "")


def enabled_key_arn(key: str, account: str, region: str) -> str | None:
    """As `key_arn`, of a key that may be used now. `key` may be an ARN that leads nowhere."""
    try:
        arn = key_arn(key, account, region)
        found: Any = kms_backends[account][region].keys[arn.rpartition("/")[2]] if arn else None
    except KeyError:  # no such region
        return None
    return arn if found and found.key_state == "Enabled" else None


def key_of_ciphertext(blob: object) -> str:
    """The id of the key that a text was encrypted with; empty for what is no ciphertext."""
    try:
        return str(_deserialize_ciphertext_blob(bytes(blob)).key_id)  # pyright: ignore[reportArgumentType]
    except Exception:  # noqa: BLE001 - moto's reader takes any bytes and fails as they come
        return ""


def secret_arn(secret: str, account: str, region: str) -> str:
    """Of a secret, by name, ARN or the beginning of one. One that does not exist gets the ARN that its name would lead to."""
    secrets: Any = secretsmanager_backends[account][region].secrets
    try:
        return str(secrets[secret].arn)
    except KeyError:
        return (
            secret
            if secret.startswith("arn:")
            else f"arn:{PARTITION}:secretsmanager:{region}:{account}:secret:{secret}-*"
        )


def ec2_tags(resource: str, account: str, region: str) -> dict[str, str]:
    """Of anything in EC2, by its id; addresses and endpoints are not among what moto lists."""
    if account not in ec2_backends or region not in ec2_backends[account]:
        return {}
    found: dict[str, str] = ec2_backends[account][region].tags.get(resource, {})
    return dict(found)


def ec2_associated(association: str, account: str, region: str) -> list[str]:
    """The ids of what an association of EC2 is between: a route table and its subnet, or an address."""
    backend: Any = ec2_backends[account][region]
    between = [
        part
        for table in backend.route_tables.values()
        if association in table.all_associations_ids
        for part in (table.id, table._associations.get(association))
        if part
    ]
    addresses = [each.allocation_id for each in backend.addresses if each.association_id == association]
    return [*between, *addresses]


def bucket_owner(bucket: str) -> str | None:
    """The account of a bucket."""
    found = s3_backends.bucket_accounts.get(bucket)
    return str(found[1]) if found else None


def iam_arn(kind: str, name: str, account: str, path: str = "/") -> str:
    """Of a user, group, role or instance profile, with its path; `path` is that of one which is about to be made."""
    backend: Any = iam_backends[account][PARTITION]
    places: dict[str, Callable[[], Any]] = {
        "user": lambda: backend.users.get(name),
        "group": lambda: backend.groups.get(name),
        "role": lambda: next((each for each in backend.roles.values() if each.name == name), None),
        "instance-profile": lambda: next((p for p in backend.instance_profiles.values() if p.name == name), None),
    }
    found = places[kind]() if kind in places else None
    return str(found.arn) if found else f"arn:{PARTITION}:iam::{account}:{kind}{path or '/'}{name}"


def profile_roles(profile: str, account: str) -> list[str]:
    """The ARNs of an instance profile's roles, by its name or ARN."""
    profiles: Any = iam_backends[account][PARTITION].instance_profiles.values()
    return [str(each.arn) for found in profiles if profile in {found.name, found.arn} for each in found.roles]


def identity_part(part: str, principals: list[str]) -> list[str]:
    """A part of an access entry's ARN, which is made from its principal's."""
    found = PRINCIPAL.fullmatch(principals[0]) if principals else None
    if not found:
        return []
    parts = {"IamIdentityType": "kind", "IamIdentityAccountID": "account", "IamIdentityName": "name"}
    return [found[parts[part]].rpartition("/")[2]] if part in parts else []
