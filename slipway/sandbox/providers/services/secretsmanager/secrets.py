"""Secrets Manager secrets and their versions."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import error_code
from slipway.sandbox.providers.framework.functions import FunctionCall, function, looked_up
from slipway.sandbox.providers.framework.resource import (
    AutoName,
    Call,
    Resource,
    unless_missing,
    utc_time,
)
from slipway.sandbox.providers.framework.tags import Tagging, tag_map

RECOVERY_WINDOW_DAYS = 30
DEFAULT_KEY = "alias/aws/secretsmanager"
_VERSION_NAMESPACE = uuid.UUID("6d5d2f0e-0c6b-5c6a-9a51-2f1f8f5d7f10")  # of the deterministic version ids below


class Secret(Resource):
    """aws.secretsmanager.Secret"""

    token = "aws:secretsmanager/secret:Secret"
    service = "secretsmanager"
    tagging = Tagging(target="SecretId")
    force_new = frozenset({"name", "namePrefix"})
    defaults = {"forceOverwriteReplicaSecret": False, "recoveryWindowInDays": RECOVERY_WINDOW_DAYS}
    auto_name = AutoName(max_length=512)
    json_properties = frozenset({"policy"})
    conflict_codes = frozenset({"ResourceExistsException"})
    write_only = frozenset({"forceOverwriteReplicaSecret", "recoveryWindowInDays"})
    unsupported = frozenset({"replicas", "type"})

    def create(self, call: Call) -> str:
        """Create, empty."""
        client = call.client("secretsmanager")
        arguments = call.given("description", "kmsKeyId")
        arn = client.create_secret(Name=self.new_name(call), **arguments, Tags=call.tag_list)["ARN"]
        if call.inputs.get("policy"):
            client.put_resource_policy(SecretId=arn, ResourcePolicy=call.inputs["policy"])
        return arn

    def find(self, call: Call) -> str | None:
        """By name."""
        name = call.inputs.get("name")
        return call.client("secretsmanager").describe_secret(SecretId=name)["ARN"] if name else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The secret without its value; one in its recovery window is gone."""
        client = call.client("secretsmanager")
        secret = client.describe_secret(SecretId=id)
        if secret.get("DeletedDate"):
            return None
        return {
            "arn": secret["ARN"],
            "description": secret.get("Description") or None,
            "kmsKeyId": secret.get("KmsKeyId") or _default_key(call),
            "name": secret["Name"],
            "policy": self._policy(call, id),
            "tagsAll": tag_map(secret.get("Tags")),
        }

    @staticmethod
    def _policy(call: Call, id: str) -> str:
        found: Any = unless_missing(lambda: call.client("secretsmanager").get_resource_policy(SecretId=id))
        return (found or {}).get("ResourcePolicy") or ""

    def update(self, call: Call, id: str) -> None:
        """Description, key and policy."""
        client, inputs = call.client("secretsmanager"), call.inputs
        if call.changes("description", "kmsKeyId"):
            client.update_secret(SecretId=id, Description=inputs.get("description") or "", **call.given("kmsKeyId"))
        if call.changes("policy"):
            if inputs.get("policy"):
                client.put_resource_policy(SecretId=id, ResourcePolicy=inputs["policy"])
            else:
                client.delete_resource_policy(SecretId=id)

    def delete(self, call: Call, id: str) -> None:
        """Delete with the recovery window; 0 days means at once."""
        days = call.state.get("recoveryWindowInDays")
        days = RECOVERY_WINDOW_DAYS if days is None else int(days)
        arguments = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        try:
            call.client("secretsmanager").delete_secret(SecretId=id, **arguments)
        except Exception as error:
            if error_code(error) != "InvalidRequestException" or self.read(call, id) is not None:
                raise  # else: it waits for its deletion already


def _default_key(call: Call) -> str | None:
    """The service's own key, which AWS leaves out of its answer, where the program names it."""
    given = call.inputs.get("kmsKeyId") or call.outputs.get("kmsKeyId")
    return given if given == DEFAULT_KEY else None


