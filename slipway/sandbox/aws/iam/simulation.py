"""SimulatePrincipalPolicy and SimulateCustomPolicy, by the judge of the requests.

Source: "SimulatePrincipalPolicy", IAM API reference. As there, policies of resources count only where the caller hands one in.
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import InvalidInput, NotFoundException

from slipway.sandbox.aws.callers import default_arn
from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.documents import Policy, PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import AccessRequest, Decision, Policies, Principal, judge
from slipway.sandbox.aws.iam.principals import Identity, role_identity, user_identity
from slipway.sandbox.aws.iam.resource_policies import owner_of

EVERYTHING = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


def simulate(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to either operation; `asked` are its parameters. The caller holds the API's lock."""
    try:
        identity = _identity(asked)
        given = tuple(parse_policy(text) for text in asked.get("PolicyInputList") or ())
        boundaries = [parse_policy(text) for text in asked.get("PermissionsBoundaryPolicyInputList") or ()]
        resource_policy = parse_policy(asked["ResourcePolicy"]) if asked.get("ResourcePolicy") else None
    except PolicyError as error:
        raise InvalidInput(str(error)) from error
    identity = replace(
        identity,
        policies=(*identity.policies, *given),
        boundary=boundaries[0] if boundaries else identity.boundary,
    )
    context = {
        str(entry["ContextKeyName"]).lower(): tuple(str(value) for value in entry.get("ContextKeyValues") or ())
        for entry in asked.get("ContextEntries") or ()
    }
    pairs = product(asked["ActionNames"], asked.get("ResourceArns") or ["*"])
    results = [_result(identity, context, action, resource, resource_policy) for action, resource in pairs]
    return {"EvaluationResults": results, "IsTruncated": False}


def _identity(asked: Mapping[str, Any]) -> Identity:
    arn = str(asked.get("PolicySourceArn") or asked.get("CallerArn") or "")
    if arn == default_arn(DEFAULT_ACCOUNT_ID):
        # The owner is never judged.
        return Identity(principal=Principal(arn=arn, account=DEFAULT_ACCOUNT_ID), policies=(parse_policy(EVERYTHING),))
    if not asked.get("PolicySourceArn"):
        return Identity(principal=Principal(arn=arn, account=DEFAULT_ACCOUNT_ID), policies=())
    found = role_identity(arn) if known.role(arn) else user_identity(arn) if ":user/" in arn else None
    if found is None or not found.keys:
        raise NotFoundException(f"The entity {arn} cannot be found.")
    return found


def _result(
    identity: Identity,
    context: Mapping[str, tuple[str, ...]],
    action: str,
    resource: str,
    resource_policy: Policy | None,
) -> dict[str, Any]:
    missing: dict[str, None] = {}

    def lookup(key: str) -> tuple[str, ...]:
        found = context.get(key.lower()) or identity.keys.get(key.lower()) or ()
        if not found:
            missing[key] = None
        return found

    account = identity.principal.account
    request = AccessRequest(
        principal=identity.principal,
        action=action,
        resource=resource,
        account=owner_of(action.partition(":")[0], resource, account),
        lookup=lookup,
    )
    # A resource of another account is judged as far as the principal's own policies go.
    request = request if resource_policy else replace(request, account=account)
    policies = Policies(identity=identity.policies, boundary=identity.boundary, resource=resource_policy)
    decision = judge(request, policies)
    limited = {} if identity.boundary is None else {"PermissionsBoundaryDecisionDetail": _boundary_detail(decision)}
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny",
        "MatchedStatements": [{"SourcePolicyId": sid, "SourcePolicyType": "IAM Policy"} for sid in decision.matched],
        "MissingContextValues": list(missing),
        **limited,
    }


def _boundary_detail(decision: Decision) -> dict[str, bool]:
    return {"AllowedByPermissionsBoundary": decision.allowed or "permissions boundary" not in decision.why}
