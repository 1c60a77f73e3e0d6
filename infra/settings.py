"""The stack file's settings: read once, checked whole, every fault reported together with its file and key."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pulumi
from pulumi.runtime.config import is_config_secret
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from components.compute import Compute
from components.domain import DOMAIN, MAXIMUM_DOMAIN
from components.load_balancer import LONGEST_NAME
from slipway.contract.analysis import AnalysisEntries
from slipway.contract.domain import zone_of
from slipway.contract.freeze import FreezeWindow
from slipway.contract.retries import Retries
from slipway.contract.routes import RouteEntries
from slipway.contract.setting_faults import decode_settings, describe_faults
from slipway.contract.steps import StepSettings, shares
from slipway.contract.supply_chain import SupplyChain

NAMESPACE = "slipway"


class SettingsError(pulumi.RunError):
    """The stack file cannot be used; the message names every fault. Shown without a traceback."""


class _Settings(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class NetworkSettings(_Settings):
    """`slipway:network`"""

    cidr: str
    zones: Annotated[int, Field(ge=2, le=8)] | Annotated[list[str], Field(min_length=2, max_length=8)] = 2
    """How many, or names, which mean other places in each account."""
    nat_gateways: Literal["none", "single", "per-zone"] = "single"


class NodeSettings(_Settings):
    """`slipway:cluster.nodes`"""

    instance_type: str = "t3.medium"
    minimum: Annotated[int, Field(ge=1)] = 1
    desired: Annotated[int, Field(ge=1)] = 1
    maximum: Annotated[int, Field(ge=1)] = 3
    disk_gib: Annotated[int, Field(ge=20)] = 20


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
    access: AccessSettings
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
    allow_major_version_upgrade: bool = False
    apply_immediately: bool = False
    """Change the database now; in its weekly maintenance window otherwise."""
    instance_class: Annotated[str, Field(pattern=r"^db\.")] = "db.t4g.small"
    storage_gib: Annotated[int, Field(ge=20)] = 20
    multi_az: bool = False
    backup_days: Annotated[int, Field(ge=1, le=35)] = 7
    ca_bundle: str = ""
    """File with the certificates of RDS's authorities, in PEM, relative to the project: AWS's bundle of the region."""
    protect: bool = False


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
    maximum: Annotated[int, Field(ge=1)] = 4


class PermissionSettings(_Settings):
    """`slipway:service.permissions[…]`"""

    actions: Annotated[list[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9*?]+$")]], Field(min_length=1)]
    """IAM actions, such as `sqs:SendMessage`."""
    resources: Annotated[list[Annotated[str, Field(pattern=r"^(\*|arn:.+)$")]], Field(min_length=1)]
    """ARNs; `*` for actions that know no resource."""


class ServiceSettings(_Settings):
    """`slipway:service`"""

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$")]
    domain: Annotated[str, Field(pattern=f"^{DOMAIN.pattern}$", max_length=MAXIMUM_DOMAIN)] | None = None
    """Name of the service in DNS. It gets a record, and a certificate unless `loadBalancer.certificateArn` names one."""
    hosted_zone: str | None = None
    """Name of the Route 53 zone of the domain; its parent by default. Empty: DNS is served elsewhere."""
    replicas: ReplicaSettings = ReplicaSettings()
    port: Annotated[int, Field(gt=0, lt=65_536)] = 8080
    metrics_port: Annotated[int, Field(gt=0, lt=65_536)] = 9090
    """Where pods answer Prometheus; no load balancer has it."""
    cpu_millicores: Annotated[int, Field(ge=10)] = 100
    memory_mib: Annotated[int, Field(ge=32)] = 192
    drain_seconds: Annotated[int, Field(ge=0, le=120)] = 20
    slowest_request_seconds: Annotated[int, Field(ge=1, le=3000)] = 10
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
    internal: bool = False
    live_cidrs: list[str] = ["0.0.0.0/0"]
    protect: bool = False
    allow_http: bool = False
    """Protect a load balancer that has no certificate."""


class FreezeWindowSettings(FreezeWindow):
    """`slipway:rollout.freezeWindows[…]`"""

    model_config = ConfigDict(extra="forbid")


class MetricSettings(_Settings):
    """`slipway:rollout.metrics[…]`: what differs for one metric."""

    on_no_data: Literal["fail", "hold", "pass"] | None = None
    dry_run: bool = False
    """Measured, judged and told, without a consequence."""


class RolloutSettings(_Settings):
    """`slipway:rollout`: handed on, whole, to whoever moves the traffic."""

    strategy: Literal["canary", "linear", "blue-green", "all-at-once"] = "canary"
    steps: Annotated[list[StepSettings], Field(min_length=1)] = [*shares(10, 50, 100)]
    """Shares of the traffic in percent; `{percent: 50, approval: true}` waits for `slipway approve`. `linear` wants one increment:
    `[25]` means 25, 50, 75, 100; of more than one entry it takes the first."""
    approval_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] = 86_400
    """A step that nobody approves within this time turns the rollout back."""
    bake_seconds: Annotated[int, Field(ge=0)] = 60
    metric_window_seconds: Annotated[int, Field(ge=1)] | None = None
    """A failure that begins late in a bake is looked for apart from what was before, in parts of this length.
    By default 180 on AWS and 60 on the sandbox."""
    metric_delay_seconds: Annotated[int, Field(ge=0)] | None = None
    """How late the metrics arrive; the bake waits that much longer. By default 120 on AWS and 0 on the sandbox."""
    max_error_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    error_factor: Annotated[float, Field(ge=1)] = 2.0
    """A candidate above `max_error_ratio` is tolerated while the live colour is as bad, up to this factor."""
    max_p99_seconds: Annotated[float, Field(gt=0)] = 1.0
    """At most one request in a hundred may take longer."""
    detect_factor: Annotated[float, Field(gt=1)] = 2.0
    """The last step bakes on until a release this many times worse than a limit would have been caught."""
    minimum_requests: Annotated[int, Field(ge=0)] = 20
    on_no_data: Literal["fail", "hold", "pass"] = "hold"
    max_extensions: Annotated[int, Field(ge=0)] = 5
    """How often a step's bake is extended, by `hold` before it fails, and for `detectFactor`."""
    metrics: dict[Annotated[str, Field(pattern=r"^([a-z]+\.)?(errors|latency)$")], MetricSettings] = {}
    """By `errors` and `latency`, or by source and metric: `probe.latency`."""
    analysis_interval_seconds: Annotated[int, Field(ge=1)] = 10
    synthetic_requests: bool = True
    """Ask the candidate over the test route, so that a quiet service has numbers too."""
    rollback_window_seconds: Annotated[int, Field(ge=0)] = 3600
    smoke_paths: list[Annotated[str, Field(pattern="^/")]] = ["/healthz", "/version"]
    smoke_seconds: Annotated[int, Field(ge=1)] = 30
    health_seconds: Annotated[int, Field(ge=1)] = 300
    """All targets of the idle colour must be healthy at the load balancer after this long."""
    size_seconds: Annotated[int, Field(ge=1)] = 300
    """Pods for the next share of the traffic must be ready this long after they were asked for."""
    surge_percent: Annotated[int, Field(ge=1, le=100)] = 50
    """So many of the pods that the whole traffic needs are asked for at once; the next once they are ready."""
    retries: Retries = 0
    """So often a release is tried again by itself when an `up`, a migration or an API failed. A bad verdict is final."""
    rehearsed: bool = False
    """Promotions wait for `slipway rehearse` in the environment that they come from."""
    promote_from: str | None = None
    freeze_windows: list[FreezeWindowSettings] = []
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
    log_retention_days: int = 30
    subscriber_emails: list[str] = []
    subscriber_urls: list[Annotated[str, Field(pattern="^https://")]] = []
    minimum_free_storage_gib: Annotated[int, Field(ge=1)] = 2
    minimum_free_memory_mib: Annotated[int, Field(ge=1)] = 64
    maximum_connections: Annotated[int, Field(ge=1)] = 70


