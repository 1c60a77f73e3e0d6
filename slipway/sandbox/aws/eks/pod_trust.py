"""Whether a role's trust policy gives it to EKS Pod Identity."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.sandbox.aws.iam.documents import PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import AccessRequest, Policies, Principal, judge

PRINCIPAL = "pods.eks.amazonaws.com"
ACTIONS = ("sts:AssumeRole", "sts:TagSession")
"""Pod Identity needs both. Source: EKS user guide, "Create IAM role with trust policy required by EKS Pod Identity"."""


def trusts_pod_identity(document: str, context: Mapping[str, str]) -> bool:
    """Whether both actions are allowed, and neither denied. `context`: condition keys with their values."""
    try:
        trust = Policies(resource=parse_policy(document), resource_decides=True)
    except PolicyError:
        return False
    values = {key.lower(): (value,) for key, value in context.items()}

    def allowed(action: str) -> bool:
        request = AccessRequest(
            principal=Principal(arn="", account="", service=PRINCIPAL),
            action=action,
            resource="*",
            account=context["aws:SourceAccount"],
            lookup=lambda key: values.get(key.lower(), ()),
        )
        return judge(request, trust).allowed

    return all(allowed(action) for action in ACTIONS)
