"""The ledger in memory, with the same refusals as the table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar

from slipway.delivery.errors import LeaseLostError
from slipway.delivery.model.fitness import Fitness, FitnessNote, Rehearsed
from slipway.delivery.model.lease import Lease, Owner
from slipway.delivery.model.owed import Owed
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Rollout, dump_rollout, load_rollout
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.target import Target
from slipway.delivery.model.wanted import Wanted, dump_wanted, load_wanted
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.ports import Place
from slipway.errors import NotFoundError

Value = TypeVar("Value")

TERM = timedelta(seconds=30)
WriteHook = Callable[[str], None]


def _no_hook(_what: str) -> None:
    pass


class _Document(Generic[Value]):
    """What was written, and what reading it gives. The JSON text between them is made for the first reader: most writes have none."""

    def __init__(self, written: Value, dump: Callable[[Value], str], load: Callable[[str], Value]) -> None:
        self._written = written
        self._dump = dump
        self._load = load

    @cached_property
    def value(self) -> Value:
        return self._load(self._dump(self._written))


class MemoryLedger:
    """Implements `ports.Ledger`. Documents go through their JSON text, so that what a table could not keep is not kept here either."""

    def __init__(self) -> None:
        self.before_write: WriteHook = _no_hook
        """Called before every write with what is written; raising there is a crash before the write."""
        self.after_write: WriteHook = _no_hook
        """Called after every write; raising there is a crash after it."""
        self.wanted_log: list[Wanted] = []
        """Every wanted state ever written, oldest first."""
        self._wanted: dict[Place, _Document[Wanted]] = {}
        self._rollouts: dict[Place, _Document[Rollout]] = {}
        self._fences: dict[tuple[Place, str], int] = defaultdict(int)
        self._leases: dict[Place, Lease | None] = {}
        self._lease_fences: dict[Place, int] = defaultdict(int)
        self._releases: dict[tuple[str, str], Release] = {}
        self._fingerprints: dict[str, Release] = {}
        self._fitness: dict[tuple[Place, str], Fitness] = {}
        self._history: dict[Place, dict[str, Rollout]] = defaultdict(dict)
        self._owed: dict[Place, tuple[Owed, ...]] = {}
        self._schemas: dict[Place, Schema] = {}
        self._words: dict[tuple[Place, Topic], Word] = {}
        self._aborts: dict[Place, tuple[str, str]] = {}
        self._targets: dict[str, Target] = {}

    def _write(self, what: str, change: Callable[[], Any]) -> None:
        self.before_write(what)
        change()
        self.after_write(what)

    def _check(self, place: Place, sk: str, lease: Lease) -> None:
        if self._fences[place, sk] > lease.fence:
            raise LeaseLostError("somebody else has written meanwhile; this write was refused", where=str(place))

    def ensure(self, place: Place) -> Wanted:
        """See `Ledger.ensure`."""
        self._wanted.setdefault(place, _Document(Wanted.initial(), dump_wanted, load_wanted))
        return self.wanted(place)

    def wanted(self, place: Place) -> Wanted:
        """See `Ledger.wanted`."""
        if place not in self._wanted:
            raise NotFoundError(f"the ledger knows no {place}", remedy=f"run `slipway bootstrap {place.environment}`")
        return self._wanted[place].value

    def write_wanted(self, place: Place, wanted: Wanted, lease: Lease) -> Wanted:
        """See `Ledger.write_wanted`."""
        self._check(place, "wanted", lease)
        if self.wanted(place).revision != wanted.revision:
            raise LeaseLostError("somebody else has written meanwhile; this write was refused", where=str(place))
        following = replace(wanted, revision=wanted.revision + 1)

        def change() -> None:
            self._wanted[place] = _Document(following, dump_wanted, load_wanted)
            self.wanted_log.append(following)

        self._write("wanted", change)
        return following

    def rollout(self, place: Place) -> Rollout | None:
        """See `Ledger.rollout`."""
        document = self._rollouts.get(place)
        return document.value if document else None

    def write_rollout(self, place: Place, rollout: Rollout, lease: Lease) -> None:
        """See `Ledger.write_rollout`."""
        self._check(place, "rollout", lease)
        last = rollout.journal[-1] if rollout.journal else None
        what = f"{last.event} {last.phase}: {last.text}" if last else "rollout"
        document = _Document(rollout, dump_rollout, load_rollout)
        self._write(what, lambda: self._rollouts.update({place: document}))

    def acquire(self, place: Place, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """See `Ledger.acquire`."""
        return None if self._leases.get(place) else self._take(place, owner, purpose, now)

    def take_over(self, place: Place, seen: Lease, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """See `Ledger.take_over`."""
        return self._take(place, owner, purpose, now) if self._leases.get(place) == seen else None

    def _take(self, place: Place, owner: Owner, purpose: str, now: datetime) -> Lease:
        fence = self._lease_fences[place] + 1
        lease = Lease(
            owner=owner, fence=fence, purpose=purpose, acquired_at=now, heartbeat_at=now, expires_at=now + TERM
        )
        self._leases[place], self._lease_fences[place] = lease, fence
        for sk in ("wanted", "rollout", "schema", "owed"):
            self._fences[place, sk] = fence
        return lease

    def renew(self, place: Place, lease: Lease, now: datetime) -> Lease:
        """See `Ledger.renew`."""
        current = self._leases.get(place)
        if current is None or current.fence != lease.fence:
            raise LeaseLostError("the lease was taken", where=str(place))
        renewed = replace(lease, heartbeat_at=now, expires_at=now + TERM)
        self._leases[place] = renewed
        return renewed

    def release_lease(self, place: Place, lease: Lease) -> None:
        """See `Ledger.release_lease`."""
        current = self._leases.get(place)
        if current and current.fence == lease.fence:
            self._leases[place] = None

    def lease(self, place: Place) -> Lease | None:
        """See `Ledger.lease`."""
        return self._leases.get(place)

    def put_release(self, release: Release) -> Release:
        """See `Ledger.put_release`."""
        known = self._fingerprints.setdefault(release.fingerprint, release)
        self._releases[known.service, known.id] = known
        return known

    def release(self, service: str, release_id: str) -> Release:
        """See `Ledger.release`."""
        if (service, release_id) not in self._releases:
            raise NotFoundError(f"no release {release_id} of {service}")
        return self._releases[service, release_id]

    def releases(self, service: str) -> Sequence[Release]:
        """See `Ledger.releases`."""
        found = [item for (owner, _), item in self._releases.items() if owner == service]
        return sorted(found, key=lambda item: item.created_at, reverse=True)

    def fitness(self, place: Place, digest: str) -> Fitness | None:
        """See `Ledger.fitness`."""
        return self._fitness.get((place, digest))

    def rejections(self, place: Place) -> Sequence[Fitness]:
        """See `Ledger.rejections`."""
        found = [
            (each.rejected.at, each) for (where, _), each in self._fitness.items() if where == place and each.rejected
        ]
        return [each for _, each in sorted(found, key=lambda item: item[0], reverse=True)]

    def mark_verified(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> None:
        """See `Ledger.mark_verified`."""
        self._note("verified", place, digest, verified=note, rejected=still)

    def mark_rejected(self, place: Place, digest: str, note: FitnessNote) -> None:
        """See `Ledger.mark_rejected`."""
        self._note("rejected", place, digest, rejected=note)

    def mark_rehearsed(self, place: Place, digest: str, rehearsed: Rehearsed) -> None:
        """See `Ledger.mark_rehearsed`."""
        self._note("rehearsed", place, digest, rehearsed=rehearsed)

    def lift_rejection(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> bool:
        """See `Ledger.lift_rejection`."""
        known = self._fitness.get((place, digest))
        if known is None or known.rejected is None:
            return False
        self._note("lifted", place, digest, lifted=note, rejected=still)
        return True

    def _note(self, what: str, place: Place, digest: str, **notes: Any) -> None:
        known = self._fitness.get((place, digest), Fitness(environment=place.environment, digest=digest))
        self._write(what, lambda: self._fitness.update({(place, digest): replace(known, **notes)}))

    def history(self, place: Place, limit: int) -> Sequence[Rollout]:
        """See `Ledger.history`."""
        newest = sorted(self._history[place].items(), reverse=True)
        return [rollout for _, rollout in newest][:limit]

    def put_history(self, place: Place, rollout: Rollout) -> None:
        """See `Ledger.put_history`."""
        self._write("history", lambda: self._history[place].update({_past(rollout): rollout}))

    def is_kept(self, place: Place, rollout: Rollout) -> bool:
        """See `Ledger.is_kept`."""
        return _past(rollout) in self._history[place]

    def schema(self, place: Place) -> Schema:
        """See `Ledger.schema`."""
        return self._schemas.get(place, Schema())

    def write_schema(self, place: Place, schema: Schema, lease: Lease) -> None:
        """See `Ledger.write_schema`."""
        self._check(place, "schema", lease)
        self._write("schema", lambda: self._schemas.update({place: schema}))

    def owed(self, place: Place) -> tuple[Owed, ...]:
        """See `Ledger.owed`."""
        return self._owed.get(place, ())

    def write_owed(self, place: Place, owed: Sequence[Owed], lease: Lease) -> None:
        """See `Ledger.write_owed`."""
        self._check(place, "owed", lease)
        self._write("owed", lambda: self._owed.update({place: tuple(owed)}))

    def request_abort(self, place: Place, rollout_id: str, text: str) -> None:
        """See `Ledger.request_abort`."""
        self._aborts[place] = (rollout_id, text)

    def abort_request(self, place: Place, rollout_id: str) -> str | None:
        """See `Ledger.abort_request`."""
        asked = self._aborts.get(place)
        return asked[1] if asked and asked[0] == rollout_id else None

    def say(self, place: Place, topic: Topic, word: Word) -> None:
        """See `Ledger.say`."""
        self._words[place, topic] = word

    def said(self, place: Place, topic: Topic, rollout_id: str) -> Word | None:
        """See `Ledger.said`."""
        word = self._words.get((place, topic))
        return word if word and word.rollout == rollout_id else None

    def register(self, target: Target) -> None:
        """See `Ledger.register`."""
        self._targets[f"{target.environment}#{target.service}"] = target

    def unregister(self, place: Place) -> None:
        """See `Ledger.unregister`."""
        self._targets.pop(f"{place.environment}#{place.service}", None)

    def target(self, place: Place) -> Target | None:
        """See `Ledger.target`."""
        return self._targets.get(f"{place.environment}#{place.service}")

    def targets(self) -> Sequence[Target]:
        """See `Ledger.targets`."""
        return [self._targets[key] for key in sorted(self._targets)]


def _past(rollout: Rollout) -> str:
    return f"{rollout.ended_at.isoformat() if rollout.ended_at else ''}#{rollout.id}"
