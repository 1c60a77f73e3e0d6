"""Strategies, gates, schema, lease: small pure rules, as tables."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.contract.freeze import FreezeWindow
from slipway.contract.steps import shares
from slipway.delivery.gates import GateFacts, evaluate_gates
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.fitness import Fitness, FitnessNote
from slipway.delivery.model.lease import Lease, Owner, may_take_over
from slipway.delivery.model.release import Login, MigrationPhase, Release, Revision
from slipway.delivery.model.rollout import Kind
from slipway.delivery.model.schema import Schema, find_incompatibilities, plan_migrations
from slipway.delivery.model.target import RolloutSettings, parse_target
from slipway.delivery.model.wanted import ColourRelease, Floor, Wanted, dump_wanted, load_wanted
from slipway.delivery.strategies import plan_steps
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.errors import UsageError

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def revisions(text: str) -> tuple[Revision, ...]:
    """`"e1 c2 e3"` as migrations."""
    phases = {"e": MigrationPhase.EXPAND, "c": MigrationPhase.CONTRACT}
    return tuple(Revision(id=word, phase=phases[word[0]]) for word in text.split())


def release(text: str = "e1", **changes: object) -> Release:
    made = Release(
        id="",
        service="orders",
        version="1.0.0",
        image="registry/orders@sha256:" + "0" * 64,
        git_commit="c",
        program_hash="p",
        lock_hash="l",
        config_hash="f",
        policy_version="1",
        revisions=revisions(text),
        created_at=NOW,
    )
    return replace(made, **changes).named()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("strategy", "steps", "shares"),
    [
        ("canary", (10, 50, 100), [10, 50, 100]),
        ("canary", (5,), [5, 100]),
        ("linear", (25,), [25, 50, 75, 100]),
        ("linear", (30,), [30, 60, 90, 100]),
        ("linear", (100,), [100]),
        ("blue-green", (10, 50, 100), [100]),
        ("all-at-once", (10,), [100]),
    ],
)
def test_strategy_plans_rising_shares_that_end_at_everything(
    strategy: str, steps: tuple[int, ...], shares: list[int]
) -> None:
    settings = RolloutSettings.model_validate({"strategy": strategy, "steps": steps, "bakeSeconds": 7})
    planned = plan_steps(settings)
    assert [step.percent for step in planned] == shares
    assert {(step.bake_seconds, step.analyse) for step in planned} == {
        (0, False) if strategy == "all-at-once" else (7, True)
    }


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [("canary", (50, 10)), ("canary", (0, 100)), ("canary", (10, 10)), ("linear", (0,)), ("linear", ())],
)
def test_refuses_steps_that_do_not_rise(strategy: str, steps: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"steps must rise|needs an increment"):
        plan_steps(RolloutSettings.model_validate({"strategy": strategy, "steps": steps}))


@pytest.mark.parametrize(("blue", "green"), [(90, 20), (-10, 110), (0, 0), (101, -1)])
def test_refuses_weights_that_do_not_sum_to_100(blue: int, green: int) -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        Weights(blue=blue, green=green)


def test_refuses_traffic_for_a_colour_that_runs_nothing() -> None:
    running = ColourRelease(release="r", image="i", version="1")
    with pytest.raises(ValueError, match="green would get 10 % of the traffic and run nothing"):
        Wanted(
            live=Colour.BLUE,
            test=Colour.GREEN,
            blue=running,
            green=None,
            weights=Weights(blue=90, green=10),
            revision=1,
        )


def test_wanted_document_has_the_layout_that_the_program_reads() -> None:
    wanted = replace(Wanted.initial(), green=ColourRelease(release="r-1", image="a@sha256:1", version="1.0.0"))
    text = dump_wanted(wanted)
    running = {"release": "r-1", "image": "a@sha256:1", "version": "1.0.0"}
    assert json.loads(text) == {
        "live": None,
        "test": "green",
        "colours": {"blue": None, "green": {**running, "settings": None, "login": "password"}},
        "weights": {"blue": 100, "green": 0},
        "revision": 1,
        "floors": {},
    }
    assert load_wanted(text) == wanted
    assert load_wanted(text.replace(',"login":"password"', "")) == wanted, "as it was written before"
    kept = replace(wanted, floors={Colour.GREEN: Floor(pods=30), Colour.BLUE: Floor(pods=3, until=NOW)})
    assert json.loads(dump_wanted(kept))["floors"] == {
        "green": {"pods": 30, "until": None},
        "blue": {"pods": 3, "until": "2026-01-05T09:00:00Z"},
    }
    assert load_wanted(dump_wanted(kept)) == kept


def test_release_id_is_its_day_and_its_content() -> None:
    first, later = release(), release(created_at=NOW + timedelta(days=1))
    assert first.id.startswith("r-20260105-")
    assert first.fingerprint == later.fingerprint
    assert release(version="1.0.1").fingerprint != first.fingerprint
    assert release(login=Login.TOKENS).fingerprint != first.fingerprint


def test_refuses_a_release_of_a_tag() -> None:
    with pytest.raises(ValueError, match="want a reference by digest"):
        release(image="registry/orders:1.0.0")


@pytest.mark.parametrize(
    ("known", "applied", "first", "expand", "contract"),
    [
        ("e1", "", "", "e1", ""),
        ("e1 e2 c3", "e1", "", "e2", "c3"),
        ("e1 e2 c3", "e1 e2", "", "", "c3"),
        ("e1 e2 c3", "e1 e2 c3", "", "", ""),
        ("e1 e2 c3 e4", "e1 e2", "c3", "e4", ""),
        ("e1 e2 c3 e4 c5", "e1 e2", "c3", "e4", "c5"),
        ("e1 c2 e3 c4 e5", "e1", "c2 e3 c4", "e5", ""),
        ("", "", "", "", ""),
    ],
)
def test_migrations_are_split_by_when_they_may_run(
    known: str, applied: str, first: str, expand: str, contract: str
) -> None:
    plan = plan_migrations(release(known), Schema(applied=revisions(applied)))
    assert (plan.first, plan.expand, plan.contract) == (revisions(first), revisions(expand), revisions(contract))


@pytest.mark.parametrize(
    ("known", "applied", "fits"),
    [
        ("e1", "e1", True),
        ("e1", "e1 e2", True),
        ("e1", "e1 e2 c3", False),
        ("e1 e2 c3", "e1 e2", True),
        ("e1 e2 c3", "e1 e2 c3", True),
        ("e1 e2", "e1", False),
    ],
)
def test_release_fits_a_schema_unless_something_it_uses_is_missing_or_gone(
    known: str, applied: str, fits: bool
) -> None:
    assert (find_incompatibilities(release(known), Schema(applied=revisions(applied))) == ()) is fits


def test_schema_counts_a_migration_once() -> None:
    assert Schema(applied=revisions("e1")).with_applied(revisions("e1 e2")).applied == revisions("e1 e2")


def facts(**changes: object) -> GateFacts:
    base = GateFacts(
        now=NOW,
        kind=Kind.RELEASE,
        environment="prod",
        release=release(),
        promote_from=None,
        was_live=True,
        schema=Schema(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


FAULTY = replace(release(), revisions=(replace(*revisions("c1"), faults=("c1.py:9: table-lock: locks",)),))
NOTE = FitnessNote(release=release().id, because="errors", by="ada", at=NOW)


def known(environment: str, **notes: FitnessNote | None) -> dict[str, object]:
    """What an environment says of the release's digest."""
    return {"fitness": {environment: Fitness(environment=environment, digest=release().digest, **notes)}}


