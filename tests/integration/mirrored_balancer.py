"""A load balancer of the API whose traffic, targets and nodes are a simulation's."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.route import Routes
from slipway.delivery.ports import LoadBalancer
from slipway.delivery.testing.world import SimulatedEnvironment


@dataclass(frozen=True)
class MirroredBalancer:
    """Implements `ports.LoadBalancer`: each call goes to the API, and then to the simulation; the API's answers count, but for health."""

    real: LoadBalancer
    simulated: LoadBalancer
    environment: SimulatedEnvironment

    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        self.simulated.read(test=test, routes=routes)
        return self.real.read(test=test, routes=routes)

    def move(self, weights: Weights) -> None:
        self.real.move(weights)
        self.simulated.move(weights)
        self.environment.settle_weights()

    def point_test(self, colour: Colour) -> None:
        self.real.point_test(colour)
        self.simulated.point_test(colour)

    def set_routes(self, routes: Routes) -> None:
        self.real.set_routes(routes)
        self.simulated.set_routes(routes)

    def health(self, colour: Colour) -> Health:
        self.real.health(colour)
        return self.simulated.health(colour)
