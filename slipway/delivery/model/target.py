"""What delivery knows of a stack: its output `delivery`, checked field by field.

A fault is reported with its path in the output (`delivery.loadBalancer.listenerArn`), all faults at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from slipway.contract.analysis import AnalysisEntries
from slipway.contract.colour_settings import ColourSettings
from slipway.contract.freeze import FreezeWindow
from slipway.contract.retries import Retries
from slipway.contract.routes import RouteEntries
from slipway.contract.steps import StepSettings, shares
from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.faults import describe_faults
from slipway.delivery.model.release import Login
from slipway.errors import UsageError

NoDataPolicy = Literal["fail", "hold", "pass"]
Seconds = Annotated[float, Field(ge=0, le=30 * 86_400)]
"""Bounded, so that it can be added to any time."""


class Part(BaseModel):
    """A part of the output: camelCase outside, frozen inside; keys of newer programs are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class ClusterRef(Part):
    """The EKS cluster and the namespace the service runs in."""

    name: str
    namespace: str
    maximum_nodes: int | None = None
    """Where the node group ends; None: nobody knows."""


class Replicas(Part):
    """Pods of each colour that runs, between which its autoscaler may choose."""

    minimum: int
    maximum: int


class LoadBalancerRef(Part):
    """The load balancer's listener, the rule of its test route, and the two target groups."""

    arn: str
    dns_name: str
    url: str
    listener_arn: str
    test_rule_arn: str = ""
    """Empty: the stack was brought up by an earlier version. Its next `up` makes the rule."""
    target_groups: dict[Colour, str]

    def target_group(self, colour: Colour) -> str:
        """ARN of the colour's target group."""
        return self.target_groups[colour]


class ImageRef(Part):
    """The image built by this stack; `reference` is by digest."""

    repository: str
    reference: str


class Notifications(Part):
    """Where the environment wants to be told; `webhook_url` is a secret."""

    webhook_url: str | None = Field(default=None, repr=False)
    topic_arn: str | None = None


class MetricSettings(Part):
    """What differs for one metric."""

    on_no_data: NoDataPolicy | None = None
    """None: as the stack says for all."""
    dry_run: bool | None = None
    """Measured, judged and told, without a consequence. None, of one source's metric: as that of all sources."""