BACK = {"kind": Kind.ROLLBACK, "schema": Schema(applied=revisions("e1"))}
OLDER = release(version="0.9.0", created_at=NOW - timedelta(days=1))
NEWER = release(version="2.0.0", created_at=NOW + timedelta(seconds=1))
WINDOW = FreezeWindow(start="2026-01-05T09:00:00+01:00", end="2026-01-05T12:00:00+01:00", reason="audit")


@pytest.mark.parametrize(
    ("changes", "gates"),
    [
        ({}, []),
        ({"freeze_windows": (WINDOW,)}, ["freeze"]),
        ({"freeze_windows": (WINDOW,), "now": NOW + timedelta(hours=2)}, []),
        ({"freeze_windows": (WINDOW,), "kind": Kind.SWITCH, "schema": Schema(applied=revisions("e1"))}, []),
        ({"freeze_windows": (WINDOW,), "kind": Kind.RETIRE}, ["freeze"]),
        ({"freeze_windows": (WINDOW,), "kind": Kind.CONTRACT}, ["freeze"]),
        (known("prod", rejected=NOTE), ["rejected"]),
        (known("dev", rejected=NOTE), ["rejected"]),
        (known("prod", rejected=replace(NOTE, release="r-rebuilt")), ["rejected"]),
        (known("prod", rejected=replace(NOTE, release="r-settings", whole_digest=False)), []),
        (known("prod", rejected=replace(NOTE, whole_digest=False)), ["rejected"]),
        (
            known("prod", rejected=replace(NOTE, release="r-settings", others=(NOTE.release,), whole_digest=False)),
            ["rejected"],
        ),
        (known("prod", lifted=NOTE), []),
        (BACK | known("dev", rejected=NOTE), ["rejected"]),
        (BACK | known("dev", rejected=NOTE) | {"kind": Kind.SWITCH}, ["rejected"]),
        (known("dev", rejected=NOTE) | {"kind": Kind.RETIRE}, ["rejected"]),
        ({"promote_from": "staging"}, ["upstream"]),
        ({"promote_from": "staging"} | known("staging", verified=NOTE), []),
        ({"promote_from": "staging"} | known("dev", verified=NOTE), ["upstream"]),
        ({"promote_from": "staging"} | known("prod", verified=NOTE), ["upstream"]),
        (BACK | {"promote_from": "staging"}, ["upstream"]),
        (BACK | {"promote_from": "staging"} | known("prod", verified=NOTE), []),
        (BACK | {"was_live": False}, ["upstream"]),
        (BACK | {"was_live": False} | known("prod", verified=NOTE), []),
        ({"was_live": False}, []),
        ({"live": NEWER}, ["order"]),
        (BACK | {"live": NEWER}, []),
        ({"live": OLDER}, []),
        ({"image_exists": False}, ["image"]),
        ({"kind": Kind.RETIRE, "window_closes_at": NOW + timedelta(seconds=1)}, ["rollback-window"]),
        ({"kind": Kind.CONTRACT, "window_closes_at": NOW}, []),
        ({"program_hash": "other"}, ["program"]),
        ({"lock_hash": "other"}, ["program"]),
        ({"program_hash": "p", "lock_hash": "l"}, []),
        (
            {"live": OLDER, "release": release("e1 c2 e3"), "schema": Schema(applied=revisions("e1"))},
            ["pending-contract"],
        ),
        (
            {"release": release("e1 c2 e3"), "schema": Schema(applied=revisions("e1"))},
            [],
        ),  # nothing live needs what goes
        ({"schema": Schema(applied=revisions("e1 e2 c3"))}, ["schema"]),
        ({"kind": Kind.ROLLBACK}, ["schema"]),
        ({"release": FAULTY}, ["migrations"]),
        ({"release": FAULTY, "schema": Schema(applied=revisions("c1"))}, []),
        ({"release": FAULTY, "kind": Kind.ROLLBACK}, []),
    ],
)
def test_gates_refuse_exactly_what_they_should(changes: dict[str, object], gates: list[str]) -> None:
    assert [refusal.gate for refusal in evaluate_gates(facts(**changes))] == gates


