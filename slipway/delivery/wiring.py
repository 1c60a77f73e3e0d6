"""Joins ports and adapters: the only module that knows both sides."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.adapters.analysis.asking import Asking, Provider
from slipway.delivery.adapters.analysis.cloudwatch import CloudWatch
from slipway.delivery.adapters.analysis.command import Command
from slipway.delivery.adapters.analysis.http_json import HttpJson
from slipway.delivery.adapters.analysis.prometheus import Prometheus
from slipway.delivery.adapters.analysis.secret_values import secret_reader
from slipway.delivery.adapters.analysis.sql import Sql
from slipway.delivery.adapters.attesting import RegistryAttestations
from slipway.delivery.adapters.build_facts import read_build
from slipway.delivery.adapters.checkout import Checkout
from slipway.delivery.adapters.cloudwatch import CloudWatchMetrics
from slipway.delivery.adapters.credentials import read_credentials
from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.ecr import has_image
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.adapters.http_probe import HttpProbe
from slipway.delivery.adapters.identity import read_account
from slipway.delivery.adapters.machine import SystemClock, owner_is_dead, this_owner
from slipway.delivery.adapters.notifiers import Channel, Notifiers, signed_channel, slack_channel, sns_channel
from slipway.delivery.adapters.table import Table
from slipway.delivery.events import Progress, ignore_events
from slipway.delivery.model.analysis import Answer, Comparison, Subject
from slipway.delivery.model.backfill import Backfill
from slipway.delivery.model.cadence import AWS, Cadence
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.faults import describe_faults
from slipway.delivery.model.release import Revision
from slipway.delivery.model.size import Room, Size
from slipway.delivery.model.target import RolloutSettings, Target
from slipway.delivery.model.wanted import ColourRelease
from slipway.delivery.ports import Cluster, Context, Metrics, Place, Pods, Stack, World
from slipway.documents import read_stack_config
from slipway.errors import OperationError, UsageError

if TYPE_CHECKING:
    from slipway.delivery.dashboard import Overview

DEFAULT_LEDGER_TABLE = "slipway-ledger"
REGION = re.compile("[a-z]{2,9}(-[a-z0-9]{1,20}){1,4}")
WEBHOOK_URL_VARIABLE = "SLIPWAY_WEBHOOK_URL"
WEBHOOK_SECRET_VARIABLE = "SLIPWAY_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
FORMER_PROMETHEUS_VARIABLE = "SLIPWAY_PROMETHEUS_URL"
"""What it asked for stands in the stack file now."""


@dataclass(frozen=True, kw_only=True)
class ProjectFacts:
    """What delivery must know of a stack file before the stack was ever brought up."""

    service: str
    ledger_table: str
    region: str
    app_dir: Path
    base_image: str = ""
    account_id: str = ""


def build_context(
    project_dir: Path,
    environment: str,
    *,
    stack: Stack,
    progress: Progress = ignore_events,
    lease_wait_seconds: float = 0.0,
    cadence: Cadence = AWS,
) -> Context:
    """The context of one environment, whose infrastructure `stack` runs.

    AWS is reached as the environment says (AWS_ENDPOINT_URL, credentials). UsageError when the stack file lacks service or region.
    """
    facts, clock = read_project(project_dir, environment), SystemClock()
    parameters = {"service": facts.service, "environment": environment, "context": facts.app_dir.name}

    def declared() -> RolloutSettings | None:
        return read_rollout(project_dir, environment)

    return Context(
        place=Place(environment=environment, service=facts.service),
        ledger=DynamoLedger(Table(facts.ledger_table, facts.region)),
        stack=stack,
        source=Checkout(project_dir, facts.app_dir),
        connect=lambda target: connect(
            target.model_copy(update={"rollout": cadence.applied_to(target.rollout)}), declared
        ),
        attestations=RegistryAttestations(
            facts.region, lambda: read_build(project_dir, facts.app_dir, facts.base_image, parameters), clock.now
        ),
        clock=clock,
        owner=this_owner(),
        owner_is_dead=owner_is_dead,
        progress=progress,
        lease_wait_seconds=lease_wait_seconds,
        project_dir=project_dir,
        declared=declared,
        demands=lambda: read_demands(project_dir, environment),
        cadence=cadence,
        credentials=lambda: read_credentials(facts.region),
        account_id=facts.account_id,
        caller_account=lambda: read_account(facts.region),
        has_image=lambda image: has_image(image, facts.region),
    )


def build_overview(project_dir: Path, environment: str) -> Overview:
    """What the dashboard reads: the ledger of one environment, and the load balancers and metrics of all that are in it."""
    from slipway.delivery.dashboard import Overview  # noqa: PLC0415 - the page's libraries are slow to import, and seldom needed
    from slipway.delivery.reporting import read_status  # noqa: PLC0415

    facts = read_project(project_dir, environment)
    ledger = DynamoLedger(Table(facts.ledger_table, facts.region))
    return Overview(
        ledger,
        lambda: read_status(ledger, lambda target: Elbv2LoadBalancer(target.load_balancer, target.region), LazyCluster),
        lambda target: CloudWatchMetrics(target.load_balancer, target.region),
        SystemClock().now,
    )


class LazyCluster:
    """Implements `ports.Cluster`; the Kubernetes client, slow to import, is loaded with the first use."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def _cluster(self) -> Cluster:
        from slipway.delivery.adapters.eks import build_api_client  # noqa: PLC0415 - see above
        from slipway.delivery.adapters.kubernetes_cluster import KubernetesCluster  # noqa: PLC0415 - see above

        target = self._target
        return KubernetesCluster(
            lambda: build_api_client(target.cluster.name, target.region),
            namespace=target.cluster.namespace,
            service=target.service,
            deployments=target.deployments,
            secret_name=target.database_secret_name,
            login=target.database_login,
            replicas=target.replicas,
            maximum_nodes=target.cluster.maximum_nodes,
        )

    def pods(self, colour: Colour) -> Pods | None:
        """See `Cluster.pods`."""
        return self._cluster.pods(colour)

    def size(self, colour: Colour) -> Size | None:
        """See `Cluster.size`."""
        return self._cluster.size(colour)

    def keep(self, colour: Colour, pods: int) -> None:
        """See `Cluster.keep`."""
        self._cluster.keep(colour, pods)

    def room(self, colour: Colour) -> Room | None:
        """See `Cluster.room`."""
        return self._cluster.room(colour)

    def make_users(self, release: ColourRelease, tell: Callable[[str], None]) -> None:
        """See `Cluster.make_users`."""
        self._cluster.make_users(release, tell)

    def migrate(self, release: ColourRelease, revisions: Sequence[Revision], tell: Callable[[str], None]) -> None:
        """See `Cluster.migrate`."""
        self._cluster.migrate(release, revisions, tell)

    def backfill(self, revision: str, run: str) -> Backfill | None:
        """See `Cluster.backfill`."""
        return self._cluster.backfill(revision, run)

    def start_backfill(self, release: ColourRelease, revision: str, run: str) -> None:
        """See `Cluster.start_backfill`."""
        self._cluster.start_backfill(release, revision, run)


