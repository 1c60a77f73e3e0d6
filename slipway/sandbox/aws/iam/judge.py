"""Whether a request is allowed, as a pure function of the request and the policies that apply.

Source: "Policy evaluation logic" and "Cross-account policy evaluation logic", IAM User Guide. Not there: service control and
resource control policies (the sandbox has no organisation), VPC endpoint policies, access points.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from slipway.sandbox.aws.iam.conditions import holds
from slipway.sandbox.aws.iam.documents import Policy, Principals, Statement
from slipway.sandbox.aws.iam.patterns import Lookup, arn_like, fill_in, like

IDENTITY, BOUNDARY, SESSION, RESOURCE = (
    "identity-based policy",
    "permissions boundary",
    "session policy",
    "resource-based policy",
)


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Who asks."""

    arn: str
    """As STS names it: a user, or a role's session."""
    account: str
    """Empty for a service, and for somebody with a token of another identity provider."""
    role_arn: str = ""
    federated: str = ""
    """The identity provider's ARN."""
    service: str = ""
    """`pods.eks.amazonaws.com`: a service that acts for itself."""

    @property
    def is_outside(self) -> bool:
        """Whether no account's policies are about it: the resource's policy alone decides."""
        return bool(self.federated or self.service)


@dataclass(frozen=True, kw_only=True)
class AccessRequest:
    """One action on one resource."""

    principal: Principal
    action: str
    """`sqs:SendMessage`"""
    resource: str
    account: str
    """The one that owns the resource."""
    lookup: Lookup
    """Condition keys."""


@dataclass(frozen=True, kw_only=True)
class Policies:
    """All that applies to a request. None: there is none of that kind, and so it limits nothing."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    resource: Policy | None = None
    resource_decides: bool = False
    """Identity policies count only where the resource's policy says so: keys of KMS, and the trust of roles."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome. `why` completes AWS's message."""

    allowed: bool
    why: str = ""
    explicit: bool = False
    matched: tuple[str, ...] = field(default=())
    """Sids of the statements that decided."""


class Grant(IntEnum):
    """How far a resource's policy goes in allowing a principal."""

    NONE = 0
    ACCOUNT = 1
    """It trusts the account; the account's own policies decide on."""
    LIMITED = 2
    """It names everybody or the role: boundary and session policy still limit."""
    USER = 3
    """It names the user: the boundary does not limit."""
    FULL = 4
    """It names the role's session, or the identity provider: nothing but a Deny limits."""


def judge(request: AccessRequest, policies: Policies) -> Decision:
    """Decide. An explicit Deny wins over everything."""
    kinds = {
        IDENTITY: policies.identity,
        BOUNDARY: (policies.boundary,) if policies.boundary else (),
        SESSION: policies.session or (),
        RESOURCE: (policies.resource,) if policies.resource else (),
    }
    for kind, documents in kinds.items():
        denied = [statement.sid for statement in _applying(request, documents, "Deny", of_resource=kind == RESOURCE)]
        if denied:
            article = "an" if kind == IDENTITY else "a"
            why = f"with an explicit deny in {article} {kind}"
            return Decision(allowed=False, why=why, explicit=True, matched=tuple(denied))
    grant = _grant(request, kinds[RESOURCE])
    missing = _missing(request, policies, grant)
    if missing:
        return Decision(allowed=False, why=f"because no {missing} allows the {request.action} action")
    allowed = _applying(request, policies.identity, "Allow", of_resource=False)
    return Decision(allowed=True, matched=tuple(statement.sid for statement in allowed))


def _missing(request: AccessRequest, policies: Policies, grant: Grant) -> str:
    """The kind of policy that should have allowed the request; empty when nothing is missing."""
    cross_account = request.principal.account != request.account and not request.principal.is_outside
    if grant == Grant.NONE and (cross_account or policies.resource_decides):
        return RESOURCE
    if request.principal.is_outside:
        return "" if grant >= Grant.LIMITED else RESOURCE
    needs_identity = cross_account or grant < Grant.LIMITED
    if needs_identity and not _allows(request, policies.identity):
        return IDENTITY
    limited_by_boundary = cross_account or grant < Grant.USER
    if limited_by_boundary and policies.boundary and not _allows(request, (policies.boundary,)):
        return BOUNDARY
    limited_by_session = cross_account or grant < Grant.FULL
    if limited_by_session and policies.session is not None and not _allows(request, policies.session):
        return SESSION
    return ""


def _allows(request: AccessRequest, documents: Iterable[Policy]) -> bool:
    return any(True for _ in _applying(request, documents, "Allow", of_resource=False))


def _grant(request: AccessRequest, documents: Iterable[Policy]) -> Grant:
    statements = _applying(request, documents, "Allow", of_resource=True)
    return max((_named(statement.principal, request.principal) for statement in statements), default=Grant.NONE)


def _applying(
    request: AccessRequest, documents: Iterable[Policy], effect: str, *, of_resource: bool
) -> list[Statement]:
    return [
        statement
        for document in documents
        for statement in document.statements
        if statement.effect == effect
        and (not of_resource or _is_about(statement, request.principal))
        and _matches(statement, request, variables=document.has_variables, of_resource=of_resource)
    ]


def _is_about(statement: Statement, principal: Principal) -> bool:
    if statement.not_principal is not None:
        # Naming the account alone excepts nobody in it.
        return _named(statement.not_principal, principal) <= Grant.ACCOUNT
    return _named(statement.principal, principal) > Grant.NONE


def _named(principals: Principals | None, principal: Principal) -> Grant:
    """How exactly the principals of a statement name this one."""
    if principals is None:
        return Grant.NONE
    if principal.service:
        return Grant.FULL if principal.service in principals.service else Grant.NONE
    if principal.federated:
        if principal.federated in principals.federated:
            return Grant.FULL
        return Grant.LIMITED if "*" in principals.federated else Grant.NONE
    named = Grant.NONE
    for each in principals.aws:
        if each == principal.arn:
            return Grant.FULL if principal.role_arn else Grant.USER
        if each == "*" or (principal.role_arn and each == principal.role_arn):
            named = max(named, Grant.LIMITED)
        elif each in {principal.account, f"arn:aws:iam::{principal.account}:root"}:
            named = max(named, Grant.ACCOUNT)
    return named


def _matches(statement: Statement, request: AccessRequest, *, variables: bool, of_resource: bool) -> bool:
    lookup = request.lookup if variables else None
    if not _matches_action(statement, request.action):
        return False
    patterns = statement.resource if statement.not_resource is None else statement.not_resource
    if patterns is None:
        # Trust policies, and those of ECR's repositories, name no resource: they are about their own.
        fits = of_resource
    else:
        fits = any((pattern := fill_in(each, lookup)) and arn_like(pattern, request.resource) for each in patterns)
        fits = fits != (statement.not_resource is not None)
    return fits and holds(statement.condition, request.lookup, variables=variables)


def _matches_action(statement: Statement, action: str) -> bool:
    patterns = statement.not_action if statement.action is None else statement.action
    fits = any(like(fill_in(each, None) or "", action, ignore_case=True) for each in patterns or ())
    return fits != (statement.action is None)
