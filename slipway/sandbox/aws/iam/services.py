"""What AWS's services may do with a resource when they act by themselves: its policy alone decides. The caller holds the API's lock.

Source: "AWS service principals" and "The confused deputy problem", IAM User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping

from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.documents import PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import AccessRequest, Policies, Principal, judge
from slipway.sandbox.aws.iam.patterns import ARN_PARTS
from slipway.sandbox.aws.iam.resource_policies import resource_policy

ENCRYPTING = ("kms:GenerateDataKey", "kms:Decrypt")
"""What SNS, SQS and who publishes to them need of a key. Source: SNS developer guide, "Key management"."""
ANYTHING = parse_policy('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}')


def service_may(service: str, action: str, resource: str, source: str, keys: Mapping[str, str] | None = None) -> bool:
    """Whether a policy lets the service do this for `source`, the ARN of the thing that it acts for. `keys`: further condition keys."""
    account = resource.split(":")[4]
    found = {
        "aws:sourcearn": source,
        "aws:sourceaccount": source.split(":")[4],
        "aws:sourceowner": source.split(":")[4],  # an older name, in SNS's own policy of a topic
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
        "aws:resourceaccount": account,
        "aws:securetransport": "true",
        **{key.lower(): value for key, value in (keys or {}).items()},
    }

    def lookup(key: str) -> tuple[str, ...]:
        return (found[key.lower()],) if key.lower() in found else ()

    try:
        policy = resource_policy(action.partition(":")[0], resource)
    except PolicyError:
        return False
    # "*" stands for services too, which the judge keeps apart: it is asked about the service, and about anybody who may all else.
    by_name, by_all = (
        judge(
            AccessRequest(principal=principal, action=action, resource=resource, account=account, lookup=lookup),
            Policies(identity=(ANYTHING,), resource=policy, resource_decides=True),
        )
        for principal in (Principal(arn="", account="", service=service), Principal(arn="", account=""))
    )
    return not (by_name.explicit or by_all.explicit) and (by_name.allowed or by_all.allowed)


def service_may_use_key(
    service: str, key: str, source: str, actions: tuple[str, ...] = ENCRYPTING, keys: Mapping[str, str] | None = None
) -> bool:
    """Whether the key's policy lets the service encrypt for `source`, in whose account and region the key is unless it is an ARN."""
    parts = (key if key.startswith("arn:") else source).split(":", ARN_PARTS - 1)
    found = known.enabled_key_arn(key, parts[4], parts[3]) if len(parts) == ARN_PARTS else None
    return found is not None and all(service_may(service, action, found, source, keys) for action in actions)
