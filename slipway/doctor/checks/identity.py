"""Who the credentials belong to, and whether the environment is in that account."""

from __future__ import annotations

from slipway.doctor.account import CannotAskError
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State


def check_identity(case: Case) -> Finding:
    """A failure ends the questions to AWS: answers of another account would mislead."""
    wanted = case.project.facts.account_id
    try:
        caller = case.account.caller
    except CannotAskError as error:
        if error.unreachable:
            return Finding(State.FAILURE, f"AWS does not answer: {error}", error.remedy)
        # Every identity with valid credentials may ask this.
        return Finding(
            State.FAILURE, f"no valid credentials: {error}", f"log in to account {wanted}, and check AWS_PROFILE"
        )
    if caller.account != wanted:
        return Finding(
            State.FAILURE,
            f"{caller.arn} is in account {caller.account}; the stack file says {wanted}",
            f"use credentials of {wanted}, or correct slipway:accountId",
        )
    if caller.arn.endswith(":root"):
        return Finding(State.WARNING, f"{caller.arn} is the account's root user", "use a role")
    return Finding(State.OK, f"{caller.arn} in account {wanted}")
