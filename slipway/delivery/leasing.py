"""Holding the lease: waiting for it, taking it over, keeping it alive, noticing its loss."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from slipway.delivery.errors import LeaseLostError
from slipway.delivery.model.lease import Lease, may_take_over
from slipway.delivery.ports import Context
from slipway.delivery.telling import Outbox, tell
from slipway.errors import LockedError, SlipwayError
from slipway.log import get_logger

WAIT_POLL_SECONDS = 0.5
URGENT_POLL_SECONDS = 0.2
GRACE_SECONDS = 0.5
"""A way back gives a living owner this long to end by itself. Then it takes the lease, and the fence stops the owner."""
RENEWALS_PER_TERM = 3
"""Two renewals may fail before the term is over."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a verb waits for the lease."""

    seconds: float
    meanwhile: Callable[[], None]
    """Done between two looks."""


class LeaseKeeper:
    """A held lease. It is renewed beside everything else, so that a long `up` does not lose it."""

    def __init__(self, ctx: Context, lease: Lease, *, urgent: bool = False) -> None:
        self.lease = lease
        self.outbox = Outbox(ctx, urgent=urgent)
        self.sets_weights = False
        """Weights that differ before an `up` are this verb's to set: its own rollout has moved them just now, or that is what it is for."""
        self._ctx = ctx
        self._lost = False
        term_seconds = (lease.expires_at - lease.heartbeat_at).total_seconds()
        self._stop_renewing = ctx.clock.repeat(term_seconds / RENEWALS_PER_TERM, self._renew)

    def check(self) -> None:
        """LeaseLostError once the lease is known to be gone: whoever has it now continues, and two must not."""
        if self._lost:
            raise LeaseLostError(
                "another process has taken the lease of this environment",
                where=str(self._ctx.place),
                remedy="look at `slipway status`; this process stops without changing anything more",
            )

    def confirm(self) -> None:
        """The same, asked of the ledger: a process that was suspended has not noticed yet. To be called just before a change."""
        current = self._ctx.ledger.lease(self._ctx.place)
        self._lost = self._lost or current is None or current.fence != self.lease.fence
        self.check()

    def stop(self) -> None:
        """End the renewals and give the lease back."""
        self._stop_renewing()
        if self._lost:
            return
        try:
            self._ctx.ledger.release_lease(self._ctx.place, self.lease)
        except SlipwayError as error:
            # The work is done, or an error of its own is on its way: this one must not stand in its place.
            log.warning("lease not given back; it runs out by itself", place=str(self._ctx.place), error=str(error))

    def _renew(self) -> None:
        if self._lost:
            return
        try:
            self.lease = self._ctx.ledger.renew(self._ctx.place, self.lease, self._ctx.clock.now())
        except LeaseLostError:
            self._lost = True
        except SlipwayError as error:
            # The term outlasts a short outage; the fence refuses our writes if it does not.
            log.warning("lease not renewed", place=str(self._ctx.place), error=str(error))


@contextmanager
def hold_lease(
    ctx: Context,
    purpose: str,
    *,
    watch: bool = False,
    urgent: bool = False,
    grace_seconds: float = GRACE_SECONDS,
    patience: Patience | None = None,
) -> Generator[LeaseKeeper]:
    """The lease for the time of a block. LockedError names the owner when it is not free within the context's patience.

    `watch`: an owner that does not renew is watched until its term is over, however short the patience.
    `urgent`: for the way back, which waits for nobody. The lease is taken after `grace_seconds`, and what its owner does later is refused.
    `patience`: for a verb that asks owners to end; the longer of this and the context's counts.
    """
    lease = _acquire(ctx, purpose, watch=watch, grace_seconds=grace_seconds if urgent else None, patience=patience)
    keeper = LeaseKeeper(ctx, lease, urgent=urgent)
    try:
        yield keeper
    finally:
        keeper.stop()
        keeper.outbox.flush()


def _acquire(
    ctx: Context, purpose: str, *, watch: bool, grace_seconds: float | None, patience: Patience | None
) -> Lease:
    began = ctx.clock.monotonic()
    wait_seconds = max(patience.seconds if patience else 0, ctx.lease_wait_seconds)
    first = seen = None
    seen_since = began
    while True:
        now, at = ctx.clock.now(), ctx.clock.monotonic()
        lease = ctx.ledger.acquire(ctx.place, ctx.owner, purpose, now)
        if lease:
            return lease
        other = ctx.ledger.lease(ctx.place)
        if other is None:
            continue
        if first is None:
            first = other
            text = f"{other.owner.name} holds the lease for `{other.purpose}` since {other.acquired_at:%H:%M:%S} UTC"
            tell(ctx, text)
        if other != seen:
            # Asked after the look, and `at` before it: a taker that is suspended in between must not count that time.
            seen, seen_since = other, ctx.clock.monotonic()
        gone = may_take_over(other, owner_is_dead=ctx.owner_is_dead(other.owner), unchanged_seconds=at - seen_since)
        if gone or (grace_seconds is not None and at - began >= grace_seconds):
            taken = ctx.ledger.take_over(ctx.place, other, ctx.owner, purpose, now)
            if taken:
                why = "who is gone" if gone else "who is stopped: the way back does not wait"
                tell(ctx, f"took the lease over from {other.owner.name}, {why}")
                return taken
            continue
        if grace_seconds is None and at - began >= wait_seconds and not (watch and other == first):
            raise LockedError(
                f"{other.owner.name} is at work here: `{other.purpose}`, since {other.acquired_at:%Y-%m-%d %H:%M:%S} UTC",
                where=str(ctx.place),
                remedy=f"wait for it (--wait SECONDS), or turn it back with `slipway abort {ctx.place.environment}`; "
                f"if that process is gone, `slipway resume {ctx.place.environment}` notices it within a minute",
            )
        if patience:
            patience.meanwhile()
        ctx.clock.sleep(WAIT_POLL_SECONDS if grace_seconds is None else URGENT_POLL_SECONDS)
