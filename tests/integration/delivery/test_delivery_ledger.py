"""What a ledger promises, asked of the DynamoDB one and of the one in memory: the second is only as good a stand-in as it agrees."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import boto3
import pytest

from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.table import Table
from slipway.delivery.errors import LeaseLostError
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.fitness import Fitness, FitnessNote, Rehearsed
from slipway.delivery.model.lease import Owner
from slipway.delivery.model.owed import Debt, Owed
from slipway.delivery.model.release import MigrationPhase, Release, Revision
from slipway.delivery.model.rollout import Kind, Phase
from slipway.delivery.model.schema import Schema
from slipway.delivery.model.target import RolloutSettings, parse_target
from slipway.delivery.model.wanted import ColourRelease, Wanted
from slipway.delivery.model.word import Topic, Word
from slipway.delivery.planning import begin_rollout
from slipway.delivery.ports import Ledger, Place
from slipway.delivery.testing.ledger import MemoryLedger
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.transitions import enter
from slipway.errors import NotFoundError

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
PLACE = Place(environment="dev", service="orders")
ADA, GRACE = Owner(user="ada", host="bench", pid=1, started=1.0), Owner(user="grace", host="bench", pid=2, started=2.0)
RUNNING = ColourRelease(release="r-1", image="registry/orders@sha256:" + "0" * 64, version="1.0.0")


@pytest.fixture(params=["dynamodb", "memory"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "memory":
        made: Ledger = MemoryLedger()
    else:
        request.getfixturevalue("ledger_table")
        made = DynamoLedger(Table("slipway-ledger", "us-east-1"))
    made.ensure(PLACE)
    return made


def release(version: str = "1.0.0", created_at: datetime = NOW) -> Release:
    return Release(
        id="",
        service="orders",
        version=version,
        image="registry/orders@sha256:" + "0" * 64,
        git_commit="c",
        program_hash="p",
        lock_hash="l",
        config_hash="f",
        policy_version="1",
        revisions=(Revision(id="0001", phase=MigrationPhase.EXPAND),),
        created_at=created_at,
    ).named()


def test_first_item_is_made_once(ledger: Ledger) -> None:
    assert ledger.wanted(PLACE) == Wanted.initial()
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    written = ledger.write_wanted(PLACE, replace(ledger.wanted(PLACE), green=RUNNING), lease)
    assert ledger.ensure(PLACE) == written


def test_refuses_a_place_that_was_never_made(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError, match="the ledger knows no orders in prod"):
        ledger.wanted(Place(environment="prod", service="orders"))


def test_write_counts_revisions_and_refuses_one_on_top_of_an_old_state(ledger: Ledger) -> None:
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    read = ledger.wanted(PLACE)
    assert ledger.write_wanted(PLACE, replace(read, green=RUNNING), lease).revision == read.revision + 1
    with pytest.raises(LeaseLostError, match="this write was refused"):
        ledger.write_wanted(PLACE, replace(read, blue=RUNNING), lease)
    assert ledger.wanted(PLACE).green == RUNNING


def test_forgotten_target_is_listed_no_more(ledger: Ledger) -> None:
    rehearsal = Rehearsal()
    rehearsal.environment("dev")
    rehearsal.context("dev").stack.up()
    target = parse_target(rehearsal.context("dev").stack.outputs())
    ledger.register(target)
    assert ([each.environment for each in ledger.targets()], ledger.target(PLACE)) == (["dev"], target)
    ledger.unregister(PLACE)
    ledger.unregister(PLACE)
    assert (list(ledger.targets()), ledger.target(PLACE)) == ([], None)


def test_lease_has_one_owner_and_its_fence_only_rises(ledger: Ledger) -> None:
    first = ledger.acquire(PLACE, ADA, "slipway release dev", NOW)
    assert first
    assert ledger.acquire(PLACE, GRACE, "other", NOW) is None
    assert ledger.lease(PLACE) == first
    ledger.release_lease(PLACE, first)
    assert ledger.lease(PLACE) is None
    second = ledger.acquire(PLACE, GRACE, "other", NOW)
    assert second
    assert second.fence > first.fence


def test_renewed_lease_cannot_be_taken_over_by_who_saw_the_old_one(ledger: Ledger) -> None:
    first = ledger.acquire(PLACE, ADA, "test", NOW)
    assert first
    renewed = ledger.renew(PLACE, first, NOW + timedelta(seconds=10))
    assert renewed.expires_at == first.expires_at + timedelta(seconds=10)
    assert ledger.take_over(PLACE, first, GRACE, "test", NOW) is None
    taken = ledger.take_over(PLACE, renewed, GRACE, "test", NOW)
    assert taken
    with pytest.raises(LeaseLostError):
        ledger.renew(PLACE, renewed, NOW)
    ledger.release_lease(PLACE, renewed)  # a late goodbye of the old owner does not free the new one's lease
    assert ledger.lease(PLACE) == taken


def test_every_fenced_write_of_the_old_owner_is_refused_before_the_new_one_has_written(ledger: Ledger) -> None:
    old = ledger.acquire(PLACE, ADA, "test", NOW)
    assert old
    assert ledger.take_over(PLACE, old, GRACE, "test", NOW)
    with pytest.raises(LeaseLostError):
        ledger.write_wanted(PLACE, ledger.wanted(PLACE), old)
    with pytest.raises(LeaseLostError):
        ledger.write_rollout(PLACE, rollout(), old)
    with pytest.raises(LeaseLostError):
        ledger.write_schema(PLACE, Schema(), old)
    with pytest.raises(LeaseLostError):
        ledger.write_owed(PLACE, (), old)


def rollout() -> object:
    return begin_rollout(
        kind=Kind.RELEASE,
        place=PLACE,
        actor="ada",
        now=NOW,
        wanted=Wanted.initial(),
        candidate=RUNNING,
        settings=RolloutSettings(),
        migrations=[Revision(id="0001", phase=MigrationPhase.EXPAND)],
    )


def test_rollout_is_read_as_it_was_written(ledger: Ledger) -> None:
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    assert ledger.rollout(PLACE) is None
    written = rollout()
    ledger.write_rollout(PLACE, written, lease)  # type: ignore[arg-type]
    assert ledger.rollout(PLACE) == written


def test_history_is_newest_first_and_keeps_one_copy(ledger: Ledger) -> None:
    for minutes in (1, 2, 3):
        ended = enter(rollout(), Phase.COMPLETED, NOW + timedelta(minutes=minutes))  # type: ignore[arg-type]
        ledger.put_history(PLACE, ended)
        ledger.put_history(PLACE, ended)
    assert [item.ended_at for item in ledger.history(PLACE, 2)] == [
        NOW + timedelta(minutes=3),
        NOW + timedelta(minutes=2),
    ]
    assert len(ledger.history(PLACE, 50)) == 3


def test_release_of_the_same_content_is_kept_under_its_first_id(ledger: Ledger) -> None:
    first = ledger.put_release(release())
    again = ledger.put_release(release(created_at=NOW + timedelta(days=3)))
    other = ledger.put_release(release("1.1.0", NOW + timedelta(days=4)))
    assert again.id == first.id
    assert [item.id for item in ledger.releases("orders")] == [other.id, first.id]
    with pytest.raises(NotFoundError, match="no release r-unknown"):
        ledger.release("orders", "r-unknown")


def note(release: str, because: str = "", *, days: int = 0) -> FitnessNote:
    return FitnessNote(release=release, because=because, by="ada", at=NOW + timedelta(days=days))


def known(ledger: Ledger, digest: str = "sha256:1", place: Place = PLACE) -> Fitness:
    record = ledger.fitness(place, digest)
    assert record
    return record


def test_fitness_is_one_record_for_each_digest_and_environment(ledger: Ledger) -> None:
    staging = Place(environment="staging", service="orders")
    ledger.mark_verified(PLACE, "sha256:1", note("r-1"))
    ledger.mark_rejected(PLACE, "sha256:1", note("r-2", "errors", days=1))
    ledger.mark_verified(staging, "sha256:1", note("r-1", days=2))
    ledger.mark_rejected(PLACE, "sha256:2", note("r-3", "slow", days=3))
    assert known(ledger) == Fitness(
        environment="dev", digest="sha256:1", verified=note("r-1"), rejected=note("r-2", "errors", days=1)
    )
    assert known(ledger, place=staging) == Fitness(
        environment="staging", digest="sha256:1", verified=note("r-1", days=2)
    )
    assert [each.digest for each in ledger.rejections(PLACE)] == ["sha256:2", "sha256:1"]
    assert list(ledger.rejections(staging)) == []
    assert ledger.fitness(Place(environment="dev", service="billing"), "sha256:1") is None
    assert ledger.fitness(staging, "sha256:2") is None


def test_rehearsal_is_kept_with_the_other_notes_and_the_last_one_counts(ledger: Ledger) -> None:
    first = Rehearsed(release="r-2", to="r-1", by="ada", at=NOW, back_seconds=4.2, forward_seconds=3.1)
    ledger.mark_verified(PLACE, "sha256:1", note("r-2"))
    ledger.mark_rehearsed(PLACE, "sha256:1", first)
    ledger.mark_rehearsed(PLACE, "sha256:1", replace(first, back_seconds=2.5))
    record = known(ledger)
    assert (record.verified, record.rehearsed) == (note("r-2"), replace(first, back_seconds=2.5))


def test_rejection_ends_when_it_is_lifted_or_the_digest_verified(ledger: Ledger) -> None:
    ledger.mark_verified(PLACE, "sha256:1", note("r-1"))
    ledger.mark_rejected(PLACE, "sha256:1", note("r-1", "errors"))
    assert ledger.lift_rejection(PLACE, "sha256:1", note("r-1", "flaky network", days=1))
    assert not ledger.lift_rejection(PLACE, "sha256:1", note("r-1", "again", days=2))
    assert not ledger.lift_rejection(PLACE, "sha256:9", note("r-9", "never heard of"))
    record = known(ledger)
    assert (record.verified, record.rejected, record.lifted) == (
        note("r-1"),
        None,
        note("r-1", "flaky network", days=1),
    )
    ledger.mark_rejected(PLACE, "sha256:1", note("r-1", "errors"))
    ledger.mark_verified(PLACE, "sha256:1", note("r-1", days=3))
    assert list(ledger.rejections(PLACE)) == []


def test_what_is_still_rejected_stays_when_another_release_of_the_image_is_not(ledger: Ledger) -> None:
    still = replace(note("r-2", "slow"), whole_digest=False, others=("r-3",))
    ledger.mark_rejected(PLACE, "sha256:1", replace(still, others=("r-1", "r-3")))
    ledger.mark_verified(PLACE, "sha256:1", note("r-1"), still)
    assert known(ledger).rejected == still
    assert ledger.lift_rejection(PLACE, "sha256:1", note("r-3", "was the network"), replace(still, others=()))
    assert known(ledger).rejected == replace(still, others=())


def test_schema_is_read_as_it_was_written(ledger: Ledger) -> None:
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    schema = Schema(applied=(Revision(id="0001", phase=MigrationPhase.EXPAND),))
    assert ledger.schema(PLACE) == Schema()
    ledger.write_schema(PLACE, schema, lease)
    assert ledger.schema(PLACE) == schema


def test_owed_work_is_read_as_it_was_written(ledger: Ledger) -> None:
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    assert ledger.owed(PLACE) == ()
    owed = (Owed(debt=Debt.UP, rollout="first", since=NOW, attempts=2, problem="quota exceeded"),)
    ledger.write_owed(PLACE, owed, lease)
    assert ledger.owed(PLACE) == owed


@pytest.mark.parametrize("topic", Topic)
def test_last_word_on_a_topic_counts_for_its_rollout_only(ledger: Ledger, topic: Topic) -> None:
    for because in ("lunch", "done"):
        word = Word(rollout="first", by="ada", at=NOW, because=because, holds=because == "lunch", step=1)
        ledger.say(PLACE, topic, word)
    assert ledger.said(PLACE, topic, "first") == word
    assert ledger.said(PLACE, topic, "second") is None


def test_abort_is_asked_of_one_rollout_only(ledger: Ledger) -> None:
    ledger.request_abort(PLACE, "first", "wrong day")
    assert ledger.abort_request(PLACE, "first") == "wrong day"
    assert ledger.abort_request(PLACE, "second") is None


def test_place_is_read_from_its_own_partition(ledger_table: str) -> None:
    """Every deploy role may write the list of all; a way back moved the traffic of whatever listener stood there."""
    table, environment = Table("slipway-ledger", "us-east-1"), Rehearsal().environment("dev")
    environment.exists = True
    target, ledger = parse_target(environment.outputs()), DynamoLedger(table)
    ledger.register(target)
    forged = target.load_balancer.model_copy(update={"listener_arn": "listener/another"})
    document = target.model_copy(update={"load_balancer": forged}).model_dump_json(by_alias=True)
    table.put("targets", "dev#orders", document)
    found = ledger.target(PLACE)
    assert found
    assert found.load_balancer == target.load_balancer

    table.delete("dev#orders", "target")  # as an earlier version left it
    found = ledger.target(PLACE)
    assert found
    assert found.load_balancer == forged


def test_places_are_remembered_without_their_secrets(aws: boto3.Session, ledger_table: str) -> None:
    table = Table("slipway-ledger", "us-east-1")
    environment = Rehearsal().environment("dev")
    environment.exists = True
    output = dict(environment.outputs()["delivery"]) | {
        "notifications": {"webhookUrl": "https://hooks.example/hush", "topicArn": "arn:t"}
    }
    DynamoLedger(table).register(parse_target({"delivery": output}))
    (target,) = DynamoLedger(table).targets()
    assert (target.environment, target.notifications.topic_arn, target.notifications.webhook_url) == (
        "dev",
        "arn:t",
        None,
    )
    everything = aws.client("dynamodb").scan(TableName="slipway-ledger")
    assert "hush" not in str(everything["Items"])


def test_write_whose_answer_was_lost_succeeds_when_it_is_asked_again(aws: boto3.Session, ledger_table: str) -> None:
    class Losing:
        """boto3, which asks again when no answer comes."""

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def update_item(self, **arguments: Any) -> Any:
            dynamodb.update_item(**arguments)
            return dynamodb.update_item(**arguments)

    dynamodb = aws.client("dynamodb")
    ledger = DynamoLedger(Table("slipway-ledger", "us-east-1", cast(Any, Losing())))
    ledger.ensure(PLACE)
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    assert ledger.acquire(PLACE, GRACE, "test", NOW) is None
    written = ledger.write_wanted(PLACE, replace(ledger.wanted(PLACE), green=RUNNING), lease)
    assert ledger.wanted(PLACE) == written
    with pytest.raises(LeaseLostError):  # the same document, but not this one's
        ledger.write_wanted(PLACE, replace(written, revision=0), lease)


def test_only_one_of_many_gets_the_lease(ledger_table: str) -> None:
    DynamoLedger(Table("slipway-ledger", "us-east-1")).ensure(PLACE)

    def try_it(number: int) -> bool:
        owner = Owner(user="ada", host="bench", pid=number, started=1.0)
        return DynamoLedger(Table("slipway-ledger", "us-east-1")).acquire(PLACE, owner, "race", NOW) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1


def test_refuses_with_the_remedy_when_the_table_is_missing(aws: boto3.Session) -> None:
    with pytest.raises(NotFoundError, match="run `slipway bootstrap`"):
        DynamoLedger(Table("missing", "us-east-1")).wanted(PLACE)


def test_program_finds_the_document_where_the_interface_says(aws: boto3.Session, ledger_table: str) -> None:
    """The Pulumi program reads the item by its key and its attribute `document`; this is that read."""
    ledger = DynamoLedger(Table("slipway-ledger", "us-east-1"))
    ledger.ensure(PLACE)
    lease = ledger.acquire(PLACE, ADA, "test", NOW)
    assert lease
    ledger.write_wanted(
        PLACE,
        replace(ledger.wanted(PLACE), green=RUNNING, live=Colour.GREEN, weights=Weights(blue=0, green=100)),
        lease,
    )
    item = aws.client("dynamodb").get_item(
        TableName="slipway-ledger", Key={"pk": {"S": "dev#orders"}, "sk": {"S": "wanted"}}
    )["Item"]
    assert json.loads(item["document"]["S"])["live"] == "green"
    assert item["revision"] == {"N": "2"}
