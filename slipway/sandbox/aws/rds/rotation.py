"""Secrets Manager's side of secrets that RDS manages: RotateSecret changes the database's password, and only RDS writes them."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any
from uuid import uuid4

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from slipway.sandbox.aws.rds.master_secrets import rotate
from slipway.sandbox.aws.rds.models import AVAILABLE, real_instances

NO_FUNCTION = "No Lambda rotation function ARN is associated with this secret."
"""AWS's words for RotateSecret on a secret of one's own that never had a function."""
OWNERS_ONLY = ("put_secret_value", "update_secret", "update_secret_version_stage", "delete_secret")
"""What would part a managed secret from its database. Source: "Secrets managed by other AWS services", Secrets Manager user guide."""

_original_rotate = SecretsManagerBackend.rotate_secret
_original_facts = FakeSecret.to_dict


def install_rotation() -> None:
    """From here on, moto's Secrets Manager rotates what RDS manages, and nothing without a function."""
    SecretsManagerBackend.rotate_secret = _rotate_secret
    FakeSecret.to_dict = _facts
    for name in OWNERS_ONLY:
        setattr(SecretsManagerResponse, name, _for_owner_only(name, getattr(SecretsManagerResponse, name)))


def _rotate_secret(  # noqa: PLR0917 - moto's own signature
    self: SecretsManagerBackend,
    secret_id: str,
    client_request_token: str | None = None,
    rotation_lambda_arn: str | None = None,
    rotation_rules: dict[str, Any] | None = None,
    rotate_immediately: bool = True,
) -> str:
    secret = self.secrets.get(secret_id)
    if isinstance(secret, FakeSecret) and not secret.is_deleted():
        if secret.owning_service:
            if rotation_lambda_arn or rotation_rules or not rotate_immediately:
                raise InvalidRequestException(
                    "The sandbox rotates a managed secret at once, and takes no schedule and no function for it."
                )
            version = client_request_token or str(uuid4())
            _rotate_managed(secret, version)
            return secret.to_short_dict(version_id=version)
        # moto forgets the function where a later call leaves it out.
        rotation_lambda_arn = rotation_lambda_arn or secret.rotation_lambda_arn
        if not rotation_lambda_arn:
            raise InvalidRequestException(NO_FUNCTION)
    return _original_rotate(
        self, secret_id, client_request_token, rotation_lambda_arn, rotation_rules, rotate_immediately
    )


def _rotate_managed(secret: FakeSecret, version: str) -> None:
    for database in real_instances():
        if database.manage_master_user_password and database.master_user_secret.secret_arn == secret.arn:
            if database.status != AVAILABLE:
                raise InvalidRequestException(
                    f"The DB instance {database.db_instance_identifier} is {database.status}, not available."
                )
            database.rotate_master(version)
            return
    rotate(secret, lambda _password: None, version)  # of a database that is only simulated


def _facts(self: FakeSecret) -> dict[str, Any]:
    """As moto says, without the function and the schedule that a managed secret does not have."""
    facts = _original_facts(self)
    if self.owning_service:
        facts.pop("RotationLambdaARN", None)
        facts.pop("RotationRules", None)
    return facts


def _for_owner_only(name: str, original: Any) -> Any:
    def action(self: SecretsManagerResponse) -> str:
        secret = self.backend.secrets.get(str(self._get_param("SecretId")))
        if isinstance(secret, FakeSecret) and secret.owning_service:
            operation = "".join(word.capitalize() for word in name.split("_"))
            raise InvalidRequestException(
                f"{operation} is refused: the secret is managed by {secret.owning_service}, and only that service changes it."
            )
        return original(self)

    return action
