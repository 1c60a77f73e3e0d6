"""AssumeRole and its like keep what moto drops: session policies, tags, source identity."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import json
import re
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.sts.exceptions import STSValidationError
from moto.sts.responses import TokenResponse

from slipway.sandbox.aws.callers import PARTITION, find_caller
from slipway.sandbox.aws.iam.sessions import SessionDetails, details_of, keep_details

WEB_IDENTITY = "slipway.web-identity"
"""Where a request carries what its token proved: SessionDetails without the policies."""
ACCOUNT_ROLE = re.compile(r"arn:aws:iam::(?P<account>\d{12}):role/(?P<name>OrganizationAccountAccessRole)")
SESSION_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
"""Source: AssumeRole, STS API reference. Names go into ARNs and, by access entries, into users of Kubernetes."""
CHAINED_SECONDS = 3600
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

_assume_role = TokenResponse.assume_role
_assume_role_with_web_identity = TokenResponse.assume_role_with_web_identity


def install_sessions() -> None:
    """Have moto's STS keep the details of each session. Called once."""
    TokenResponse.assume_role = _with_details
    TokenResponse.assume_role_with_web_identity = _with_identity


def _with_details(self: TokenResponse) -> ActionResult:
    asked: dict[str, Any] = self.params
    _check_name(asked)
    caller = find_caller(self.access_key)
    if caller and caller.is_owner:
        _open_account(str(asked.get("RoleArn")))
    _check_duration(str(asked.get("RoleArn")), asked.get("DurationSeconds"), chained=bool(caller and caller.session))
    maker = details_of(caller.session) if caller and caller.session else SessionDetails()
    inherited = {key: maker.tags[key] for key in maker.transitive if key in maker.tags}
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in asked.get("Tags") or ()}
    transitive = dict.fromkeys((*maker.transitive, *asked.get("TransitiveTagKeys", ())))
    details = SessionDetails(
        tags={**tags, **inherited},
        transitive=tuple(transitive),
        source_identity=str(asked.get("SourceIdentity") or maker.source_identity),
    )
    return _kept(_assume_role(self), details, asked)


def _open_account(role_arn: str) -> None:
    """The role by which the owner gets into another account, as AWS Organizations puts it into each account that it makes."""
    found = ACCOUNT_ROLE.fullmatch(role_arn)
    if found is None or found["account"] == DEFAULT_ACCOUNT_ID:
        return
    backend: Any = iam_backends[found["account"]][PARTITION]
    if all(role.name != found["name"] for role in backend.roles.values()):
        owner = {"AWS": f"arn:{PARTITION}:iam::{DEFAULT_ACCOUNT_ID}:root"}
        statement = {"Effect": "Allow", "Principal": owner, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        backend.create_role(
            role_name=found["name"],
            assume_role_policy_document=trust,
            path="/",
            permissions_boundary=None,
            description="",
            tags=[],
            max_session_duration="3600",
        )
        backend.attach_role_policy(ADMINISTRATOR, found["name"])


def _check_duration(role_arn: str, seconds: object, *, chained: bool) -> None:
    """As long as the role lasts at most; an hour where a role takes another one."""
    if seconds is None:
        return
    account, name = role_arn.split(":")[4:5], role_arn.rpartition("/")[2]
    roles: Any = iam_backends[account[0]][PARTITION].roles if account else {}
    longest = next(
        (int(role.max_session_duration or CHAINED_SECONDS) for role in roles.values() if role.name == name), None
    )
    if chained and int(str(seconds)) > CHAINED_SECONDS:
        raise STSValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    if longest is not None and int(str(seconds)) > longest:
        raise STSValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _with_identity(self: TokenResponse) -> ActionResult:
    _check_name(self.params)
    proved = self.normalized_request.environ.get(WEB_IDENTITY) or SessionDetails()
    asked: dict[str, Any] = self.params
    _check_duration(str(asked.get("RoleArn")), asked.get("DurationSeconds"), chained=False)
    return _kept(_assume_role_with_web_identity(self), proved, self.params)


def _check_name(asked: dict[str, Any]) -> None:
    name = str(asked.get("RoleSessionName"))
    if not SESSION_NAME.fullmatch(name):
        raise STSValidationError(
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )


def _kept(made: ActionResult, details: SessionDetails, asked: dict[str, Any]) -> ActionResult:
    session: Any = made.result["Credentials"]  # pyright: ignore[reportIndexIssue]
    policy_arns = tuple(str(each["arn"]) for each in asked.get("PolicyArns") or ())
    keep_details(
        session,
        SessionDetails(
            policy=str(asked.get("Policy") or ""),
            policy_arns=policy_arns,
            tags=details.tags,
            transitive=details.transitive,
            source_identity=details.source_identity,
            provider=details.provider,
        ),
    )
    return made
