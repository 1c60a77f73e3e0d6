"""Load balancers of the API: made as the program makes them, and with a simulation's traffic, targets and nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.route import Routes
from slipway.delivery.model.target import LoadBalancerRef
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


def make_load_balancer(ec2: Any, elb: Any, *, name: str = "orders", groups_of: str = "orders") -> LoadBalancerRef:
    """As the program makes it, with a test route; `groups_of` begins the names of the target groups. `ec2` and `elb`: clients."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
    groups = {
        colour: elb.create_target_group(
            Name=f"{groups_of}-{colour}", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        for colour in Colour
    }

    def listener(port: int, weights: dict[Colour, int]) -> str:
        forward = {
            "TargetGroups": [
                {"TargetGroupArn": groups[colour], "Weight": weight} for colour, weight in weights.items()
            ],
            "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
        }
        made = elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "ForwardConfig": forward, "Order": 1}],
        )
        return str(made["Listeners"][0]["ListenerArn"])

    live = listener(80, {Colour.BLUE: 100, Colour.GREEN: 0})
    (rule,) = elb.create_rule(
        ListenerArn=live,
        Priority=1,
        Conditions=[
            {
                "Field": "http-header",
                "HttpHeaderConfig": {"HttpHeaderName": "X-Slipway-Test", "Values": ["open sesame"]},
            }
        ],
        Actions=[{"Type": "forward", "TargetGroupArn": groups[Colour.GREEN]}],
    )["Rules"]
    return LoadBalancerRef(
        arn=balancer["LoadBalancerArn"],
        dns_name=balancer["DNSName"],
        url="http://127.0.10.1",
        listener_arn=live,
        test_rule_arn=rule["RuleArn"],
        target_groups=groups,
    )
