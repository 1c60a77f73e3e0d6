"""HAProxy's process itself: ended from outside, or in the way of a change."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from slipway.errors import OperationError

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def test_load_balancer_comes_back_when_haproxy_is_killed(lab: Any) -> None:
    balancer = lab.load_balancer()
    group = lab.target_group("blue", lab.serve("blue"))
    lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    process = lab.processes.find("haproxy").process()
    for member in [*process.children(), process]:
        member.kill()

    def answers() -> bool:
        try:
            return lab.get(balancer["DNSName"]).status == 200
        except OSError:
            return False

    lab.wait(answers, "the load balancer answers again")
    assert set(lab.health(group).values()) == {("healthy", "")}


def test_change_that_failed_is_tried_again(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = lab.load_balancer()
    blue, green = lab.target_group("blue", lab.serve("blue")), lab.target_group("green", lab.serve("green"))
    listener = lab.listener(balancer, {blue: 100, green: 0})
    lab.wait_healthy(blue, green)
    plane = type(lab.traffic._data_plane)
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise OperationError("no")

        broken.setattr(plane, "apply", fail)
        with pytest.raises(OperationError):
            lab.weigh(listener, {blue: 0, green: 100})
        time.sleep(1.5)
        assert lab.get(balancer["DNSName"]).body.startswith("blue")
    lab.wait(lambda: lab.get(balancer["DNSName"]).body.startswith("green"), "the new weights")


def test_no_waiting_connection_is_reset_when_haproxy_gets_no_time_at_a_reload(lab: Any) -> None:
    balancer = lab.load_balancer()
    group = lab.target_group("blue", lab.serve("blue"))
    listener = lab.listener(balancer, {group: 1})
    lab.wait_healthy(group)
    (worker,) = lab.processes.find("haproxy").process().children()
    worker.suspend()
    # More than the second that a new worker waits for the sockets of the old one.
    threading.Timer(1.5, worker.resume).start()
    with ThreadPoolExecutor(4) as clients:
        requests = [clients.submit(lab.get, balancer["DNSName"]) for _ in range(4)]
        lab.elbv2.create_rule(
            ListenerArn=listener,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/rule"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        assert [request.result().status for request in requests] == [200] * 4
