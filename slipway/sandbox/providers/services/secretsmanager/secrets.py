"""Secrets Manager secrets and their versions."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import ListTags
from slipway.sandbox.providers.framework.check import prefixed_name
from slipway.sandbox.providers.framework.faults import error_code
from slipway.sandbox.providers.framework.functions import Function, FunctionCall, looked_up
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, tag_map, utc_time

RECOVERY_WINDOW_DAYS = 30
DEFAULT_KEY = "alias/aws/secretsmanager"
_VERSION_NAMESPACE = uuid.UUID("6d5d2f0e-0c6b-5c6a-9a51-2f1f8f5d7f10")  # of the deterministic version ids below


class Secret(ListTags):
    """aws.secretsmanager.Secret"""

    token = "aws:secretsmanager/secret:Secret"
    service = "secretsmanager"
    arn_argument = "SecretId"
    force_new = frozenset({"name", "namePrefix"})
    defaults = {"forceOverwriteReplicaSecret": False, "recoveryWindowInDays": RECOVERY_WINDOW_DAYS}
    auto_name = AutoName(max_length=512)
    conflicts = (("name", "namePrefix"),)
    json_properties = frozenset({"policy"})
    conflict_codes = frozenset({"ResourceExistsException"})
    write_only = frozenset({"forceOverwriteReplicaSecret", "recoveryWindowInDays"})
    unsupported = frozenset({"replicas", "type"})

    def create(self, call: Call) -> str:
        """Create, empty."""
        name = call.inputs.get("name") or prefixed_name(call.inputs["namePrefix"])
        client = call.client("secretsmanager")
        arn = client.create_secret(
            Name=name, **call.given(Description="description", KmsKeyId="kmsKeyId"), Tags=call.tag_list
        )["ARN"]
        if call.inputs.get("policy"):
            client.put_resource_policy(SecretId=arn, ResourcePolicy=call.inputs["policy"])
        return arn

    def find(self, call: Call) -> str | None:
        """By name."""
        return (
            call.client("secretsmanager").describe_secret(SecretId=call.inputs["name"])["ARN"]
            if call.inputs.get("name")
            else None
        )

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
            "namePrefix": call.inputs.get("namePrefix") or call.outputs.get("namePrefix") or "",
            "policy": self._policy(call, id),
            "region": call.region,
            "tagsAll": tag_map(secret.get("Tags")),
        }

    @staticmethod
    def _policy(call: Call, id: str) -> str:
        try:
            return call.client("secretsmanager").get_resource_policy(SecretId=id).get("ResourcePolicy") or ""
        except Exception as error:
            if error_code(error) == "ResourceNotFoundException":
                return ""
            raise

    def update(self, call: Call, id: str) -> None:
        """Description, key and policy."""
        client, inputs = call.client("secretsmanager"), call.inputs
        if call.changes("description", "kmsKeyId"):
            client.update_secret(
                SecretId=id, Description=inputs.get("description") or "", **call.given(KmsKeyId="kmsKeyId")
            )
        if call.changes("policy"):
            if inputs.get("policy"):
                client.put_resource_policy(SecretId=id, ResourcePolicy=inputs["policy"])
            else:
                client.delete_resource_policy(SecretId=id)

    def delete(self, call: Call, id: str) -> None:
        """Delete with the recovery window; 0 days means at once."""
        days = {**call.outputs, **call.inputs}.get("recoveryWindowInDays")
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
            **call.given(VersionStages="versionStages"),
        )
        return f"{answer['ARN']}|{answer['VersionId']}"

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The version and its stages."""
        arn, version_id = self._parts(id)
        client = call.client("secretsmanager")
        if client.describe_secret(SecretId=arn).get("DeletedDate"):
            return None
        answer = client.get_secret_value(SecretId=arn, VersionId=version_id)
        state = {**call.outputs, **call.inputs}
        hidden = bool(state.get("hasSecretStringWo") or "secretStringWo" in call.inputs)
        binary = answer.get("SecretBinary")
        given = state.get("secretId")
        return {
            "arn": answer["ARN"],
            "hasSecretStringWo": hidden,
            "region": call.region,
            "secretArn": answer["ARN"],
            "secretBinary": base64.b64encode(binary).decode() if binary else None,
            "secretId": given if given in {answer["ARN"], answer["Name"]} else answer["ARN"],
            "secretString": None if hidden else answer.get("SecretString"),
            "versionId": answer["VersionId"],
            "versionStages": answer.get("VersionStages") or [],
        }

    def _parts(self, id: str) -> tuple[str, str]:
        arn, _, version_id = id.partition("|")
        if not version_id:
            raise ProviderError(f"{self.token}: unexpected id {id!r}; expected SECRETARN|VERSIONID")
        return arn, version_id

    def update(self, call: Call, id: str) -> None:
        """Move stages."""
        if not call.changes("versionStages"):
            return
        arn, version_id = self._parts(id)
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
        arn, version_id = self._parts(id)
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


def _get_secret_version(call: FunctionCall) -> PropertyMap:
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


RESOURCES = (Secret(), SecretVersion())
FUNCTIONS: Mapping[str, Function] = {
    "aws:secretsmanager/getSecret:getSecret": looked_up(Secret(), _secret_arn),
    "aws:secretsmanager/getSecretVersion:getSecretVersion": _get_secret_version,
}
