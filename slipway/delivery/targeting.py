"""Where a place is: as its stack says, or as the ledger remembers."""

from __future__ import annotations

from slipway.delivery.errors import ListenerGoneError
from slipway.delivery.model.target import Target, parse_target
from slipway.delivery.ports import Context, LoadBalancer
from slipway.errors import SlipwayError, UsageError


def refuse_other_account(ctx: Context) -> None:
    """UsageError for AWS credentials of another account than the environment's: whatever they may there, nothing of it is here."""
    found = ctx.caller_account() if ctx.account_id else None
    if found and found != ctx.account_id:
        raise UsageError(
            f"the AWS credentials are of account {found}, and {ctx.place.environment} is in {ctx.account_id}",
            where=str(ctx.place),
            remedy=f"use credentials of {ctx.account_id}, or correct slipway:accountId in Pulumi.{ctx.place.environment}.yaml",
        )


def known_target(ctx: Context) -> Target | None:
    """As the stack says; None before its first `up`."""
    outputs = ctx.stack.outputs()
    return parse_target(outputs) if "delivery" in outputs else None


def require_target(ctx: Context) -> Target:
    """As the stack says; UsageError before its first `up`."""
    return parse_target(ctx.stack.outputs())


def remembered_target(ctx: Context) -> Target | None:
    """As the ledger remembers, without secrets: it takes no time, and a broken stack cannot hide it. None before the first release."""
    return ctx.ledger.target(ctx.place)


def reachable_target(ctx: Context) -> Target:
    """For what must not fail with the stack: as the stack says, or else as the ledger remembers."""
    try:
        return require_target(ctx)
    except SlipwayError:
        remembered = remembered_target(ctx)
        if remembered is None:
            raise
        return remembered


def quick_target(ctx: Context) -> Target:
    """For ways back, which wait for nobody's state backend: as the ledger remembers. As the stack says where that is of no use: nothing is
    remembered, or an `up` has moved the load balancer since the last rollout."""
    remembered = remembered_target(ctx)
    if remembered is None:
        return require_target(ctx)
    try:
        ctx.connect(remembered).balancer.read()
    except ListenerGoneError:
        return reachable_target(ctx)
    except SlipwayError:
        return remembered  # it is there, and asked again
    return remembered


def known_balancer(ctx: Context) -> LoadBalancer | None:
    """Of the target that the ledger remembers."""
    target = remembered_target(ctx)
    return ctx.connect(target).balancer if target else None