class FormerPrometheus:
    """Who still sets the variable counts on a judgement that is not made: there is no data. Ways back do not ask for any."""

    source, synthetic = "prometheus", False

    def compare(self, candidate: Colour, live: Colour | None, since: datetime, until: datetime) -> Comparison:
        """See `Metrics.compare`."""
        del candidate, live, since, until
        raise OperationError(
            f"{FORMER_PROMETHEUS_VARIABLE} is not read any more: unset it, and write an entry of type prometheus into rollout.analysis"
        )


class LazyPodStates:
    """Answers entries of type `kubernetes`; the client is loaded with the first question."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @cached_property
    def _states(self) -> Provider:
        from slipway.delivery.adapters.analysis.pods import PodStates  # noqa: PLC0415 - see above
        from slipway.delivery.adapters.eks import build_api_client  # noqa: PLC0415 - see above

        target = self._target
        return PodStates(
            lambda: build_api_client(target.cluster.name, target.region), target.cluster.namespace, target.service
        )

    def answer(self, entry: Any, subject: Subject) -> Answer:
        """See `Provider.answer`."""
        return self._states.answer(entry, subject)


def connect(target: Target, declared: Callable[[], RolloutSettings | None] = lambda: None) -> World:
    """The neighbours that a stack's output names. `declared`: the rollout settings of the stack file at hand."""
    balancer = Elbv2LoadBalancer(target.load_balancer, target.region)
    probe = HttpProbe(target, balancer.test_headers)
    slow_seconds = target.rollout.max_p99_seconds
    metrics: list[Metrics] = [CloudWatchMetrics(target.load_balancer, target.region, slow_seconds=slow_seconds)]
    if os.environ.get(FORMER_PROMETHEUS_VARIABLE):
        metrics.append(FormerPrometheus())
    if target.rollout.synthetic_requests:
        metrics.append(probe)
    return World(
        balancer=balancer,
        cluster=LazyCluster(target),
        metrics=tuple(metrics),
        probe=probe,
        notifier=Notifiers(_channels(target)),
        analyst=_analyst(target, declared),
    )


