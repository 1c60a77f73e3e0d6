"""A few random histories, which must harm nobody; the integration tests play many."""

from __future__ import annotations

import pytest

from slipway.delivery.testing.clock import EndlessError, ManualClock
from slipway.delivery.testing.processes import KilledError, Process, inhabited
from tests.histories import History, play

HISTORIES = 120
CHUNK = 40


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_history_harms_nobody_and_ends_where_a_release_goes_through(first: int) -> None:
    assert sum(play(seed).ways_back for seed in range(first, first + CHUNK)) > CHUNK / 20


@pytest.mark.parametrize(
    "seed",
    [20072, 60014, 61804, 60320, 71431, 73056, 90747, 92220, 2165, 304394, 405558, 310297, 341462, 200895, 3001886],
)
def test_history_that_once_failed(seed: int) -> None:
    """20072: a second rollback switched to pods that the `up` of the release turned back first was about to replace.
    60014: an `up` replaced a colour to which somebody had moved the traffic by hand.
    61804: a move that a dead process had asked for took effect after the weights were read, and were right by chance.
    60320: a rollback gave the traffic, moved by hand to the older release, back to what its person wanted to leave.
    71431: a rollback took a process whose clock was an hour behind for one that was bringing the traffic back already.
    73056: a load balancer lost the move back and made the one before it late, in the middle of the `up` that followed.
    90747: a rollback that a slow release obeyed a moment too late went back from the release before it as well.
    92220: a rollback switched to the pods of an abandoned release, whose `up` had failed, since another rollout had ended in between.
    2165: a pause could not be ended while a release turned back to be tried again, and held the next attempt for ever.
    304394: not delivery's: traffic was moved by hand while a process slept whose release another one had completed.
    405558: a second rollback was refused since the first one's `up` had failed, although the colour was up by then.
    310297: not delivery's: a `retire` at work took the warm colour away just before the rollback had the lease.
    341462: a rollback took traffic, moved by hand to the older release, for that of a release which never had any.
    3001886: a rollback that aborted a contract switched to pods that the contract's `up` was about to take away.
    200895: a rollback waited for the end of a rehearsal until its own clock said what that of the rehearsal had said.
    """
    play(seed)


def test_history_that_does_not_end_is_told_with_its_seed_and_what_it_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(history: History) -> None:
        def for_ever() -> None:
            ctx = inhabited(history.rehearsal.context("dev", pid=99), history.clock)
            while ctx.ledger.wanted(ctx.place):
                ctx.clock.sleep(500)

        history.clock.start(Process(99), for_ever)

    monkeypatch.setattr(History, "live_through", wait)
    with pytest.raises(AssertionError, match=r"seed 3: no end after .*at work: process 99 after `wanted`; last wait: "):
        play(3)


def test_process_that_calls_for_ever_without_sleeping_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(history: History) -> None:
        def for_ever() -> None:
            ctx = inhabited(history.rehearsal.context("dev", pid=99), history.clock)
            while ctx.ledger.wanted(ctx.place):
                pass

        history.clock.start(Process(99), for_ever)

    monkeypatch.setattr(History, "live_through", call)
    with pytest.raises(AssertionError, match=r"seed 3: process 99 calls `wanted` for the 10,001th time"):
        play(3)


def test_clock_of_a_simulated_world_ends_a_wait_for_what_never_comes() -> None:
    clock = ManualClock(most_sleeps=10)
    for _ in range(10):
        clock.sleep(5)
    with pytest.raises(EndlessError, match="no end after 11 sleeps and 50 s"):
        clock.sleep(5)


def test_killed_process_writes_nothing_more() -> None:
    history = History(1)
    process = history.start("release")
    process.fuse, process.nap_seconds = 30, 0
    history.clock.run_until()
    assert isinstance(process.error, KilledError)
    lease = history.rehearsal.ledger.lease(history.dev.place)
    assert lease
    assert lease.owner.pid == process.pid
