"""Operations of IAM that moto lacks: policy simulation, permissions boundaries of users, and users' names that are taken."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.responses import IamResponse

from slipway.sandbox.aws.callers import default_arn

_create_user = IamResponse.create_user
_update_user = IamResponse.update_user


def install_iam_operations() -> None:
    """Add them to moto's. Called once."""
    additions: dict[str, Any] = {
        "create_user": _create_user_with_boundary,
        "update_user": _rename_user,
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
    _refuse_taken(self, self._get_param("UserName"))
    made = _create_user(self)
    if self._get_param("PermissionsBoundary"):
        _put_user_permissions_boundary(self)
    return made


def _rename_user(self: IamResponse) -> ActionResult:
    if self._get_param("NewUserName") != self._get_param("UserName"):
        _refuse_taken(self, self._get_param("NewUserName"))
    return _update_user(self)


def _refuse_taken(self: IamResponse, name: str | None) -> None:
    """The owner is a user as well, although moto keeps none for it; and moto would let a new name replace another user."""
    owner = default_arn(DEFAULT_ACCOUNT_ID).rpartition("/")[2]
    owners = self.current_account == DEFAULT_ACCOUNT_ID and name == owner
    if name and (owners or name in self.backend.users):
        raise EntityAlreadyExists(f"User with name {name} already exists.")


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
