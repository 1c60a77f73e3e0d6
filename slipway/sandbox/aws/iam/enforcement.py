"""Judges a request of anybody but the owner, before moto sees it."""

from __future__ import annotations

from datetime import UTC, datetime

from moto.core import DEFAULT_ACCOUNT_ID  # pyright: ignore[reportPrivateImportUsage, reportMissingTypeStubs]

from slipway.sandbox.aws.answers import Environ
from slipway.sandbox.aws.callers import Caller
from slipway.sandbox.aws.iam.binding import bind
from slipway.sandbox.aws.iam.context import lookup_for
from slipway.sandbox.aws.iam.documents import PolicyError
from slipway.sandbox.aws.iam.judge import AccessRequest, Decision, Policies, judge
from slipway.sandbox.aws.iam.principals import Identity, identity_of
from slipway.sandbox.aws.iam.requests import ApiCall, read_call
from slipway.sandbox.aws.iam.resource_policies import decides, owner_of, resource_policy
from slipway.sandbox.aws.iam.resources import needs_of
from slipway.sandbox.aws.iam.special_resources import Need
from slipway.sandbox.aws.iam.tags import tags_of_resource
from slipway.sandbox.aws.lock import API_LOCK

TOKEN_ONLY = frozenset({("sts", "AssumeRoleWithWebIdentity"), ("sts", "AssumeRoleWithSAML")})

OWNERS_ONLY = frozenset({"cloudformation"})
"""Services that make other services' resources, with their caller's rights on AWS and with anybody's here."""


def refuse_caller(caller: Caller, call: ApiCall, environ: Environ) -> str:
    """Why the caller may not do this, in AWS's words; empty for what it may do, and the request is then bound to what was judged."""
    if call.service in OWNERS_ONLY:
        return f"User: {caller.arn} is not authorized: the sandbox serves {call.service} to its owner only"
    if (call.service, call.operation) in TOKEN_ONLY:
        return f"User: {caller.arn} is not authorized: {call.operation} is asked for with a token, and not signed"
    with API_LOCK:
        try:
            refusal = judge_call(call, identity_of(caller))
        except PolicyError as error:
            refusal = f"User: {caller.arn} is not authorized to perform: {call.prefix}:{call.operation} because {error}"
    if not refusal:
        bind(environ, call)
    return refusal


def bind_unsigned(service: str, environ: Environ, body: bytes) -> ApiCall:
    """The call of a request that needs no signature, which is then all that moto will run. Raises UnclearRequestError."""
    call = read_call(service, environ, body, region="", account=DEFAULT_ACCOUNT_ID)
    bind(environ, call)
    return call


def judge_call(call: ApiCall, identity: Identity) -> str:
    """The first need of a call that is not allowed. The caller holds the API's lock."""
    for need in needs_of(call):
        decision = decide(call, need, identity)
        if not decision.allowed:
            return (
                f"User: {identity.principal.arn} is not authorized to perform: {need.action} "
                f"on resource: {need.resource} {decision.why}"
            )
    return ""


def may(caller: Caller, service: str, operation: str, resource: str, region: str) -> bool:
    """Whether the caller is allowed an operation that it does not ask for now. The caller of this holds the API's lock."""
    account = caller.arn.split(":")[4]
    call = ApiCall(service=service, prefix=service, operation=operation, region=region, account=account)
    try:
        return decide(call, Need(f"{service}:{operation}", resource), identity_of(caller)).allowed
    except PolicyError:
        return False


def decide(call: ApiCall, need: Need, identity: Identity) -> Decision:
    """One need, by all policies that apply to it."""
    prefix = need.action.partition(":")[0]
    owner = owner_of(prefix, need.resource, call.serving_account)
    lookup = lookup_for(
        call,
        need,
        identity_keys=identity.keys,
        resource_account=owner,
        tags_of_resource=tags_of_resource,
        now=datetime.now(UTC),
    )
    request = AccessRequest(
        principal=identity.principal, action=need.action, resource=need.resource, account=owner, lookup=lookup
    )
    return judge(
        request,
        Policies(
            identity=identity.policies,
            boundary=identity.boundary,
            session=identity.session,
            resource=resource_policy(prefix, need.resource),
            resource_decides=decides(prefix, need.resource),
        ),
    )
