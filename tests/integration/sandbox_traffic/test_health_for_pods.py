"""What controllers of bindings learn of their targets' health, and when."""

from __future__ import annotations

from typing import Any

from slipway.sandbox.traffic.health import UNUSED
from slipway.sandbox.traffic.model import Target


class _Controller:
    def __init__(self) -> None:
        self.told: list[str] = []

    def on_health_change(self, arn: str) -> None:
        self.told.append(arn)

    def stop(self) -> None:
        pass


def test_controllers_are_told_of_each_change_and_find_the_health_that_aws_shows(lab: Any) -> None:
    controller = lab.traffic._controllers["dev"] = _Controller()
    registry, server = lab.traffic._registry, lab.serve("blue")
    target, group = Target("127.0.0.1", server.port), lab.target_group("blue")

    assert registry.change_targets(group, [target], [])
    assert registry.health(group, [target]) == {target: UNUSED}
    lab.listener(lab.load_balancer(), {group: 1})
    lab.wait(lambda: controller.told, "the first change")
    assert controller.told == [group]
    assert registry.health(group, [target])[target].state == "healthy"
    server.health = 503
    lab.wait(lambda: len(controller.told) == 2, "the next change")

    assert registry.health(group, [target])[target].reason == "Target.ResponseCodeMismatch"
    assert registry.health(f"{group}0", [target]) == {}
    assert registry.health(group, []) == {}
