"""What a stack file may say: its settings, with defaults, limits and meanings. `docs/settings.md` is made from this file."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from components.compute import Compute
from components.domain import DOMAIN, MAXIMUM_DOMAIN
from slipway.contract.analysis import AnalysisEntries
from slipway.contract.domain import zone_of
from slipway.contract.freeze import FreezeWindow
from slipway.contract.retries import Retries
from slipway.contract.routes import RouteEntries
from slipway.contract.steps import StepSettings, shares
from slipway.contract.supply_chain import SupplyChain


class _Settings(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class NetworkSettings(_Settings):
    """`slipway:network`"""

    cidr: str
    """The VPC's addresses, `10.20.0.0/16`. Environments should not overlap."""
    zones: Annotated[int, Field(ge=2, le=8)] | Annotated[list[str], Field(min_length=2, max_length=8)] = 2
    """How many availability zones, or their names, which mean other places in each account."""
    nat_gateways: Literal["none", "single", "per-zone"] = "single"
    """How pods reach the internet: not at all, through one zone, or from each zone by its own."""


class NodeSettings(_Settings):
    """`slipway:cluster.nodes`"""

    instance_type: str = "t3.medium"
    """EC2 type of the nodes."""
    minimum: Annotated[int, Field(ge=1)] = 1
    """Nodes at least."""
    desired: Annotated[int, Field(ge=1)] = 1
    """Nodes that the program makes. A cluster autoscaler, yours to install, adds more."""
    maximum: Annotated[int, Field(ge=1)] = 3
    """Nodes at most."""
    disk_gib: Annotated[int, Field(ge=20)] = 20
    """Root volume of each node, in GiB."""


class AccessSettings(_Settings):
    """`slipway:cluster.access`: ARNs of IAM roles and users. EKS lets nobody else in."""

    deploy: Annotated[list[str], Field(min_length=1)]
    """Who runs `up` and releases."""
    preview: list[str] = []
    """Who runs `preview`: reads everything but Secrets."""
    people: list[str] = []
    """Who administers the cluster by hand."""


class ClusterSettings(_Settings):
    """`slipway:cluster`"""

    version: Annotated[str, Field(pattern=r"^1\.\d+$")]
    """Kubernetes' version."""
    access: AccessSettings
    """Who is let into the cluster."""
    compute: Compute = Compute.NODE_GROUP
    """Who runs the nodes: `nodeGroup`, or `auto` for EKS Auto Mode. Not changed in an environment that serves requests."""
    nodes: NodeSettings = NodeSettings()
    """Of the node group; in Auto Mode AWS chooses."""
    endpoint_cidrs: list[str] = []
    """Public networks from which the API server answers; none: inside the VPC only."""

    @property
    def node_group(self) -> NodeSettings | None:
        """None in Auto Mode."""
        return None if self.compute == Compute.AUTO else self.nodes


class DatabaseSettings(_Settings):
    """`slipway:database`"""

    engine_version: str = "15"
    """PostgreSQL's major version."""
    allow_major_version_upgrade: bool = False
    """Needs `applyImmediately`."""
    apply_immediately: bool = False
    """Change the database now; in its weekly maintenance window otherwise."""
    instance_class: Annotated[str, Field(pattern=r"^db\.")] = "db.t4g.small"
    """Class of the RDS instance. One smaller than `db.t4g.small` has too little memory for logins with tokens."""
    storage_gib: Annotated[int, Field(ge=20)] = 20
    """Storage at the start, in GiB. RDS grows it."""
    multi_az: bool = False
    """Keep a standby in a second zone."""
    backup_days: Annotated[int, Field(ge=1, le=35)] = 7
    """How long daily backups are kept."""
    ca_bundle: str = ""
    """File with the certificates of RDS's authorities, in PEM, relative to the project: AWS's bundle of the region."""
    protect: bool = False
    """Refuse to delete the database, in Pulumi and in AWS, and keep a last snapshot."""


class ImageSettings(_Settings):
    """`slipway:image`"""

    context: str = ""
    """Folder of the Dockerfile, relative to the project; empty where no image is built."""
    base_image: str = ""
    """What the image starts from, by digest."""
    allow_moving_base: bool = False
    """Build on the Dockerfile's own base, which moves with its tag: the same source may give another image tomorrow."""
    registry_account_id: Annotated[str, Field(pattern=r"^\d{12}$")] | None = None
    """The organisation's account, whose registry has the service's repository; none: the environment's own."""


class ReplicaSettings(_Settings):
    """`slipway:service.replicas`, per colour."""

    minimum: Annotated[int, Field(ge=1)] = 2
    """Pods at least."""
    maximum: Annotated[int, Field(ge=1)] = 4
    """Pods at most."""


class PermissionSettings(_Settings):
    """`slipway:service.permissions[…]`"""

    actions: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9*?]+$")]], Field(min_length=1)]
    """IAM actions, such as `sqs:SendMessage`."""
    resources: Annotated[list[Annotated[str, Field(pattern=r"^(\*|arn:.+)$")]], Field(min_length=1)]
    """ARNs; `*` for actions that know no resource."""


