"""What IAM and other services refuse of a policy document that they are given, and moto takes.

Sources: "IAM JSON policy elements reference", "IAM and AWS STS quotas" (IAM user guide, 2026); `CreateKey` (KMS API reference).
"""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends

from slipway.sandbox.aws.callers import default_arn
from slipway.sandbox.aws.iam import known
from slipway.sandbox.aws.iam.documents import Policy, PolicyError, Statement, parse_policy
from slipway.sandbox.aws.iam.patterns import fill_in, like
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.refused_parameters import Refusal

TRUST = {"CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument"}
MANAGED = frozenset({"CreatePolicy", "CreatePolicyVersion"})
INLINE = {
    "PutGroupPolicy": ("group", "GroupName"),
    "PutRolePolicy": ("role", "RoleName"),
    "PutUserPolicy": ("user", "UserName"),
}
"""What holds the policies, and the parameter that names one of them."""
TRUST_CHARACTERS, MANAGED_CHARACTERS = 2_048, 6_144
INLINE_CHARACTERS = {"group": 5_120, "role": 10_240, "user": 2_048}
"""Of all inline policies of one, white space not counted. That of a trust policy can be raised."""
SID = re.compile(r"[0-9A-Za-z]*")
WHITE_SPACE = re.compile(r"\s")
ACCOUNT = re.compile(r"\d{12}|arn:aws:iam::(\d{12}:root|cloudfront:user/.+)|\*")
SESSION = re.compile(r"arn:aws:sts::\d{12}:(assumed-role/[\w+=,.@-]+|federated-user)/[\w+=,.@-]+")
SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com|\*")
OF_RESOURCES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("ecr", "SetRepositoryPolicy"): ("policyText", "InvalidParameterException", "Invalid repository policy provided"),
    ("kms", "CreateKey"): ("Policy", "MalformedPolicyDocumentException", ""),
    ("kms", "PutKeyPolicy"): ("Policy", "MalformedPolicyDocumentException", ""),
    ("s3", "PutBucketPolicy"): ("Policy", "MalformedPolicy", ""),
    ("secretsmanager", "PutResourcePolicy"): ("ResourcePolicy", "MalformedPolicyDocumentException", ""),
    ("sns", "CreateTopic"): ("Attributes.Policy", "InvalidParameter", "Invalid parameter: Policy"),
    ("sns", "SetTopicAttributes"): ("AttributeValue", "InvalidParameter", "Invalid parameter: Policy"),
    ("sqs", "CreateQueue"): ("Attributes.Policy", "InvalidAttributeValue", "Invalid value for the parameter Policy."),
    ("sqs", "SetQueueAttributes"): (
        "Attributes.Policy",
        "InvalidAttributeValue",
        "Invalid value for the parameter Policy.",
    ),
}
"""Where the document stands, and with which code and words it is refused."""


def refuse_policy(call: ApiCall) -> Refusal | None:
    """The refusal of a call for the policy in it; None for others."""
    if call.service == "iam" and call.operation in TRUST.keys() | MANAGED | INLINE.keys():
        with API_LOCK:
            return next(_refuse_of_iam(call), None)
    where = OF_RESOURCES.get((call.service, call.operation))
    if where is None or (call.operation == "SetTopicAttributes" and call.text("AttributeName") != "Policy"):
        return None
    path, code, words = where
    outer, _, inner = path.partition(".")
    given: Any = call.parameters.get(outer)
    document = (given or {}).get(inner) if inner else given
    if not document:
        return None
    with API_LOCK:
        why = next(_faults_of_resource(call, document), "")
    return Refusal(code, f"{words} {why}".strip()) if why else None


def _refuse_of_iam(call: ApiCall) -> Iterator[Refusal]:
    malformed = "MalformedPolicyDocument"
    trust = TRUST.get(call.operation)
    if trust:
        document = call.text(trust)
        yield from (Refusal(malformed, why) for why in _faults_of_trust(document))
        yield from _too_long(document, TRUST_CHARACTERS, "Cannot exceed quota for ACLSizePerRole")
        return
    document = call.text("PolicyDocument")
    yield from (Refusal(malformed, why) for why in _faults_of_identity(document))
    if call.operation in MANAGED:
        yield from _too_long(document, MANAGED_CHARACTERS, "Cannot exceed quota for PolicySize")
    else:
        yield from _too_much_inline(call, document)


