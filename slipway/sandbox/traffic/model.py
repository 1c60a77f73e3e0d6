"""What the load balancers should do, as values: nothing here opens a socket or reads moto.

Words are those of the Elastic Load Balancing API, version 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

HealthState = Literal["initial", "healthy", "unhealthy", "draining", "unused", "unavailable"]


@dataclass(frozen=True, order=True)
class Target:
    """One registered `ip` target."""

    address: str
    port: int

    @property
    def key(self) -> str:
        """`address:port`, unique in its target group."""
        return f"{self.address}:{self.port}"

    @property
    def server(self) -> str:
        """The name of its server line; HAProxy allows letters, digits, `-`, `_`, `.` and `:`."""
        return f"{self.address}:{self.port}"

    @classmethod
    def from_key(cls, key: str) -> Target:
        """The target that `key` names."""
        address, _, port = key.rpartition(":")
        return cls(address, int(port))


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a target group's targets are probed."""

    enabled: bool = True
    protocol: str = "HTTP"
    port: str = "traffic-port"
    """`traffic-port`, or a port number."""
    path: str = "/"
    interval_seconds: int = 30
    timeout_seconds: int = 5
    healthy_threshold: int = 5
    """Passed checks in a row that bring an unhealthy target back; a new target needs one."""
    unhealthy_threshold: int = 2
    matcher: str = "200"
    """Status codes that pass: `200`, `200,202`, `200-299`."""

    dropped: bool = False
    """Security groups drop its packets."""

    def port_of(self, target: Target) -> int:
        """The port that is probed on `target`."""
        return target.port if self.port == "traffic-port" else int(self.port)


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """A target group and what is registered in it."""

    arn: str
    account: str
    region: str
    protocol: str = "HTTP"
    protocol_version: str = "HTTP1"
    health_check: HealthCheck = field(default_factory=HealthCheck)
    targets: tuple[Target, ...] = ()
    closed: frozenset[Target] = frozenset()
    """Targets whose security groups do not let the load balancer in."""
    deregistration_delay_seconds: int = 300
    algorithm: str = "round_robin"
    in_use: bool = False
    """A listener or rule names it; else its targets are `unused` and nobody probes them."""
    idle_timeout_seconds: int = 60
    """Of the load balancer that uses it."""

    @property
    def dimension(self) -> str:
        """`targetgroup/name/id`, the value of the CloudWatch dimension `TargetGroup`."""
        return self.arn.rpartition(":")[2]

    @property
    def backend(self) -> str:
        """The name of its HAProxy backend: `name_id`. Names of target groups have no underscore, so it can be read back."""
        _, name, identifier = self.dimension.split("/")
        return f"{name}_{identifier}"


@dataclass(frozen=True)
class WeightedGroup:
    """A share of a forward action."""

    arn: str
    weight: int


@dataclass(frozen=True)
class Forward:
    """Send the request to one of the groups, by weight."""

    groups: tuple[WeightedGroup, ...]


@dataclass(frozen=True, kw_only=True)
class FixedResponse:
    """Answer without a target."""

    status: int
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Send the client elsewhere; `#{host}` and the like are still in the texts."""

    status: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


@dataclass(frozen=True)
class Condition:
    """One condition of a rule: any of its values may match."""

    kind: str
    """`path-pattern`, `host-header`, `http-header`, `http-request-method`, `query-string` or `source-ip`."""
    values: tuple[str, ...]
    header: str = ""
    """Name of the header, for `http-header` only."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The first rule of a listener whose conditions all match decides; the last one has none."""

    identifier: str
    """`listener-id/rule-id`, or `listener-id/default`."""
    conditions: tuple[Condition, ...] = ()
    action: Forward | FixedResponse | Redirect

    @property
    def file_name(self) -> str:
        """The identifier as a file name."""
        return self.identifier.replace("/", "_")


@dataclass(frozen=True)
class Certificate:
    """A certificate of an HTTPS listener."""

    arn: str
    pem: str = field(repr=False)
    """With its private key."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A port of a load balancer."""

    arn: str
    port: int
    protocol: str = "HTTP"
    certificates: tuple[Certificate, ...] = ()
    """The first one is the default; a client's server name may choose another."""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """An application load balancer and the loopback address it answers on."""

    arn: str
    account: str
    region: str
    address: str
    idle_timeout_seconds: int = 60
    listeners: tuple[Listener, ...] = ()

    @property
    def dimension(self) -> str:
        """`app/name/id`, the value of the CloudWatch dimension `LoadBalancer`."""
        return self.arn.partition(":loadbalancer/")[2]

    def frontend(self, listener: Listener) -> str:
        """The name of the listener's HAProxy frontend: `name_id_port`."""
        _, name, identifier = self.dimension.split("/")
        return f"{name}_{identifier}_{listener.port}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that the data plane serves."""

    load_balancers: tuple[LoadBalancer, ...] = ()
    target_groups: Mapping[str, TargetGroup] = field(default_factory=dict[str, TargetGroup])
    """By ARN; also those that no listener uses."""

    def forwards(self) -> Sequence[tuple[Rule, Forward]]:
        """Every rule that forwards, with its action."""
        return [
            (rule, rule.action)
            for balancer in self.load_balancers
            for listener in balancer.listeners
            for rule in listener.rules
            if isinstance(rule.action, Forward)
        ]