class ServiceSettings(_Settings):
    """`slipway:service`"""

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$")]
    """Name of the service and of what belongs to it; at most 24 characters together with `-<environment>`."""
    domain: Annotated[str, Field(pattern=f"^{DOMAIN.pattern}$", max_length=MAXIMUM_DOMAIN)] | None = None
    """Name of the service in DNS. It gets a record, and a certificate unless `loadBalancer.certificateArn` names one."""
    hosted_zone: str | None = None
    """Name of the Route 53 zone of the domain; its parent by default. Empty: DNS is served elsewhere."""
    replicas: ReplicaSettings = ReplicaSettings()
    """Pods of each colour."""
    port: Annotated[int, Field(gt=0, lt=65_536)] = 8080
    """Where pods answer requests."""
    metrics_port: Annotated[int, Field(gt=0, lt=65_536)] = 9090
    """Where pods answer Prometheus; no load balancer has it."""
    cpu_millicores: Annotated[int, Field(ge=10)] = 100
    """CPU that each pod asks for, in thousandths of a core."""
    memory_mib: Annotated[int, Field(ge=32)] = 192
    """Memory of each pod, in MiB."""
    drain_seconds: Annotated[int, Field(ge=0, le=120)] = 20
    """A pod that ends goes on serving for this long."""
    slowest_request_seconds: Annotated[int, Field(ge=1, le=3000)] = 10
    """The longest that a request may take; a pod that ends waits for it."""
    permissions: list[PermissionSettings] = []
    """What the service's pods may do in AWS; nothing by default."""
    permissions_boundary: Annotated[str, Field(pattern=r"^[\w+=,.@-]{1,128}$")] | None = None
    """Name of the IAM policy that bounds `permissions`. The roles that the foundation gives CI demand `slipway-pods`."""

    @property
    def zone(self) -> str:
        """Name of the hosted zone that gets the domain's records; empty for none."""
        return zone_of(self.domain, self.hosted_zone)


class LoadBalancerSettings(_Settings):
    """`slipway:loadBalancer`"""

    certificate_arn: str | None = None
    """A certificate of your own, in place of the requested one. Needs `service.domain`."""
    internal: bool = False
    """Reachable from inside the VPC only."""
    live_cidrs: list[str] = ["0.0.0.0/0"]
    """Networks that may send requests."""
    protect: bool = False
    """Refuse to delete the load balancer. Needs `service.domain`, or `allowHttp`."""
    allow_http: bool = False
    """Allow `protect` for a load balancer that has no certificate."""


class FreezeWindowSettings(FreezeWindow):
    """`slipway:rollout.freezeWindows[…]`"""

    model_config = ConfigDict(extra="forbid")


class MetricSettings(_Settings):
    """`slipway:rollout.metrics[…]`: what differs for one metric."""

    on_no_data: Literal["fail", "hold", "pass"] | None = None
    """As `rollout.onNoData`, for this metric."""
    dry_run: bool | None = None
    """Measured, judged and told, without a consequence. `probe.latency` is as `latency` says where it says nothing itself."""


def _refuse_without_effect(metrics: dict[str, MetricSettings]) -> dict[str, MetricSettings]:
    for key, settings in metrics.items():
        if key.startswith("probe.") and settings.on_no_data:
            raise ValueError(f"{key}: onNoData has no effect: requests of our own add evidence, and are never missed")
    return metrics


