"""Holding the lease: waiting for it, taking it from a dead owner, keeping it alive, noticing its loss."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from slipway.delivery.errors import LeaseLostError
from slipway.delivery.events import Notice
from slipway.delivery.model.lease import Lease, may_take_over
from slipway.delivery.ports import Context
from slipway.errors import LockedError, SlipwayError
from slipway.log import get_logger

WAIT_POLL_SECONDS = 0.5
RENEWALS_PER_TERM = 3
"""Two renewals may fail before the term is over."""

log = get_logger(__name__)


class LeaseKeeper:
    """A held lease. A thread renews it, so that a long `up` does not lose it."""

    def __init__(self, ctx: Context, lease: Lease) -> None:
        self.lease = lease
        self._ctx = ctx
        self._lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_stopped, name="lease", daemon=True)

    def start(self) -> None:
        """Begin to renew."""
        self._thread.start()

    def check(self) -> None:
        """LeaseLostError once the lease is gone: whoever has it now continues, and two must not."""
        if self._lost:
            raise LeaseLostError(
                "another process has taken the lease of this environment",
                where=str(self._ctx.place),
                remedy="look at `slipway status`; this process stops without changing anything more",
            )

    def stop(self) -> None:
        """End the renewals and give the lease back."""
        self._stop.set()
        self._thread.join(timeout=10)
        if not self._lost:
            self._ctx.ledger.release_lease(self._ctx.place, self.lease)

    def _renew_until_stopped(self) -> None:
        term_seconds = (self.lease.expires_at - self.lease.heartbeat_at).total_seconds()
        while not self._stop.wait(term_seconds / RENEWALS_PER_TERM):
            try:
                self.lease = self._ctx.ledger.renew(self._ctx.place, self.lease, self._ctx.clock.now())
            except LeaseLostError:
                self._lost = True
                return
            except SlipwayError as error:
                # The term outlasts a short outage; the fence refuses our writes if it does not.
                log.warning("lease not renewed", place=str(self._ctx.place), error=str(error))


@contextmanager
def hold_lease(ctx: Context, purpose: str, *, wait_seconds: float | None = None) -> Generator[LeaseKeeper]:
    """The lease for the time of a block. LockedError names the owner when it is not free within `wait_seconds`."""
    keeper = LeaseKeeper(ctx, _acquire(ctx, purpose, ctx.lease_wait_seconds if wait_seconds is None else wait_seconds))
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def _acquire(ctx: Context, purpose: str, wait_seconds: float) -> Lease:
    began = ctx.clock.now()
    seen: Lease | None = None
    seen_since = began
    while True:
        now = ctx.clock.now()
        lease = ctx.ledger.acquire(ctx.place, ctx.owner, purpose, now)
        if lease:
            return lease
        other = ctx.ledger.lease(ctx.place)
        if other is None:
            continue
        if seen is None or replace(other, expires_at=seen.expires_at) != seen:
            if seen is None:
                _tell(
                    ctx,
                    now,
                    f"{other.owner.name} holds the lease for `{other.purpose}` since {other.acquired_at:%H:%M:%S} UTC",
                )
            seen, seen_since = other, now
        dead = ctx.owner_is_dead(other.owner)
        if may_take_over(other, now, owner_is_dead=dead, unchanged_seconds=(now - seen_since).total_seconds()):
            taken = ctx.ledger.take_over(ctx.place, other, ctx.owner, purpose, now)
            if taken:
                _tell(ctx, now, f"took the lease over from {other.owner.name}, who is gone")
                return taken
            continue
        if (now - began).total_seconds() >= wait_seconds:
            raise LockedError(
                f"{other.owner.name} is at work here: `{other.purpose}`, since {other.acquired_at:%Y-%m-%d %H:%M:%S} UTC",
                where=str(ctx.place),
                remedy="wait for it (--wait SECONDS), or turn it back with `slipway abort`",
            )
        ctx.clock.sleep(min(WAIT_POLL_SECONDS, max(wait_seconds, 0.05)))


def _tell(ctx: Context, now: datetime, text: str) -> None:
    ctx.progress(Notice(at=now, environment=ctx.place.environment, service=ctx.place.service, text=text))