def _analyst(target: Target, declared: Callable[[], RolloutSettings | None]) -> Asking:
    read_secret = secret_reader(target.region)
    return Asking(
        {
            "cloudwatch": CloudWatch(target.load_balancer, target.region),
            "command": Command(declared),
            "http": HttpJson(read_secret),
            "kubernetes": LazyPodStates(target),
            "prometheus": Prometheus(read_secret),
            "sql": Sql(read_secret),
        },
        declared,
    )


class _ServiceBlock(BaseModel):
    name: str = Field(pattern=r"^[a-z][-a-z0-9]{0,62}$")


class _ImageBlock(BaseModel):
    context: str = ""
    base_image: str = Field(default="", alias="baseImage")


class _StackConfig(BaseModel):
    """The few keys of a stack file that delivery reads; the program checks the rest."""

    service: _ServiceBlock = Field(alias="slipway:service")
    image: _ImageBlock = Field(default=_ImageBlock(), alias="slipway:image")
    ledger_table: str = Field(
        default=DEFAULT_LEDGER_TABLE,
        alias="slipway:ledgerTable",
        pattern="^(arn:aws:dynamodb:[a-z0-9-]+:[0-9]{12}:table/)?[A-Za-z0-9_.-]{3,255}$",
    )
    region: str = Field(alias="aws:region", pattern=f"^{REGION.pattern}$")
    account_id: Annotated[str, BeforeValidator(str)] = Field(
        default="", alias="slipway:accountId", pattern="^([0-9]{12})?$"
    )
    """In YAML a number is as good; Pulumi takes both for a text."""


def read_project(project_dir: Path, environment: str) -> ProjectFacts:
    """Service, ledger and region from `Pulumi.<environment>.yaml`, with the defaults of `Pulumi.yaml`."""
    merged = read_stack_config(project_dir, environment)
    try:
        config = _StackConfig.model_validate(merged)
    except ValidationError as error:
        raise UsageError(describe_faults(error), where=f"Pulumi.{environment}.yaml") from None
    return ProjectFacts(
        service=config.service.name,
        ledger_table=config.ledger_table,
        region=config.region,
        app_dir=project_dir / (config.image.context or "app"),
        base_image=config.image.base_image,
        account_id=config.account_id,
    )


def read_region(project_dir: Path, stack: str) -> str:
    """`aws:region` of a stack file, of whatever project."""
    region = read_stack_config(project_dir, stack).get("aws:region")
    if not isinstance(region, str) or not REGION.fullmatch(region):
        raise UsageError("aws:region: want a region of AWS", where=f"Pulumi.{stack}.yaml")
    return region


def read_rollout(project_dir: Path, environment: str) -> RolloutSettings | None:
    """`slipway:rollout` of the stack file; None: it has none. Ways back do not ask for it, so that no fault in it holds them up."""
    rollout = read_stack_config(project_dir, environment).get("slipway:rollout")
    try:
        return RolloutSettings.model_validate(rollout) if rollout else None
    except ValidationError as error:
        where = f"Pulumi.{environment}.yaml"
        raise UsageError(describe_faults(error, "slipway:rollout."), where=where) from None


def read_demands(project_dir: Path, environment: str) -> SupplyChain:
    """`slipway:supplyChain` of the stack file; empty where it has none."""
    try:
        return SupplyChain.model_validate(read_stack_config(project_dir, environment).get("slipway:supplyChain") or {})
    except ValidationError as error:
        where = f"Pulumi.{environment}.yaml"
        raise UsageError(describe_faults(error, "slipway:supplyChain."), where=where) from None


def _channels(target: Target) -> list[Channel]:
    channels: list[Channel] = []
    if target.notifications.webhook_url:
        channels.append(slack_channel(target.notifications.webhook_url))
    if target.notifications.topic_arn:
        channels.append(sns_channel(target.notifications.topic_arn, target.region))
    url, secret = os.environ.get(WEBHOOK_URL_VARIABLE), os.environ.get(WEBHOOK_SECRET_VARIABLE)
    if url and not secret:
        raise UsageError(
            f"{WEBHOOK_URL_VARIABLE} is set without a secret to sign with", remedy=f"set {WEBHOOK_SECRET_VARIABLE} too"
        )
    if url and secret:
        channels.append(signed_channel(url, secret))
    return channels
