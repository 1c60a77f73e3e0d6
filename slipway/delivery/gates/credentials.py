"""Credentials: a rollout whose AWS credentials end half-way can move no traffic after that, neither on nor back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from slipway.delivery.gates.facts import GateFacts, Refusal
from slipway.delivery.model.credentials import Credentials
from slipway.delivery.model.rollout import Kind

GATE = "credentials"


def refuse_ending(facts: GateFacts) -> Iterator[Refusal]:
    """A refusal where they end before the release is through. Ways back are short, and never refused for it."""
    if facts.kind is Kind.RELEASE:
        yield from find_ending(facts.credentials, facts.plan_seconds, facts.now)


def find_ending(credentials: Credentials, plan_seconds: float, now: datetime) -> Iterator[Refusal]:
    """The same where there is no release yet, whose image is still to be built."""
    if credentials.lasting:
        return
    until, ends_at = now + timedelta(seconds=plan_seconds), credentials.ends_at
    if ends_at and ends_at >= until:
        return
    where = f"the AWS credentials of the {credentials.source}"
    if ends_at:
        text = f"{where} end at {ends_at:%Y-%m-%d %H:%M} UTC and are not renewed; the rollout may take until {until:%Y-%m-%d %H:%M} UTC"
    else:
        text = f"{where} are a session's, which is not renewed and ends at a time that nobody names"
    yield Refusal(
        gate=GATE,
        text=text,
        remedy="use a profile that the AWS SDK renews (SSO, credential_process, or a role) instead of exported keys; or log in again for"
        " longer, with AWS_CREDENTIAL_EXPIRATION set; or repeat with --force --because REASON",
    )