class StackSettings(_Settings):
    """Everything a stack file says about one environment."""

    owner: Annotated[str, Field(min_length=1)]
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    """The AWS account of this environment; another one is refused before anything is read or made."""
    ledger_table: str = "slipway-ledger"
    network: NetworkSettings
    cluster: ClusterSettings
    database: DatabaseSettings = DatabaseSettings()
    image: ImageSettings = ImageSettings()
    service: ServiceSettings
    load_balancer: LoadBalancerSettings = LoadBalancerSettings()
    rollout: RolloutSettings = RolloutSettings()
    supply_chain: SupplyChainSettings = SupplyChainSettings()
    monitoring: MonitoringSettings = MonitoringSettings()


SECRET_KEYS = frozenset({"webhookUrl"})
"""Keys that only `Config.require_secret` may read; they never enter the settings object, which may be printed."""


def parse_settings(raw: Mapping[str, str], *, environment: str) -> StackSettings:
    """Settings from config texts by key (without the namespace); raises SettingsError naming every fault at once."""
    file = f"Pulumi.{environment}.yaml"
    document = decode_settings({key: text for key, text in raw.items() if key not in SECRET_KEYS}, StackSettings)
    faults: list[str] = []
    settings: StackSettings | None = None
    try:
        settings = StackSettings.model_validate(document)
    except ValidationError as error:
        faults = describe_faults(NAMESPACE, error)
    faults += _impossible(settings, environment) if settings else []
    if settings is None or faults:
        raise SettingsError(f"{file} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    return settings


def load_settings() -> StackSettings:
    """The settings of the stack that runs."""
    config = pulumi.Config(NAMESPACE)
    keys = [*(to_camel(name) for name in StackSettings.model_fields), *_foreign_keys()]
    raw = {key: text for key in keys if (text := config.get(key)) is not None}
    environment = pulumi.get_stack()
    _refuse_exposed(environment)
    return parse_settings(raw, environment=environment)


def _refuse_exposed(environment: str) -> None:
    """A secret in plain text is refused; none at all is fine, which `secret: true` of Pulumi.yaml cannot say."""
    texts = _config_texts()
    for key in sorted(SECRET_KEYS):
        if texts.get(key) and not is_config_secret(f"{NAMESPACE}:{key}"):
            raise SettingsError(
                f"Pulumi.{environment}.yaml: {NAMESPACE}:{key} is in plain text;"
                f" encrypt it: pulumi config set -s {environment} --secret {NAMESPACE}:{key}"
            )


def _foreign_keys() -> list[str]:
    """Keys of our namespace that no field knows: a typo would otherwise pass unseen."""
    known = {to_camel(name) for name in StackSettings.model_fields} | SECRET_KEYS
    return [key for key in _config_texts() if key not in known]


def _config_texts() -> dict[str, str]:
    """All texts of our namespace, by key without it."""
    full = pulumi.runtime.config.CONFIG.get({})
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): text for key, text in full.items() if key.startswith(prefix)}