def _faults_of_trust(document: str) -> Iterator[str]:
    try:
        policy = parse_policy(document)
    except PolicyError:
        yield "This policy contains invalid Json"
        return
    for each in policy.statements:
        if each.resource is not None or each.not_resource is not None:
            yield "Has prohibited field Resource"
        if each.principal is None and each.not_principal is None:
            yield "Missing required field Principal"
        if any(not action.lower().startswith("sts:") for action in each.action or ("*",)):
            yield "AssumeRole policy may only specify STS AssumeRole actions."
        yield from _faults_of_principals(each)


def _faults_of_identity(document: str) -> Iterator[str]:
    try:
        policy = parse_policy(document)
    except PolicyError:
        return  # moto says what is wrong
    for each in policy.statements:
        if each.principal is not None or each.not_principal is not None:
            yield "Policy document should not specify a principal."
        if not SID.fullmatch(each.sid):
            yield (
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
            )


def _faults_of_resource(call: ApiCall, document: str) -> Iterator[str]:
    try:
        policy = parse_policy(document)
    except PolicyError as error:
        yield str(error).partition("\n")[0]
        return
    for each in policy.statements:
        if each.principal is None and each.not_principal is None:
            yield "Missing required field Principal"
        yield from _faults_of_principals(each)
    if (
        call.service == "kms"
        and not call.parameters.get("BypassPolicyLockoutSafetyCheck")
        and not _can_be_changed(policy)
    ):
        yield "The new key policy will not allow you to update the key policy in the future."


def _faults_of_principals(statement: Statement) -> Iterator[str]:
    for held in (statement.principal, statement.not_principal):
        if held is None:
            continue
        for arn in held.aws:
            if not _exists(arn):
                yield f'Invalid principal in policy: "AWS":"{arn}"'
        for name in held.service:
            if not SERVICE.fullmatch(name):
                yield f'Invalid principal in policy: "SERVICE":"{name}"'


def _exists(principal: str) -> bool:
    if ACCOUNT.fullmatch(principal) or SESSION.fullmatch(principal):
        return True
    found = known.PRINCIPAL.fullmatch(principal)
    if not found or not found["account"]:
        return False
    if found["kind"] == "role":
        return known.role(principal) is not None
    return principal == default_arn(found["account"]) or known.user(principal) is not None


def _can_be_changed(policy: Policy) -> bool:
    """Whether somebody may change it; that this is the caller is not looked at."""
    return any(
        each.effect == "Allow" and each.principal is not None and each.principal.aws and _covers(each)
        for each in policy.statements
    )


def _covers(statement: Statement) -> bool:
    patterns = statement.action if statement.action is not None else statement.not_action or ()
    marked = [fill_in(pattern, None) for pattern in patterns]
    found = any(each is not None and like(each, "kms:PutKeyPolicy", ignore_case=True) for each in marked)
    return found is (statement.action is not None)


def _too_much_inline(call: ApiCall, document: str) -> Iterator[Refusal]:
    kind, parameter = INLINE[call.operation]
    try:
        holder: Any = getattr(iam_backends[call.serving_account][known.PARTITION], f"get_{kind}")(call.text(parameter))
    except ServiceException:
        return  # moto says that it is not there
    others = [document for name, document in holder.policies.items() if name != call.text("PolicyName")]
    most = INLINE_CHARACTERS[kind]
    if sum(map(_characters, (document, *others))) > most:
        what = f"Maximum policy size of {most} bytes exceeded for {kind} {call.text(parameter)}"
        yield Refusal("LimitExceeded", what)


def _too_long(document: str, most: int, what: str) -> Iterator[Refusal]:
    if _characters(document) > most:
        yield Refusal("LimitExceeded", f"{what}: {most}")


def _characters(document: str) -> int:
    return len(WHITE_SPACE.sub("", document))
