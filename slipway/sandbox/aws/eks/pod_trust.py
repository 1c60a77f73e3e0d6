"""Whether a role's trust policy gives it to a service, such as EKS Pod Identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slipway.sandbox.aws.iam.documents import PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import AccessRequest, Policies, Principal, judge

PRINCIPAL = "pods.eks.amazonaws.com"
ACTIONS = ("sts:AssumeRole", "sts:TagSession")
"""Pod Identity needs both. Source: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity"."""


def trusts_pod_identity(document: str, context: Mapping[str, str]) -> bool:
    """Whether EKS Pod Identity may take it. `context`: condition keys with their values."""
    return trusts_service(document, PRINCIPAL, ACTIONS, context)


def trusts_service(document: str, service: str, actions: Sequence[str], context: Mapping[str, str]) -> bool:
    """Whether all actions are allowed to the service, and none denied. `context`: condition keys with their values."""
    try:
        trust = Policies(resource=parse_policy(document), resource_decides=True)
    except PolicyError:
        return False
    values = {key.lower(): (value,) for key, value in context.items()}

    def allowed(action: str) -> bool:
        request = AccessRequest(
            principal=Principal(arn="", account="", service=service),
            action=action,
            resource="*",
            account=context["aws:SourceAccount"],
            lookup=lambda key: values.get(key.lower(), ()),
        )
        return judge(request, trust).allowed

    return all(allowed(action) for action in actions)
