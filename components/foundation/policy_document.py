"""Policy documents of IAM, keys, buckets and tables. Pure: no Pulumi, no AWS."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Statement = dict[str, Any]
Conditions = Mapping[str, Mapping[str, str | Sequence[str]]]


def allow(
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str] = ("*",),
    *,
    principal: Mapping[str, str | Sequence[str]] | None = None,
    conditions: Conditions | None = None,
) -> Statement:
    """One statement; a `principal` where the document belongs to a resource."""
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if principal:
        statement["Principal"] = dict(principal)
    if conditions:
        statement["Condition"] = {operator: dict(values) for operator, values in conditions.items()}
    return statement


def deny(sid: str, actions: Sequence[str], resources: Sequence[str], **more: Any) -> Statement:
    """A refusal that no other statement undoes."""
    return {**allow(sid, actions, resources, **more), "Effect": "Deny"}


def accounts(account_ids: Sequence[str]) -> dict[str, list[str]]:
    """The principals of these accounts, as far as their own policies let them."""
    return {"AWS": [f"arn:aws:iam::{account_id}:root" for account_id in account_ids]}


def only_roles(role_arns: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """The condition that the caller is one of the roles. Unlike a principal, a role need not exist yet."""
    return {"ArnEquals": {"aws:PrincipalArn": list(role_arns)}}


def render(statements: Sequence[Statement]) -> str:
    """The document as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def render_key_policy(account_id: str, statements: Sequence[Statement] = ()) -> str:
    """The key's own account decides by IAM; beside it, `statements`."""
    return render([allow("Account", ["kms:*"], principal=accounts([account_id])), *statements])