@pytest.mark.parametrize("gate", ["upstream", "image", "pending-contract", "schema", "migrations"])
def test_gates_that_protect_users_cannot_be_forced(gate: str) -> None:
    changes: dict[str, dict[str, object]] = {
        "upstream": {"promote_from": "staging"},
        "image": {"image_exists": False},
        "pending-contract": {"live": OLDER, "release": release("e1 c2 e3"), "schema": Schema(applied=revisions("e1"))},
        "schema": {"schema": Schema(applied=revisions("e1 e2 c3"))},
        "migrations": {"release": FAULTY},
    }
    (refusal,) = evaluate_gates(facts(**changes[gate]))
    assert not refusal.can_be_forced
    assert refusal.remedy


@pytest.mark.parametrize(
    ("dead", "unchanged_seconds", "taken"), [(False, 0, False), (False, 29, False), (False, 31, True), (True, 0, True)]
)
def test_lease_is_taken_from_the_dead_at_once_and_from_others_after_a_term_that_was_watched(
    dead: bool, unchanged_seconds: float, taken: bool
) -> None:
    owner = Owner(user="ada", host="bench", pid=1, started=1)
    end = NOW + timedelta(seconds=30)
    lease = Lease(owner=owner, fence=1, purpose="release", acquired_at=NOW, heartbeat_at=NOW, expires_at=end)
    assert may_take_over(lease, owner_is_dead=dead, unchanged_seconds=unchanged_seconds) is taken


def stack_output() -> dict[str, object]:
    rehearsal = Rehearsal()
    environment = rehearsal.environment("dev")
    environment.exists = True
    return dict(environment.outputs()["delivery"])


def test_stack_output_is_read_with_its_camel_case_names() -> None:
    target = parse_target({"delivery": stack_output()})
    assert target.load_balancer.test_rule_arn == "listener-rule/dev/orders/test"
    assert target.load_balancer.target_group(Colour.GREEN) == "targetgroup/dev/orders/green"
    assert (target.rollout.bake_seconds, target.rollout.steps) == (5, shares(10, 50, 100))


def test_refuses_a_stack_output_naming_every_fault_and_no_value() -> None:
    output = stack_output() | {
        "region": None,
        "notifications": {"webhookUrl": ["hush"]},
        "rollout": {"bakeSeconds": -1, "onNoData": "ignore"},
    }
    with pytest.raises(UsageError) as caught:
        parse_target({"delivery": output})
    for part in (
        "delivery.region",
        "delivery.notifications.webhookUrl",
        "delivery.rollout.bakeSeconds",
        "delivery.rollout.onNoData",
    ):
        assert part in str(caught.value)
    assert "hush" not in str(caught.value)


def test_refuses_a_stack_without_the_output() -> None:
    with pytest.raises(UsageError, match="no output `delivery`"):
        parse_target({})
