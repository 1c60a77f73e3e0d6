"""Who a caller is to IAM: principal, policies, and what conditions may ask about it. The caller holds the API's lock."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import iam_backends

from slipway.sandbox.aws.callers import PARTITION, Caller
from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.documents import Policy, PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import Principal
from slipway.sandbox.aws.iam.sessions import details_of


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A caller with all that its own account says about it."""

    principal: Principal
    policies: tuple[Policy, ...]
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition keys, in lower case."""


def identity_of(caller: Caller) -> Identity:
    """Raises PolicyError for a policy that cannot be read."""
    return _session_identity(caller) if caller.role_arn else user_identity(caller.arn)


def user_identity(arn: str) -> Identity:
    """Of a user by its ARN."""
    account = arn.split(":")[4]
    backend: Any = iam_backends[account][PARTITION]
    user = known.user(arn)
    principal = Principal(arn=arn, account=account)
    if user is None:
        return Identity(principal=principal, policies=())
    groups = [group for group in backend.groups.values() if user in group.users]
    return Identity(
        principal=principal,
        policies=tuple(policy for holder in (user, *groups) for policy in _held(holder)),
        boundary=_boundary(user, account),
        keys={
            **_keys(principal, str(user.id), _tags(user.tags)),
            "aws:username": (str(user.name),),
            "aws:principaltype": ("User",),
        },
    )


def role_identity(arn: str) -> Identity:
    """Of a role by its ARN, as a simulation asks for it."""
    role = known.role(arn)
    account = arn.split(":")[4]
    principal = Principal(arn=arn, account=account, role_arn=arn)
    if role is None:
        return Identity(principal=principal, policies=())
    return Identity(
        principal=principal,
        policies=tuple(_held(role)),
        boundary=_boundary(role, account),
        keys=_keys(principal, str(role.id), _tags(role.tags)),
    )


def managed_document(arn: str, account: str) -> Policy:
    """The default version of a managed policy. Raises PolicyError when there is none."""
    found: Any = iam_backends[account][PARTITION].managed_policies.get(arn)
    if found is None:
        raise PolicyError(f"there is no policy {arn}")
    return _default_version(found)


def _default_version(managed: Any) -> Policy:
    return parse_policy(
        next(each.document for each in managed.versions if each.version_id == managed.default_version_id)
    )


def _session_identity(caller: Caller) -> Identity:
    account = caller.arn.split(":")[4]
    of_role = role_identity(caller.role_arn)
    principal = Principal(arn=caller.arn, account=account, role_arn=caller.role_arn)
    details = details_of(caller.session)
    documents = [managed_document(arn, account) for arn in details.policy_arns]
    documents += [parse_policy(details.policy)] if details.policy else []
    role = known.role(caller.role_arn)
    tags = {**(_tags(role.tags) if role else {}), **details.tags}
    keys = _keys(principal, f"{role.id if role else ''}:{caller.arn.rpartition('/')[2]}", tags)
    keys["aws:principaltype"] = ("AssumedRole",)
    # Of a session the key names its role.
    keys["aws:principalarn"] = (caller.role_arn,)
    if details.source_identity:
        keys["aws:sourceidentity"] = (details.source_identity,)
    if details.provider:
        keys["aws:federatedprovider"] = (details.provider,)
    return Identity(
        principal=principal,
        policies=of_role.policies,
        boundary=of_role.boundary,
        session=tuple(documents) if documents else None,
        keys=keys,
    )


def _held(holder: Any) -> Iterable[Policy]:
    for managed in holder.managed_policies.values():
        yield _default_version(managed)
    for document in holder.policies.values():
        yield parse_policy(document if isinstance(document, str) else str(document))


def _boundary(holder: Any, account: str) -> Policy | None:
    arn = getattr(holder, "permissions_boundary_arn", None)
    return managed_document(str(arn), account) if arn else None


def _keys(principal: Principal, unique_id: str, tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {
        "aws:principalarn": (principal.arn,),
        "aws:principalaccount": (principal.account,),
        "aws:userid": (unique_id,),
        "aws:principalisawsservice": ("false",),
        "aws:multifactorauthpresent": ("false",) if principal.role_arn else (),
        **{f"aws:principaltag/{key.lower()}": (value,) for key, value in tags.items()},
    }


def _tags(tags: Any) -> dict[str, str]:
    """moto keeps a principal's tags by key, each as a pair."""
    pairs: Iterable[Any] = tags.values() if isinstance(tags, Mapping) else tags or ()
    return {str(pair["Key"]): str(pair["Value"]) for pair in pairs}
