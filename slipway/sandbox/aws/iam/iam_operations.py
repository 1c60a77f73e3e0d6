"""Operations of IAM that moto lacks: policy simulation, and permissions boundaries of users."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.responses import IamResponse

_create_user = IamResponse.create_user


def install_iam_operations() -> None:
    """Add them to moto's. Called once."""
    additions: dict[str, Any] = {
        "create_user": _create_user_with_boundary,
        "put_user_permissions_boundary": _put_user_permissions_boundary,
        "delete_user_permissions_boundary": _delete_user_permissions_boundary,
        "simulate_principal_policy": _simulate,
        "simulate_custom_policy": _simulate,
    }
    for name, operation in additions.items():
        setattr(IamResponse, name, operation)


def _simulate(self: IamResponse) -> ActionResult:
    from slipway.sandbox.aws.iam.simulation import simulate  # noqa: PLC0415 - the judge is slow to import

    return ActionResult(simulate(self.params))


def _create_user_with_boundary(self: IamResponse) -> ActionResult:
    made = _create_user(self)
    if self._get_param("PermissionsBoundary"):
        _put_user_permissions_boundary(self)
    return made


def _put_user_permissions_boundary(self: IamResponse) -> ActionResult:
    arn = str(self._get_param("PermissionsBoundary"))
    self.backend.get_policy(arn)
    user: Any = self.backend.get_user(self._get_param("UserName"))
    user.permissions_boundary_arn = arn
    user.permissions_boundary = {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": arn,
    }
    return EmptyResult()


def _delete_user_permissions_boundary(self: IamResponse) -> ActionResult:
    user: Any = self.backend.get_user(self._get_param("UserName"))
    for name in ("permissions_boundary_arn", "permissions_boundary"):
        user.__dict__.pop(name, None)
    return EmptyResult()