class RolloutSettings(Part):
    """How traffic moves and when a release counts as bad. Units are in the names."""

    strategy: Literal["canary", "linear", "blue-green", "all-at-once"] = "canary"
    steps: tuple[StepSettings, ...] = shares(10, 50, 100)
    """Canary: the shares; linear: the first is the increment, and whether each further one waits for a person; the other strategies go
    to 100 at once, and wait for a person if the last one says so."""
    approval_seconds: Seconds = Field(default=86_400, gt=0)
    """A step that nobody approves within this time turns the rollout back."""
    bake_seconds: Seconds = 60
    max_error_ratio: float = Field(default=0.01, ge=0, le=1)
    error_factor: float = Field(default=2.0, ge=1)
    """A candidate above `max_error_ratio` is still tolerated while the live colour is as bad, up to this factor."""
    max_p99_seconds: Seconds = Field(default=1.0, gt=0)
    """At most one request in a hundred may take longer."""
    detect_factor: float = Field(default=2.0, gt=1)
    """The last step bakes on until a release this many times worse than a limit would have been caught, in 99 of 100 rollouts."""
    minimum_requests: int = Field(default=20, ge=0)
    """Fewer requests than this since a step began are no data."""
    on_no_data: NoDataPolicy = "hold"
    """`hold` bakes on, up to `max_extensions` times, and then fails."""
    metrics: dict[str, MetricSettings] = {}
    """By `errors` and `latency`, or by source and metric: `probe.latency`."""
    max_extensions: int = Field(default=5, ge=0)
    """How often the bake of a step may be extended by itself: for want of data, or of evidence in the last step."""
    metric_window_seconds: Seconds | None = Field(default=None, gt=0)
    """A failure that begins late in a bake is looked for apart from what was before, in parts of this length. None: as `Cadence` says."""
    metric_delay_seconds: Seconds | None = None
    """How late the metric store publishes; the bake waits that much longer. None: as `Cadence` says."""
    metric_period_seconds: Seconds = 0
    """The metric store counts in such periods, and a bake is judged by whole ones; 0: from any moment to any other. Of `Cadence`."""
    settle_seconds: Seconds = 0
    """The load balancer's nodes follow its control plane so much later, at most. Of `Cadence`."""
    analysis_interval_seconds: Seconds = Field(default=10, gt=0)
    """A bad window is looked for this often during a bake, not only at its end."""
    synthetic_requests: bool = True
    """Ask the candidate over the test route during the bake, so that a quiet service has numbers too."""
    rollback_window_seconds: Seconds = 3600
    smoke_paths: tuple[str, ...] = ("/healthz", "/version")
    smoke_seconds: Seconds = Field(default=30, gt=0)
    """The smoke test must have passed after this long."""
    health_seconds: Seconds = Field(default=600, gt=0)
    """All pods of the idle colour must be healthy targets of the load balancer after this long. New nodes, if need be, are in it."""
    size_seconds: Seconds = Field(default=300, gt=0)
    """Pods for the next share of the traffic must be ready this long after they were asked for."""
    surge_percent: int = Field(default=50, ge=1, le=100)
    """So many pods are asked for at once, of those that the whole traffic needs; the next once they are ready."""
    retries: Retries = 0
    """So often a release is tried again by itself when something that it did failed: an `up`, a migration, a call of an API. What was
    judged, aborted, superseded or refused is not."""
    rehearsed: bool = False
    """A release is let in only once the way back from it was rehearsed in `promote_from`."""
    promote_from: str | None = None
    """The environment a release must have been verified in; None: releases begin here."""
    freeze_windows: tuple[FreezeWindow, ...] = ()
    analysis: AnalysisEntries = ()
    """What else a candidate is judged by."""
    routes: RouteEntries = ()
    """Requests that go to a release while it is tried, whatever its share of the traffic is."""

    @property
    def window_seconds(self) -> float:
        """The metric window, also where nobody has set one."""
        return self.metric_window_seconds or 60

    @property
    def delay_seconds(self) -> float:
        """The metric store's delay, also where nobody has set one."""
        return self.metric_delay_seconds or 0

    def metric(self, source: str, name: str) -> MetricSettings:
        """The settings of one source's metric: what the more specific key says, wins over the other one, key by key."""
        of_all, own = (self.metrics.get(key, MetricSettings()) for key in (name, f"{source}.{name}"))
        return MetricSettings(
            on_no_data=own.on_no_data or of_all.on_no_data or self.on_no_data,
            dry_run=bool(of_all.dry_run if own.dry_run is None else own.dry_run),
        )


class DatabaseLogin(Part):
    """Names of what Jobs need to log in to the database with tokens."""

    ca_config_map: str
    migrations: str
    """ServiceAccount and ConfigMap."""
    roles: str
    """ServiceAccount and ConfigMap of what makes the database's users."""


class Target(Part):
    """One service in one environment, as its stack describes it."""

    environment: str
    service: str
    region: str
    ledger_table: str
    cluster: ClusterRef
    load_balancer: LoadBalancerRef
    deployments: dict[Colour, str]
    replicas: Replicas | None = None
    """None: the program says nothing of it, so no colour is sized."""
    database_secret_name: str | None = None
    database_login: DatabaseLogin | None = None
    """None: the program offers a password only."""
    image: ImageRef | None = None
    colour_settings: ColourSettings | None = None
    """What a colour that is released now gets; None: the program says nothing of it, so colours follow the stack file."""
    notifications: Notifications = Notifications()
    rollout: RolloutSettings = RolloutSettings()
    supply_chain: SupplyChain = SupplyChain()

    @property
    def login(self) -> Login:
        """How releases that are made now log in to the database."""
        return Login.TOKENS if self.database_login else Login.PASSWORD


def parse_target(outputs: Mapping[str, Any]) -> Target:
    """The stack's output `delivery`; UsageError names every field that is missing or wrong."""
    if "delivery" not in outputs:
        raise UsageError(
            "the stack has no output `delivery`", remedy="run `slipway up` first, or export it from the program"
        )
    try:
        return Target.model_validate(outputs["delivery"])
    except ValidationError as error:
        raise UsageError(
            f"the stack's output cannot be used: {describe_faults(error, 'delivery.')}",
            remedy="compare it with the delivery reference",
        ) from None
