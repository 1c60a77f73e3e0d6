"""Decisions, by the examples and rules of the IAM User Guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway.sandbox.aws.iam.documents import Policy, PolicyError, parse_policy
from slipway.sandbox.aws.iam.judge import AccessRequest, Decision, Policies, Principal, judge

ACCOUNT, AWAY = "111111111111", "222222222222"
USER = Principal(arn=f"arn:aws:iam::{ACCOUNT}:user/carlossalazar", account=ACCOUNT)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SESSION = Principal(arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/me", account=ACCOUNT, role_arn=ROLE)
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
OBJECT = "arn:aws:s3:::amzn-s3-demo-bucket-carlossalazar-logs/log.txt"


def statement(effect: str, action: object = "s3:*", resource: object = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Policy:
    return parse_policy(json.dumps({"Version": version, "Statement": statements}))


ALLOW, DENY = policy(statement("Allow")), policy(statement("Deny"))
OTHER = policy(statement("Allow", "sqs:*"))


def of_resource(effect: str, principal: object, **more: Any) -> Policy:
    return policy(statement(effect, Principal=principal, **more))


def decide(
    principal: Principal = USER,
    action: str = "s3:PutObject",
    target: str = OBJECT,
    account: str = ACCOUNT,
    keys: dict[str, str] | None = None,
    **policies: Any,
) -> Decision:
    given = {key.lower(): (value,) for key, value in (keys or {}).items()}
    request = AccessRequest(
        principal=principal,
        action=action,
        resource=target,
        account=account,
        lookup=lambda key: given.get(key.lower(), ()),
    )
    return judge(request, Policies(**policies))


@pytest.mark.parametrize(
    ("principal", "policies", "missing"),
    [
        (USER, {}, "identity-based policy"),
        (USER, {"identity": (ALLOW,)}, None),
        (USER, {"identity": (OTHER,)}, "identity-based policy"),
        (USER, {"identity": (ALLOW,), "boundary": OTHER}, "permissions boundary"),
        (USER, {"identity": (ALLOW,), "boundary": ALLOW}, None),
        (USER, {"boundary": ALLOW}, "identity-based policy"),
        (SESSION, {"identity": (ALLOW,), "session": (OTHER,)}, "session policy"),
        (SESSION, {"identity": (ALLOW,), "session": (OTHER, ALLOW)}, None),
        (SESSION, {"identity": (ALLOW,), "session": ()}, "session policy"),
        # What a resource's policy alone may grant, and what still limits it.
        (USER, {"resource": of_resource("Allow", {"AWS": USER.arn}), "boundary": OTHER}, None),
        (USER, {"resource": of_resource("Allow", "*")}, None),
        (USER, {"resource": of_resource("Allow", "*"), "boundary": OTHER}, "permissions boundary"),
        (USER, {"resource": of_resource("Allow", {"AWS": ROOT})}, "identity-based policy"),
        (USER, {"resource": of_resource("Allow", {"AWS": ACCOUNT}), "identity": (ALLOW,)}, None),
        (SESSION, {"resource": of_resource("Allow", {"AWS": ROLE})}, None),
        (SESSION, {"resource": of_resource("Allow", {"AWS": ROLE}), "session": (OTHER,)}, "session policy"),
        (SESSION, {"resource": of_resource("Allow", {"AWS": ROLE}), "boundary": OTHER}, "permissions boundary"),
        (SESSION, {"resource": of_resource("Allow", {"AWS": SESSION.arn}), "session": (OTHER,), "boundary": OTHER}, None),
        # Keys and trust: the resource's policy decides.
        (USER, {"identity": (ALLOW,), "resource_decides": True}, "resource-based policy"),
        (USER, {"identity": (ALLOW,), "resource": of_resource("Allow", {"AWS": ROOT}), "resource_decides": True}, None),
        (USER, {"resource": of_resource("Allow", {"AWS": ROOT}), "resource_decides": True}, "identity-based policy"),
        (USER, {"resource": of_resource("Allow", {"AWS": USER.arn}), "resource_decides": True}, None),
        (USER, {"identity": (ALLOW,), "resource": of_resource("Allow", {"AWS": ROLE}), "resource_decides": True},
         "resource-based policy"),
    ],
)  # fmt: skip
def test_request_within_an_account(principal: Principal, policies: dict[str, Any], missing: str | None) -> None:
    decision = decide(principal, **policies)
    assert decision.allowed == (missing is None)
    assert decision.why == (f"because no {missing} allows the s3:PutObject action" if missing else "")


@pytest.mark.parametrize(
    ("kind", "policies"),
    [
        ("an explicit deny in an identity-based policy", {"identity": (ALLOW, DENY)}),
        ("an explicit deny in a permissions boundary", {"boundary": DENY}),
        ("an explicit deny in a session policy", {"session": (ALLOW, DENY)}),
        ("an explicit deny in a resource-based policy", {"resource": of_resource("Deny", "*")}),
        ("an explicit deny in a resource-based policy", {"resource": of_resource("Deny", {"AWS": ROOT})}),
    ],
)
def test_explicit_deny_wins(kind: str, policies: dict[str, Any]) -> None:
    decision = decide(**{"identity": (ALLOW,), **policies})
    assert (decision.allowed, decision.explicit, decision.why) == (False, True, f"with {kind}")


@pytest.mark.parametrize(
    ("identity", "resource", "missing"),
    [
        ((ALLOW,), None, "resource-based policy"),
        ((), of_resource("Allow", {"AWS": USER.arn}), "identity-based policy"),
        ((ALLOW,), of_resource("Allow", {"AWS": USER.arn}), None),
        ((ALLOW,), of_resource("Allow", {"AWS": ROOT}), None),
        ((ALLOW,), of_resource("Allow", {"AWS": AWAY}), "resource-based policy"),
    ],
)
def test_other_account_needs_both_sides(
    identity: tuple[Policy, ...], resource: Policy | None, missing: str | None
) -> None:
    decision = decide(account=AWAY, identity=identity, resource=resource)
    assert (decision.allowed, missing or "") == (
        missing is None,
        missing if missing and missing in decision.why else "",
    )
    assert not decide(account=AWAY, identity=identity, resource=resource, boundary=OTHER).allowed


@pytest.mark.parametrize(
    ("principal", "named", "allowed"),
    [
        (Principal(arn="p", account="", federated="p"), {"Federated": "p"}, True),
        (Principal(arn="p", account="", federated="p"), {"Federated": "q"}, False),
        (Principal(arn="p", account="", federated="p"), {"AWS": "*"}, False),
        (Principal(arn="s", account="", service="pods.eks.amazonaws.com"), {"Service": "pods.eks.amazonaws.com"}, True),
        (Principal(arn="s", account="", service="pods.eks.amazonaws.com"), {"Service": "ec2.amazonaws.com"}, False),
    ],
)
def test_trust_of_identity_providers_and_services(principal: Principal, named: object, allowed: bool) -> None:
    trust = policy({"Effect": "Allow", "Principal": named, "Action": "s3:*"})
    assert not decide(principal, target=ROLE, resource_decides=True).allowed
    request = AccessRequest(principal=principal, action="s3:x", resource=ROLE, account=ACCOUNT, lookup=lambda _: ())
    assert judge(request, Policies(resource=trust, resource_decides=True)).allowed is allowed


def test_not_principal_excepts_the_named_and_not_their_account() -> None:
    for named, denied in ((USER.arn, False), (ROOT, True), (ROLE, True)):
        document = policy(statement("Deny", NotPrincipal={"AWS": [named]}))
        assert decide(identity=(ALLOW,), resource=document).explicit is denied


@pytest.mark.parametrize(
    ("rule", "action", "resource", "allowed"),
    [
        ({"Action": "s3:Get*"}, "s3:GetObject", OBJECT, True),
        ({"Action": "S3:getobject"}, "s3:GetObject", OBJECT, True),
        ({"Action": "s3:Get*"}, "s3:PutObject", OBJECT, False),
        ({"Action": "s3:GetObjec?"}, "s3:GetObject", OBJECT, True),
        ({"NotAction": ["iam:*", "s3:Delete*"]}, "s3:GetObject", OBJECT, True),
        ({"NotAction": ["iam:*", "s3:Delete*"]}, "s3:DeleteObject", OBJECT, False),
        ({"Resource": "arn:aws:s3:::amzn-*/*"}, "s3:GetObject", OBJECT, True),
        ({"Resource": "arn:aws:s3:::amzn-*/?"}, "s3:GetObject", OBJECT, False),
        ({"NotResource": "arn:aws:s3:::amzn-*/*"}, "s3:GetObject", OBJECT, False),
        ({"NotResource": "arn:aws:s3:::other/*"}, "s3:GetObject", OBJECT, True),
        # A part of an ARN that is unknown stands as a star in it, which only a wildcard covers.
        (
            {"Resource": f"arn:aws:ec2:*:{ACCOUNT}:vpc/vpc-1"},
            "ec2:CreateVpc",
            f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*",
            False,
        ),
        (
            {"Resource": f"arn:aws:ec2:*:{ACCOUNT}:vpc/*"},
            "ec2:CreateVpc",
            f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*",
            True,
        ),
        ({"Resource": "arn:aws:sqs:*::q"}, "sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:q", False),
        (
            {"Resource": "arn:aws:sqs:us-east-1:1111*1:q"},
            "sqs:SendMessage",
            "arn:aws:sqs:us-east-1:111111111111:q",
            True,
        ),
    ],
)
def test_actions_and_resources(rule: dict[str, Any], action: str, resource: str, allowed: bool) -> None:
    whole = {"Effect": "Allow", **rule}
    whole |= {} if "NotAction" in rule else {"Action": rule.get("Action", "*")}
    whole |= {} if "NotResource" in rule else {"Resource": rule.get("Resource", "*")}
    assert decide(action=action, target=resource, identity=(policy(whole),)).allowed is allowed


@pytest.mark.parametrize(
    ("pattern", "keys", "resource", "allowed"),
    [
        ("${aws:username}/*", {"aws:username": "bob"}, "bob/x", True),
        ("${aws:username}/*", {"aws:username": "bob"}, "ann/x", False),
        ("${aws:username}/*", {}, "${aws:username}/x", False),
        ("${aws:username, 'all'}/*", {}, "all/x", True),
        ("${aws:PrincipalTag/team}/*", {"aws:PrincipalTag/team": "*"}, "ann/x", False),
        ("${aws:PrincipalTag/team}/*", {"aws:PrincipalTag/team": "\ue000"}, "ann/x", False),
        ("a${*}b", {}, "a*b", True),
        ("a${*}b", {}, "axb", False),
    ],
)
def test_variables_stand_for_the_requests_values(
    pattern: str, keys: dict[str, str], resource: str, allowed: bool
) -> None:
    rule = statement("Allow", resource=f"arn:aws:s3:::{pattern}")
    assert decide(target=f"arn:aws:s3:::{resource}", keys=keys, identity=(policy(rule),)).allowed is allowed
    old = policy(rule, version="2008-10-17")
    assert not decide(target=f"arn:aws:s3:::{resource}", keys=keys, identity=(old,)).allowed or "{" in resource


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"Statement": [{"Effect": "Maybe", "Action": "*"}]}', '{"Statement": [{"Effect": "Allow"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:sqs:*:q"}]}',
        '{"Statement": [{"Effect": "Deny", "Action": "*", "Condition": {"StringMatches": {"a": "b"}}}]}',
    ],
)  # fmt: skip
def test_refuses_a_document_that_it_does_not_understand(text: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text)