def _unreachable(service: ServiceSettings, balancer: LoadBalancerSettings) -> list[str]:
    """Domain and certificate that do not fit each other."""
    faults: list[str] = []
    certificate = f"{NAMESPACE}:loadBalancer.certificateArn"
    if balancer.protect and not service.domain and not balancer.allow_http:
        faults.append(f"{NAMESPACE}:loadBalancer.protect: needs service.domain, or allowHttp: true for plain HTTP")
    if balancer.certificate_arn and not service.domain:
        faults.append(f"{certificate}: needs service.domain; no certificate is for the load balancer's own name")
    if service.domain and not service.zone and not balancer.certificate_arn:
        faults.append(f"{certificate}: missing; a certificate can only be made where service.hostedZone is in Route 53")
    if (
        service.zone
        and service.domain
        and service.domain != service.zone
        and not service.domain.endswith(f".{service.zone}")
    ):
        faults.append(f"{NAMESPACE}:service.hostedZone: {service.domain} is not in {service.zone}")
    if service.hosted_zone and not service.domain:
        faults.append(f"{NAMESPACE}:service.hostedZone: needs service.domain")
    return faults


def _impossible(settings: StackSettings, environment: str) -> list[str]:
    """Values that are each possible, but not together."""
    faults: list[str] = []
    longest = LONGEST_NAME - len(f"-{environment}")
    if len(settings.service.name) > longest:
        faults.append(
            f"{NAMESPACE}:service.name: want {longest} characters at most in {environment}, so that the names of load balancer and"
            f" target groups are within AWS's limit of 32, not {settings.service.name!r}"
        )
    if settings.monitoring.alarms and not (
        settings.monitoring.subscriber_emails or settings.monitoring.subscriber_urls
    ):
        faults.append(
            f"{NAMESPACE}:monitoring.alarms: nobody is told; set subscriberEmails or subscriberUrls beside it"
        )
    if settings.database.allow_major_version_upgrade and not settings.database.apply_immediately:
        faults.append(
            f"{NAMESPACE}:database.allowMajorVersionUpgrade: set applyImmediately: true beside it; until the maintenance window the"
            " instance would keep the parameter group of the version before, which cannot be deleted then"
        )
    faults += _unreachable(settings.service, settings.load_balancer)
    image = settings.image
    if image.context and not image.base_image and not image.allow_moving_base:
        faults.append(
            f"{NAMESPACE}:image: needs baseImage, by digest, or allowMovingBase: true for the Dockerfile's tag"
        )
    replicas = settings.service.replicas
    if replicas.minimum > replicas.maximum:
        faults.append(f"{NAMESPACE}:service.replicas: minimum {replicas.minimum} is above maximum {replicas.maximum}")
    nodes = settings.cluster.nodes
    if "nodes" in settings.cluster.model_fields_set and settings.cluster.compute == Compute.AUTO:
        faults.append(f"{NAMESPACE}:cluster.nodes: Auto Mode chooses the nodes; remove it, or set compute: nodeGroup")
    if not nodes.minimum <= nodes.desired <= nodes.maximum:
        faults.append(f"{NAMESPACE}:cluster.nodes: want minimum <= desired <= maximum")
    steps = [step.percent for step in settings.rollout.steps]
    is_increment = settings.rollout.strategy == "linear" and len(steps) == 1 and steps[0] > 0
    if not is_increment and (steps != sorted({*steps} - {0}) or steps[-1] != 100):
        faults.append(f"{NAMESPACE}:rollout.steps: want rising percentages that end at 100, not {steps}")
    if settings.image.context and settings.rollout.promote_from:
        faults.append(
            f"{NAMESPACE}:image.context and {NAMESPACE}:rollout.promoteFrom: an environment either builds images or takes"
            " verified ones; remove one of the two"
        )
    if not settings.image.context and not settings.rollout.promote_from:
        faults.append(
            f"{NAMESPACE}:image.context and {NAMESPACE}:rollout.promoteFrom: neither is set, so no release could ever come"
            " here; set one of the two"
        )
    return faults
