"""An organisation with an AWS account for itself and one for each environment, and environments whose weights go to the API.

Stands in for Kubernetes and the program of `infra/`: a simulated environment. Policies, ledger, registry, keys and load balancers are
the API's.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from stack_kit import Daemon

from slipway.delivery.adapters import aws as delivery_aws
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.model.cadence import SANDBOX
from slipway.delivery.model.colour import Weights
from slipway.delivery.model.target import LoadBalancerRef, Target
from slipway.delivery.ports import Context, SourceFacts, StackResult, World
from slipway.delivery.testing.attestations import SimulatedAttestations
from slipway.delivery.testing.clock import ManualClock
from slipway.delivery.testing.rehearsal import FACTS, QUICK
from slipway.delivery.testing.world import SimulatedEnvironment, SimulatedStack
from slipway.delivery.wiring import build_context
from tests.integration.balancers import MirroredBalancer, make_load_balancer

REGION = "us-east-1"
ORGANISATION = "123456789012"
ACCOUNTS = {"dev": "222222222222", "prod": "444444444444"}
Keys = Mapping[str, str]


def foundation_file() -> str:
    environments = {
        name: {"accountId": account, "stateBucket": f"state-{name}", "budgetUsdPerMonth": 1, "builds": name == "dev"}
        for name, account in ACCOUNTS.items()
    }
    config: dict[str, Any] = {
        "aws:region": REGION,
        "foundation:owner": "platform",
        "foundation:accountId": ORGANISATION,
        "foundation:repository": "example/orders",
        "foundation:services": ["orders"],
        "foundation:environments": environments,
        "foundation:audit": {"enabled": False},
        "foundation:backupDays": 0,
        "foundation:budget": {"enabled": False, "usdPerMonth": 1, "emails": ["platform@example.com"]},
    }
    return json.dumps({"config": config})


@dataclass
class Organisation:
    """Three accounts, and the foundation in them."""

    daemon: Daemon
    project: Path
    outputs: Mapping[str, Any]

    def session(self, role: str) -> Keys:
        """The owner takes on a role, as GitHub's token would let a job."""
        taken = self.daemon.client("sts").assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": taken["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": taken["SecretAccessKey"],
            "AWS_SESSION_TOKEN": taken["SessionToken"],
            "AWS_CREDENTIAL_EXPIRATION": taken["Expiration"].isoformat(),
        }

    def deployer(self, environment: str) -> Keys:
        return self.session(self.outputs[f"{environment}DeployRoleArn"])

    def administrator(self, environment: str) -> Keys:
        return self.session(f"arn:aws:iam::{ACCOUNTS[environment]}:role/OrganizationAccountAccessRole")

    def client(self, service: str, keys: Keys) -> Any:
        made: Any = boto3.Session(
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"], REGION
        )
        return made.client(service, endpoint_url=self.daemon.url)


def stack_file(environment: str, outputs: Mapping[str, Any]) -> str:
    rollout: dict[str, Any] = {**QUICK, **({"promoteFrom": "dev"} if environment == "prod" else {})}
    config: dict[str, Any] = {
        "aws:region": REGION,
        "slipway:accountId": ACCOUNTS[environment],
        "slipway:ledgerTable": outputs["ledgerTableArn"],
        "slipway:service": {"name": "orders"},
        "slipway:rollout": rollout,
        "slipway:supplyChain": {"key": outputs["signingKeyArn"]},
    }
    return json.dumps({"config": config})


def balancer_in(organisation: Organisation, environment: str) -> LoadBalancerRef:
    """In the environment's account, with names that its roles may use."""
    keys = organisation.administrator(environment)
    ec2, elb = organisation.client("ec2", keys), organisation.client("elbv2", keys)
    return make_load_balancer(ec2, elb, name=f"orders-{environment}-web", groups_of=f"orders-{environment}")


@dataclass
class Environment:
    """One environment with its load balancer; used by one job after the other."""

    organisation: Organisation
    name: str
    reference: LoadBalancerRef
    clock: ManualClock
    attestations: SimulatedAttestations
    image: str | None = None
    world: SimulatedEnvironment | None = None

    @contextmanager
    def context(self, keys: Keys) -> Generator[Context]:
        """As a job with these credentials has it."""
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in {**keys, "AWS_ENDPOINT_URL": self.organisation.daemon.url}.items():
                environment.setenv(variable, value)
            delivery_aws.session.cache_clear()
            stack = StandIn(self)
            ctx = build_context(self.organisation.project, self.name, stack=stack, cadence=SANDBOX)
            self.world = self.world or SimulatedEnvironment(
                place=ctx.place, ledger=ctx.ledger, clock=self.clock, weight_lag_seconds=0, image=self.image
            )
            self.world.ledger = ctx.ledger
            stack.simulated = SimulatedStack(self.world)
            yield replace(
                ctx,
                connect=self.connect,
                clock=self.clock,
                source=self,
                attestations=self.attestations,
            )
        delivery_aws.session.cache_clear()

    def connect(self, _target: Target) -> World:
        assert self.world
        world, real = self.world.world(), Elbv2LoadBalancer(self.reference, REGION)
        return replace(world, balancer=MirroredBalancer(real, world.balancer, self.world))

    def facts(self) -> SourceFacts:
        return FACTS

    def weights(self) -> Weights | None:
        """As an administrator of the account sees them."""
        elb = self.organisation.client("elbv2", self.organisation.administrator(self.name))
        return Elbv2LoadBalancer(self.reference, REGION, elb).read().weights


class StandIn:
    """The environment's stack: `up` makes the pods, and points the test route."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.simulated: SimulatedStack | None = None

    @property
    def _stack(self) -> SimulatedStack:
        assert self.simulated
        return self.simulated

    def up(self) -> StackResult:
        result = self._stack.up()
        assert self._environment.world
        Elbv2LoadBalancer(self._environment.reference, REGION).point_test(self._environment.world.test)
        return result

    def preview(self) -> StackResult:
        return self._stack.preview()

    def refresh(self) -> StackResult:
        return self._stack.refresh()

    def destroy(self) -> StackResult:
        return self._stack.destroy()

    def resources(self) -> int:
        return self._stack.resources()

    def outputs(self) -> Mapping[str, Any]:
        outputs = self._stack.outputs()
        if not outputs:
            return {}
        promoted = {"promoteFrom": "dev"} if self._environment.name == "prod" else {}
        reference = self._environment.reference.model_dump(mode="json", by_alias=True)
        return {"delivery": {**outputs["delivery"], "loadBalancer": reference, "rollout": {**QUICK, **promoted}}}