class RolloutSettings(_Settings):
    """`slipway:rollout`: handed on, whole, to whoever moves the traffic."""

    strategy: Literal["canary", "linear", "blue-green", "all-at-once"] = "canary"
    """How traffic moves: by `steps`, by equal steps, or all at once."""
    steps: Annotated[list[StepSettings], Field(min_length=1)] = [*shares(10, 50, 100)]
    """Shares of the traffic in percent; `{percent: 50, approval: true}` waits for `slipway approve`. `linear` wants one increment:
    `[25]` means 25, 50, 75, 100; of more than one entry it takes the first."""
    approval_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 86_400
    """A step that nobody approves within this time turns the rollout back."""
    bake_seconds: Annotated[int, Field(ge=0)] = 60
    """How long each step is watched."""
    metric_window_seconds: Annotated[int, Field(ge=1)] | None = None
    """A failure that begins late in a bake is looked for apart from what was before, in parts of this length.
    By default 180 on AWS and 60 on the sandbox."""
    metric_delay_seconds: Annotated[int, Field(ge=0)] | None = None
    """How late the metrics arrive; the bake waits that much longer. By default 120 on AWS and 0 on the sandbox."""
    max_error_ratio: Annotated[float, Field(ge=0, le=0.5)] = 0.01
    """At most this share of the requests may fail, from 0 to 0.5. Not to be judged by errors: `metrics: {errors: {dryRun: true}}`."""
    error_factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    """A candidate above `maxErrorRatio` is tolerated while the live colour is as bad, up to this factor."""
    max_p99_seconds: Annotated[float, Field(gt=0)] = 1.0
    """At most one request in a hundred may take longer."""
    detect_factor: Annotated[float, Field(ge=1.1, le=100)] = 2.0
    """The last step bakes on until a release this many times worse than a limit would have been caught."""
    minimum_requests: Annotated[int, Field(ge=0)] = 20
    """Fewer requests than this are no data."""
    on_no_data: Literal["fail", "hold", "pass"] = "hold"
    """A step without data fails, bakes on up to `maxExtensions` times and then fails, or passes."""
    max_extensions: Annotated[int, Field(ge=0)] = 5
    """How often a step's bake is extended, by `hold` before it fails, and for `detectFactor`."""
    metrics: Annotated[
        dict[Annotated[str, Field(pattern=r"^([a-z]+\.)?(errors|latency)$")], MetricSettings],
        AfterValidator(_refuse_without_effect),
    ] = {}
    """What differs for one metric: by `errors` and `latency`, or by source and metric: `probe.latency`."""
    analysis_interval_seconds: Annotated[int, Field(ge=1)] = 10
    """How often the metrics are looked at during a bake."""
    synthetic_requests: bool = True
    """Ask the candidate over the test route, so that a quiet service has numbers too."""
    rollback_window_seconds: Annotated[int, Field(ge=0)] = 3600
    """How long the old colour keeps running, for a quick rollback."""
    smoke_paths: list[Annotated[str, Field(pattern="^/")]] = ["/healthz", "/version"]
    """Paths that must answer over the test route before traffic moves."""
    smoke_seconds: Annotated[int, Field(ge=1)] = 30
    """They must answer within this time."""
    health_seconds: Annotated[int, Field(ge=1)] = 600
    """All pods of the idle colour must be healthy targets of the load balancer after this long. New nodes, if need be, are in it."""
    size_seconds: Annotated[int, Field(ge=1)] = 300
    """Pods for the next share of the traffic must be ready this long after they were asked for."""
    surge_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """So many of the pods that the whole traffic needs are asked for at once; the next once they are ready."""
    retries: Retries = 0
    """So often a release is tried again by itself when an `up`, a migration or an API failed. A bad verdict is final."""
    rehearsed: bool = False
    """Promotions wait for `slipway rehearse` in the environment that they come from."""
    promote_from: str | None = None
    """The environment that releases come from. None: they are built here."""
    freeze_windows: list[FreezeWindowSettings] = []
    """[Spans](real-account.md#freeze-windows) in which traffic only goes back."""
    analysis: AnalysisEntries = ()
    """What else a candidate is judged by."""
    routes: Annotated[RouteEntries, Field(exclude_if=lambda routes: not routes)] = ()
    """Requests that go to a release while it is tried, by a header or a cookie."""


class SupplyChainSettings(SupplyChain):
    """`slipway:supplyChain`: handed on, whole, to delivery."""

    model_config = ConfigDict(extra="forbid")


class MonitoringSettings(_Settings):
    """`slipway:monitoring`"""

    alarms: bool = False
    """Make CloudWatch alarms. Needs somebody in `subscriberEmails` or `subscriberUrls`."""
    log_retention_days: int = 30
    """How long logs are kept in CloudWatch."""
    subscriber_emails: list[str] = []
    """Who gets the alarms. Each confirms a message of SNS once."""
    subscriber_urls: list[Annotated[str, Field(pattern="^https://")]] = []
    """Addresses that SNS posts the alarms to."""
    minimum_free_storage_gib: Annotated[int, Field(ge=1)] = 2
    """Alarm below so much free storage of the database, in GiB."""
    minimum_free_memory_mib: Annotated[int, Field(ge=1)] = 64
    """Alarm below so much free memory of the database, in MiB."""
    maximum_connections: Annotated[int, Field(ge=1)] = 70
    """Alarm above so many connections to the database."""


class StackSettings(_Settings):
    """Everything a stack file says about one environment."""

    owner: Annotated[str, Field(min_length=1)]
    """Who is responsible: the tag `owner` on everything."""
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    """The AWS account of this environment; another one is refused before anything is read or made."""
    ledger_table: str = "slipway-ledger"
    """Name of the ledger's table, or its ARN in another account: the foundation's output `ledgerTableArn`."""
    network: NetworkSettings
    """The VPC."""
    cluster: ClusterSettings
    """The EKS cluster."""
    database: DatabaseSettings = DatabaseSettings()
    """The PostgreSQL database."""
    image: ImageSettings = ImageSettings()
    """What is built, and from what."""
    service: ServiceSettings
    """The service, and what its pods get."""
    load_balancer: LoadBalancerSettings = LoadBalancerSettings()
    """Who reaches the service, and how."""
    rollout: RolloutSettings = RolloutSettings()
    """How a release gets its traffic, and when it goes back."""
    supply_chain: SupplyChainSettings = SupplyChainSettings()
    """Who signs images, and what is demanded of them ([provenance](security.md#provenance))."""
    monitoring: MonitoringSettings = MonitoringSettings()
    """Alarms and logs."""
