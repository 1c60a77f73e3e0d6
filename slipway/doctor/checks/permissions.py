"""Whether the caller may do what `up` and releases call, as IAM's policy simulator says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from slipway.doctor.account import Account, Caller, CannotAskError
from slipway.doctor.actions import RIGHTS, Rights, arn_of
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State
from slipway.doctor.project import Project

PASSED_TO = ("ec2.amazonaws.com", "eks.amazonaws.com", "monitoring.rds.amazonaws.com", "pods.eks.amazonaws.com")


def check_permissions(case: Case) -> Iterator[Finding]:
    """A line for each purpose. Policies of resources, such as those of keys, are not simulated."""
    project, account = case.project, case.account
    principal = _principal(account)
    if principal is None:
        yield Finding(State.NOT_ASKED, f"IAM simulates no {account.caller.arn}", "use a role")
        return
    for purpose, rights in groupby(_wanted(project), key=lambda each: each.purpose):
        denied: list[str] = []
        conditional: list[str] = []
        count = 0
        for each in rights:
            for result in _simulate(each, principal, project, account):
                count += 1
                if result["EvalDecision"] == "allowed":
                    continue
                # Policies that test what the simulator is not told, such as tags, may allow the real call.
                (conditional if _missing_keys(result) else denied).append(_describe(result))
        if denied:
            yield Finding(State.FAILURE, f"{purpose}: denied: {', '.join(denied)}", f"allow them for {principal}")
        if conditional:
            text = f"{purpose}: depends on conditions: {', '.join(conditional)}"
            yield Finding(State.WARNING, text, "compare the conditions of the policies with what is said there")
        if not denied and not conditional:
            yield Finding(State.OK, f"{purpose}: {count} actions are allowed")


def _wanted(project: Project) -> Iterator[Rights]:
    facts = project.facts
    wanted = {
        "image build": facts.image.context,
        "signatures": facts.supply_chain.key,
        "signatures of built images": facts.supply_chain.key and facts.image.context,
        "state": project.state_bucket,
        "domain": facts.service.zone,
        "certificate": facts.service.zone and not facts.load_balancer.certificate_arn,
    }
    for rights in RIGHTS:
        if wanted.get(rights.purpose, True):
            yield rights


def _simulate(rights: Rights, principal: str, project: Project, account: Account) -> list[dict[str, Any]]:
    facts, caller = project.facts, account.caller
    registry, signing_key = facts.image.registry_account_id or caller.account, facts.supply_chain.key
    names = {
        "name": project.name,
        "service": facts.service.name,
        "ledger": facts.ledger_table if facts.ledger_table.startswith("arn:") else f"table/{facts.ledger_table}",
        "signing_key": signing_key if ":key/" in signing_key else "key/00000000-0000-0000-0000-000000000000",
        "repository": f"arn:{caller.partition}:ecr:{account.region}:{registry}:repository/{facts.service.name}",
        "bucket": project.state_bucket,
        "stack": project.environment,
    }
    arn = arn_of(rights, partition=caller.partition, region=account.region, account=caller.account, names=names)
    tags = {"environment": project.environment, "service": facts.service.name, "managed-by": "slipway"}
    context = [
        {"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string", "ContextKeyValues": [account.region]}
    ]
    context += [
        {"ContextKeyName": f"aws:{kind}/{key}", "ContextKeyType": "string", "ContextKeyValues": [value]}
        for key, value in tags.items()
        for kind in ("RequestTag", "ResourceTag")
    ]
    context.append(
        {"ContextKeyName": "iam:PassedToService", "ContextKeyType": "stringList", "ContextKeyValues": [*PASSED_TO]}
    )
    return account.ask(
        "iam",
        "simulate_principal_policy",
        PolicySourceArn=principal,
        ActionNames=rights.names(),
        ResourceArns=[arn],
        ContextEntries=context,
    )["EvaluationResults"]


def _missing_keys(result: dict[str, Any]) -> list[str]:
    """Condition keys that the policies ask for. With a resource named they are with its result, otherwise with the action's."""
    missing = set(result.get("MissingContextValues") or ())
    for each in result.get("ResourceSpecificResults") or ():
        missing |= set(each.get("MissingContextValues") or ())
    return sorted(missing)


def _describe(result: dict[str, Any]) -> str:
    action = result["EvalActionName"]
    if keys := _missing_keys(result):
        return f"{action} ({', '.join(keys)})"
    allowed_above = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    return action if allowed_above else f"{action} (by a policy of the organisation)"


def _principal(account: Account) -> str | None:
    """The user or role whose policies count; None for one that IAM does not simulate. A session's ARN lacks its role's path."""
    caller: Caller = account.caller
    kind, _, rest = caller.arn.rpartition(":")[2].partition("/")
    if kind == "user":
        return caller.arn
    if kind != "assumed-role":
        return None
    role = rest.partition("/")[0]
    try:
        return str(account.ask("iam", "get_role", RoleName=role)["Role"]["Arn"])
    except CannotAskError:
        return f"arn:{caller.partition}:iam::{caller.account}:role/{role}"
