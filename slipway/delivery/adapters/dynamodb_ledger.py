"""The ledger in DynamoDB.

| pk | sk | what |
|---|---|---|
| `<environment>#<service>` | `wanted` | the document that the Pulumi program reads |
| | `rollout` | the rollout under way, or the last one, with its journal |
| | `lease` | who may write; its fence only ever rises |
| | `target` | where the place is |
| | `schema`, `owed`, `abort`, `pause`, `approval`, `history#<end>#<rollout>` | |
| `<environment>#<service>#fitness` | `<digest>` | notes `verified`, `rejected`, `lifted`, `rehearsed`: an attribute each |
| `releases#<service>` | `<release>` | the release |
| `targets` | `<environment>#<service>` | where each place is, for `status` of all |

Who delivers to one environment may write its own partitions, and the last two. So nothing that moves traffic is read from `targets`.

Fencing: whoever takes the lease first raises `fence` on every fenced item. From then on a write of the former owner, however late
it arrives, fails its condition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from slipway.delivery.adapters.table import Item, Table
from slipway.delivery.errors import LeaseLostError
from slipway.delivery.model.faults import describe_faults
from slipway.delivery.model.fitness import Fitness, FitnessNote, Rehearsed
from slipway.delivery.model.lease import Lease, Owner
from slipway.delivery.model.owed import Owed
from slipway.delivery.model.release import Release
from slipway.delivery.model.rollout import Rollout, dump_rollout, load_rollout
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.target import Notifications, Target
from slipway.delivery.model.wanted import Wanted, dump_wanted, load_wanted
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.ports import Place
from slipway.errors import NotFoundError, OperationError

LEASE_TERM_SECONDS = 30.0
FENCED_ITEMS: Mapping[str, str] = {"wanted": "attribute_exists(pk) AND ", "rollout": "", "schema": "", "owed": ""}
"""Items that only the lease's owner writes. `wanted` is never made by fencing: its first document is `ensure`'s."""


class DynamoLedger:
    """Implements `ports.Ledger` on one table."""

    def __init__(self, table: Table, *, lease_term_seconds: float = LEASE_TERM_SECONDS) -> None:
        self._table = table
        self._term = timedelta(seconds=lease_term_seconds)

    def ensure(self, place: Place) -> Wanted:
        """See `Ledger.ensure`."""
        self._table.put(_pk(place), "wanted", dump_wanted(Wanted.initial()), only_new=True)
        return self.wanted(place)

    def wanted(self, place: Place) -> Wanted:
        """See `Ledger.wanted`."""
        item = self._table.get(_pk(place), "wanted")
        if item is None:
            raise NotFoundError(f"the ledger knows no {place}", remedy=f"run `slipway bootstrap {place.environment}`")
        return _read(load_wanted, item)

    def write_wanted(self, place: Place, wanted: Wanted, lease: Lease) -> Wanted:
        """See `Ledger.write_wanted`."""
        following = replace(wanted, revision=wanted.revision + 1)
        written = self._table.update(
            _pk(place),
            "wanted",
            "SET document = :document, revision = :next, fence = :fence",
            condition="fence <= :fence AND revision = :seen",
            values={
                "document": dump_wanted(following),
                "next": following.revision,
                "seen": wanted.revision,
                "fence": lease.fence,
            },
        )
        if written is None:
            raise _lost(place)
        return following

    def rollout(self, place: Place) -> Rollout | None:
        """See `Ledger.rollout`."""
        item = self._table.get(_pk(place), "rollout")
        return _read(load_rollout, item) if item and item.document else None

    def write_rollout(self, place: Place, rollout: Rollout, lease: Lease) -> None:
        """See `Ledger.write_rollout`."""
        self._write_fenced(place, "rollout", dump_rollout(rollout), lease)

    def schema(self, place: Place) -> Schema:
        """See `Ledger.schema`."""
        item = self._table.get(_pk(place), "schema")
        return _read(_adapter(Schema).validate_json, item) if item and item.document else Schema()

    def write_schema(self, place: Place, schema: Schema, lease: Lease) -> None:
        """See `Ledger.write_schema`."""
        self._write_fenced(place, "schema", _adapter(Schema).dump_json(schema).decode(), lease)

    def owed(self, place: Place) -> tuple[Owed, ...]:
        """See `Ledger.owed`."""
        item = self._table.get(_pk(place), "owed")
        return _read(_adapter(tuple[Owed, ...]).validate_json, item) if item and item.document else ()

    def write_owed(self, place: Place, owed: Sequence[Owed], lease: Lease) -> None:
        """See `Ledger.write_owed`."""
        self._write_fenced(place, "owed", _adapter(tuple[Owed, ...]).dump_json(tuple(owed)).decode(), lease)

    def _write_fenced(self, place: Place, sk: str, document: str, lease: Lease) -> None:
        written = self._table.update(
            _pk(place),
            sk,
            "SET document = :document, fence = :fence ADD revision :one",
            condition="attribute_not_exists(fence) OR fence <= :fence",
            values={"document": document, "fence": lease.fence, "one": 1},
        )
        if written is None:
            raise _lost(place)

    def acquire(self, place: Place, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """See `Ledger.acquire`."""
        return self._take(place, self._new_lease(place, owner, purpose, now), "attribute_not_exists(document)", {})

    def take_over(self, place: Place, seen: Lease, owner: Owner, purpose: str, now: datetime) -> Lease | None:
        """See `Ledger.take_over`."""
        seen_document = _adapter(Lease).dump_json(seen).decode()
        return self._take(
            place, self._new_lease(place, owner, purpose, now), "document = :seen", {"seen": seen_document}
        )

    def _new_lease(self, place: Place, owner: Owner, purpose: str, now: datetime) -> Lease:
        current = self._table.get(_pk(place), "lease")
        fence = (current.fence if current else 0) + 1
        return Lease(
            owner=owner, fence=fence, purpose=purpose, acquired_at=now, heartbeat_at=now, expires_at=now + self._term
        )

    def _take(self, place: Place, lease: Lease, condition: str, values: Mapping[str, str | int]) -> Lease | None:
        taken = self._table.update(
            _pk(place),
            "lease",
            "SET document = :document, fence = :fence",
            condition=f"({condition}) AND (attribute_not_exists(fence) OR fence < :fence)",
            values={"document": _adapter(Lease).dump_json(lease).decode(), "fence": lease.fence, **values},
        )
        if taken is None:
            return None
        for sk, exists in FENCED_ITEMS.items():
            condition = f"{exists}(attribute_not_exists(fence) OR fence < :fence)"
            self._table.update(_pk(place), sk, "SET fence = :fence", condition=condition, values={"fence": lease.fence})
        return lease

    def renew(self, place: Place, lease: Lease, now: datetime) -> Lease:
        """See `Ledger.renew`."""
        renewed = replace(lease, heartbeat_at=now, expires_at=now + self._term)
        written = self._table.update(
            _pk(place),
            "lease",
            "SET document = :document",
            condition="attribute_exists(document) AND fence = :fence",
            values={"document": _adapter(Lease).dump_json(renewed).decode(), "fence": lease.fence},
        )
        if written is None:
            raise _lost(place)
        return renewed

    def release_lease(self, place: Place, lease: Lease) -> None:
        """See `Ledger.release_lease`. The fence stays, so that it never falls."""
        self._table.update(
            _pk(place), "lease", "REMOVE document", condition="fence = :fence", values={"fence": lease.fence}
        )

    def lease(self, place: Place) -> Lease | None:
        """See `Ledger.lease`."""
        item = self._table.get(_pk(place), "lease")
        return _read(_adapter(Lease).validate_json, item) if item and item.document else None

    def put_release(self, release: Release) -> Release:
        """See `Ledger.put_release`."""
        for known in self.releases(release.service):
            if known.fingerprint == release.fingerprint:
                return known
        document = _adapter(Release).dump_json(release).decode()
        self._table.put(_releases(release.service), release.id, document, only_new=True)
        return self.release(release.service, release.id)

    def release(self, service: str, release_id: str) -> Release:
        """See `Ledger.release`."""
        item = self._table.get(_releases(service), release_id)
        if item is None:
            raise NotFoundError(
                f"no release {release_id} of {service}",
                remedy="`slipway status` and `slipway history` show the known ones",
            )
        return _read(_adapter(Release).validate_json, item)

    def releases(self, service: str) -> Sequence[Release]:
        """See `Ledger.releases`."""
        found = [_read(_adapter(Release).validate_json, item) for item in self._table.query(_releases(service))]
        return sorted(found, key=lambda item: item.created_at, reverse=True)

    def fitness(self, place: Place, digest: str) -> Fitness | None:
        """See `Ledger.fitness`."""
        item = self._table.get(_findings(place), digest)
        return _fitness(place, item) if item else None

    def rejections(self, place: Place) -> Sequence[Fitness]:
        """See `Ledger.rejections`."""
        noted = [_fitness(place, item) for item in self._table.query(_findings(place), having="rejected")]
        found = [(each.rejected.at, each) for each in noted if each.rejected]
        return [each for _, each in sorted(found, key=lambda item: item[0], reverse=True)]

    def mark_verified(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> None:
        """See `Ledger.mark_verified`."""
        self._note(place, digest, f"SET verified = :note{_left(still)}", note, still)

    def mark_rejected(self, place: Place, digest: str, note: FitnessNote) -> None:
        """See `Ledger.mark_rejected`."""
        self._note(place, digest, "SET rejected = :note", note)

    def lift_rejection(self, place: Place, digest: str, note: FitnessNote, still: FitnessNote | None = None) -> bool:
        """See `Ledger.lift_rejection`."""
        expression = f"SET lifted = :note{_left(still)}"
        return self._note(place, digest, expression, note, still, condition="attribute_exists(rejected)")

    def mark_rehearsed(self, place: Place, digest: str, rehearsed: Rehearsed) -> None:
        """See `Ledger.mark_rehearsed`."""
        self._note(place, digest, "SET rehearsed = :note", rehearsed)

    def _note(
        self,
        place: Place,
        digest: str,
        expression: str,
        note: FitnessNote | Rehearsed,
        still: FitnessNote | None = None,
        *,
        condition: str = "",
    ) -> bool:
        values = {"note": _adapter(type(note)).dump_json(note).decode()}
        if still:
            values["still"] = _adapter(FitnessNote).dump_json(still).decode()
        return self._table.update(_findings(place), digest, expression, condition=condition, values=values) is not None

    def history(self, place: Place, limit: int) -> Sequence[Rollout]:
        """See `Ledger.history`."""
        items = self._table.query(_pk(place), "history#", newest_first=True, limit=limit)
        return [_read(load_rollout, item) for item in items]

    def put_history(self, place: Place, rollout: Rollout) -> None:
        """See `Ledger.put_history`."""
        self._table.put(_pk(place), _past(rollout), dump_rollout(rollout))

    def is_kept(self, place: Place, rollout: Rollout) -> bool:
        """See `Ledger.is_kept`."""
        return self._table.get(_pk(place), _past(rollout)) is not None

    def request_abort(self, place: Place, rollout_id: str, text: str) -> None:
        """See `Ledger.request_abort`."""
        self._table.put(
            _pk(place), "abort", _adapter(dict[str, str]).dump_json({"rollout": rollout_id, "text": text}).decode()
        )

    def abort_request(self, place: Place, rollout_id: str) -> str | None:
        """See `Ledger.abort_request`."""
        item = self._table.get(_pk(place), "abort")
        asked: dict[str, str] = _read(_adapter(dict[str, str]).validate_json, item) if item else {}
        return asked.get("text", "") if asked.get("rollout") == rollout_id else None

    def say(self, place: Place, topic: Topic, word: Word) -> None:
        """See `Ledger.say`."""
        self._table.put(_pk(place), topic, _adapter(Word).dump_json(word).decode())

    def said(self, place: Place, topic: Topic, rollout_id: str) -> Word | None:
        """See `Ledger.said`."""
        item = self._table.get(_pk(place), topic)
        word: Word | None = _read(_adapter(Word).validate_json, item) if item else None
        return word if word and word.rollout == rollout_id else None

    def register(self, target: Target) -> None:
        """See `Ledger.register`."""
        public = target.model_copy(update={"notifications": Notifications(topic_arn=target.notifications.topic_arn)})
        place, document = f"{target.environment}#{target.service}", public.model_dump_json(by_alias=True)
        self._table.put(place, "target", document)
        self._table.put("targets", place, document)

    def unregister(self, place: Place) -> None:
        """See `Ledger.unregister`."""
        self._table.delete("targets", _pk(place))
        self._table.delete(_pk(place), "target")

    def target(self, place: Place) -> Target | None:
        """See `Ledger.target`."""
        # The second one where an earlier version released last.
        item = self._table.get(_pk(place), "target") or self._table.get("targets", _pk(place))
        return _read(Target.model_validate_json, item) if item else None

    def targets(self) -> Sequence[Target]:
        """See `Ledger.targets`."""
        return [_read(Target.model_validate_json, item) for item in self._table.query("targets")]


def _fitness(place: Place, item: Item) -> Fitness:
    kinds = {"verified": FitnessNote, "rejected": FitnessNote, "lifted": FitnessNote, "rehearsed": Rehearsed}
    notes = {
        name: _read(_adapter(kind).validate_json, replace(item, document=item.attributes[name].get("S", "")))
        for name, kind in kinds.items()
        if name in item.attributes
    }
    return Fitness(environment=place.environment, digest=item.sk, **notes)


def _past(rollout: Rollout) -> str:
    return f"history#{rollout.ended_at.isoformat() if rollout.ended_at else ''}#{rollout.id}"


def _pk(place: Place) -> str:
    return f"{place.environment}#{place.service}"


def _findings(place: Place) -> str:
    """Of the environment alone: who may release to another one must not say that an image was verified here."""
    return f"{_pk(place)}#fitness"


def _releases(service: str) -> str:
    return f"releases#{service}"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _read(load: Any, item: Item) -> Any:
    try:
        return load(item.document)
    except ValueError as error:
        what = describe_faults(error) if isinstance(error, ValidationError) else error
        raise OperationError(
            f"the ledger's item {item.sk} cannot be read: {what}", remedy="was it written by a newer slipway?"
        ) from None


def _lost(place: Place) -> LeaseLostError:
    return LeaseLostError(
        "somebody else has written meanwhile; this write was refused",
        where=str(place),
        remedy="look at `slipway status`; another process is at work here, or has finished this rollout",
    )


def _left(still: FitnessNote | None) -> str:
    return ", rejected = :still" if still else " REMOVE rejected"
