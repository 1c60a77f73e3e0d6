"""Credentials of another account than the environment's: refused before anything is written, made or stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from slipway import delivery
from slipway.delivery.events import Event, WeightsConfirmed
from slipway.delivery.ports import Context
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import UsageError

DEV, PROD = "222222222222", "444444444444"


def company(ledger: MemoryLedger | None = None) -> Rehearsal:
    rehearsal = Rehearsal(ledger=ledger or MemoryLedger())
    rehearsal.environment("dev")
    rehearsal.environment("prod", promoteFrom="dev")
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        delivery.release(rehearsal.context("dev"))
        delivery.promote(rehearsal.context("prod"), "dev")
    return rehearsal


def with_account(rehearsal: Rehearsal, place: str, wanted: str, found: str | None) -> Context:
    return replace(rehearsal.context(place, pid=2), account_id=wanted, caller_account=lambda: found)


VERBS: dict[str, Callable[[Context], Any]] = {
    "promote": lambda ctx: delivery.promote(ctx, "dev"),
    "promote --force": lambda ctx: delivery.promote(ctx, "dev", force=True, because="incident 42"),
    "promote --dry-run": lambda ctx: delivery.promote(ctx, "dev", dry_run=True),
    "release": delivery.release,
    "release --dry-run": lambda ctx: delivery.release(ctx, dry_run=True),
    "resume": delivery.resume,
    "retire": delivery.retire,
    "contract": delivery.contract,
    "rollback": delivery.rollback,
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_nothing_is_begun_with_credentials_of_another_account(verb: Callable[[Context], Any]) -> None:
    ledger, written = MemoryLedger(), list[str]()
    rehearsal = company(ledger)
    ledger.before_write = written.append
    ups = rehearsal.environment("prod").ups
    with pytest.raises(UsageError) as caught:
        verb(with_account(rehearsal, "prod", PROD, DEV))
    assert caught.value.what == f"the AWS credentials are of account {DEV}, and prod is in {PROD}"
    assert (written, rehearsal.environment("prod").ups) == ([], ups)


@pytest.mark.parametrize(
    ("wanted", "found"), [(PROD, PROD), (PROD, None), ("", DEV)], ids=["same", "unknown", "unsaid"]
)
def test_goes_on_where_the_account_is_the_same_or_cannot_be_compared(wanted: str, found: str | None) -> None:
    rehearsal = company()
    assert delivery.rollback(with_account(rehearsal, "prod", wanted, found)).status == "completed"


def test_rollout_of_a_living_owner_is_turned_back_with_whatever_credentials_but_not_stopped() -> None:
    rehearsal, asked = company(), list[str]()
    rehearsal.check_out("3.0.0")
    delivery.release(rehearsal.context("dev"))
    ctx = rehearsal.context("prod", pid=1)

    def ask(event: Event) -> None:
        if isinstance(event, WeightsConfirmed) and not asked:
            asked.append(event.text)
            with pytest.raises(UsageError, match=f"are of account {DEV}"):
                delivery.abandon(with_account(rehearsal, "prod", PROD, DEV))
            lease = rehearsal.ledger.lease(ctx.place)
            assert lease is not None
            assert lease.owner == ctx.owner
            rollout = rehearsal.ledger.rollout(ctx.place)
            assert rollout is not None
            rehearsal.ledger.request_abort(ctx.place, rollout.id, "asked for")

    object.__setattr__(ctx, "progress", ask)
    with pytest.raises(delivery.ReleaseRolledBackError):
        delivery.promote(ctx, "dev")