class SecretVersion(Resource):
    """aws.secretsmanager.SecretVersion

    The request token is made from the URN and the value, so that a killed run does not leave a second version: AWS takes the same
    token with the same value for the same request.
    """

    token = "aws:secretsmanager/secretVersion:SecretVersion"
    id_arguments = ("SecretArn", "VersionId")
    id_separator = "|"
    force_new = frozenset({"secretId", "secretString", "secretBinary", "secretStringWoVersion"})
    conflicts = (("secretString", "secretBinary", "secretStringWo"),)
    secret = frozenset({"secretString", "secretBinary"})
    write_only = frozenset({"secretStringWoVersion"})

    def check(self, inputs: PropertyMap) -> list[tuple[str, str]]:
        """A version has a value."""
        if not any(name in inputs for name in ("secretString", "secretBinary", "secretStringWo")):
            return [("secretString", "one of secretString, secretBinary, secretStringWo must be given")]
        return []

    def create(self, call: Call) -> str:
        """Put the value."""
        inputs = call.inputs
        value = inputs.get("secretString", inputs.get("secretStringWo"))
        content = (
            {"SecretString": value} if value is not None else {"SecretBinary": base64.b64decode(inputs["secretBinary"])}
        )
        seed = f"{call.ctx.urn}|{inputs['secretId']}|{inputs.get('secretStringWoVersion')}|{content}"
        answer = call.client("secretsmanager").put_secret_value(
            SecretId=inputs["secretId"],
            ClientRequestToken=str(uuid.uuid5(_VERSION_NAMESPACE, seed)),
            **content,
            **call.given("versionStages"),
        )
        return f"{answer['ARN']}|{answer['VersionId']}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The version and its stages."""
        arn, version_id = self.named(id).values()
        client = call.client("secretsmanager")
        if client.describe_secret(SecretId=arn).get("DeletedDate"):
            return None
        answer = client.get_secret_value(SecretId=arn, VersionId=version_id)
        state = call.state
        hidden = bool(state.get("hasSecretStringWo") or "secretStringWo" in call.inputs)
        binary = answer.get("SecretBinary")
        given = state.get("secretId")
        return {
            "arn": answer["ARN"],
            "hasSecretStringWo": hidden,
            "secretArn": answer["ARN"],
            "secretBinary": base64.b64encode(binary).decode() if binary else None,
            "secretId": given if given in {answer["ARN"], answer["Name"]} else answer["ARN"],
            "secretString": None if hidden else answer.get("SecretString"),
            "versionId": answer["VersionId"],
            "versionStages": answer.get("VersionStages") or [],
        }

    def update(self, call: Call, id: str) -> None:
        """Move stages."""
        if not call.changes("versionStages"):
            return
        arn, version_id = self.named(id).values()
        client = call.client("secretsmanager")
        old, new = set(call.outputs.get("versionStages") or []), set(call.inputs.get("versionStages") or ["AWSCURRENT"])
        holders = {
            stage: version
            for version, stages in client.describe_secret(SecretId=arn)["VersionIdsToStages"].items()
            for stage in stages
        }
        for stage in sorted(new - old):
            held = {"RemoveFromVersionId": holders[stage]} if stage in holders else {}
            client.update_secret_version_stage(SecretId=arn, VersionStage=stage, MoveToVersionId=version_id, **held)
        for stage in sorted(old - new - {"AWSCURRENT"}):
            client.update_secret_version_stage(SecretId=arn, VersionStage=stage, RemoveFromVersionId=version_id)

    def delete(self, call: Call, id: str) -> None:
        """Take its stages away; AWS forgets versions without stages. The current one stays until it is replaced or the secret goes."""
        arn, version_id = self.named(id).values()
        client = call.client("secretsmanager")
        secret = client.describe_secret(SecretId=arn)
        if secret.get("DeletedDate"):
            return
        for stage in (secret.get("VersionIdsToStages") or {}).get(version_id, []):
            if stage != "AWSCURRENT":
                client.update_secret_version_stage(SecretId=arn, VersionStage=stage, RemoveFromVersionId=version_id)


def _secret_arn(call: FunctionCall) -> str:
    wanted = call.args.get("arn") or call.required("name")
    return str(call.client("secretsmanager").describe_secret(SecretId=wanted)["ARN"])


@function("aws:secretsmanager/getSecretVersion:getSecretVersion")
def get_secret_version(call: FunctionCall) -> PropertyMap:
    secret_id = call.required("secretId")
    stage = call.args.get("versionStage") or "AWSCURRENT"
    version_id = call.args.get("versionId")
    which = {"VersionId": version_id} if version_id else {"VersionStage": stage}
    answer = call.client("secretsmanager").get_secret_value(SecretId=secret_id, **which)
    binary = answer.get("SecretBinary")
    return {
        "arn": answer["ARN"],
        "createdDate": utc_time(answer.get("CreatedDate")),
        "id": f"{secret_id}|{answer['VersionId']}",
        "region": call.region,
        "secretBinary": base64.b64encode(binary).decode() if binary else "",
        "secretId": secret_id,
        "secretString": answer.get("SecretString", ""),
        "versionId": answer["VersionId"],
        "versionStage": stage,
        "versionStages": answer.get("VersionStages") or [],
    }


get_secret = looked_up("aws:secretsmanager/getSecret:getSecret", Secret(), _secret_arn)
