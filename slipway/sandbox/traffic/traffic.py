"""The load-balancing half of the sandbox, as one object that the daemon holds."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from slipway.errors import OperationError, SlipwayError
from slipway.log import get_logger
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.traffic.addresses import AddressBook
from slipway.sandbox.traffic.bindings import BindingController
from slipway.sandbox.traffic.checker import Checker
from slipway.sandbox.traffic.counting import Counter
from slipway.sandbox.traffic.data_plane import DataPlane
from slipway.sandbox.traffic.health import Outcome, TargetHealth
from slipway.sandbox.traffic.http_delivery import HttpDelivery
from slipway.sandbox.traffic.metrics import Metrics, Pace
from slipway.sandbox.traffic.model import Plan, Target
from slipway.sandbox.traffic.moto_hooks import alarm_watch, cloudwatch, elbv2, sns
from slipway.sandbox.traffic.moto_hooks.patching import Patches
from slipway.sandbox.traffic.observe import load_plan
from slipway.sandbox.traffic.registration import MotoRegistry
from slipway.sandbox.traffic.render import Files, render
from slipway.sandbox.traffic.request_log import RequestLog
from slipway.sandbox.traffic.targets import TargetRow, Targets

SUPERVISE_SECONDS = 1.0
ALARM_SECONDS = 5.0
SERVICES = frozenset({"ec2", "eks", "elbv2"})
"""Whose changes may change what load balancers do, or whom they reach."""
log = get_logger(__name__)


class Traffic:
    """Load balancers, target health, metrics and alarms, derived from moto's state.

    Everything lives in `paths.sandbox/traffic`. HAProxy outlives this object: a new one takes it over without touching a request.
    """

    def __init__(self, paths: SandboxPaths, processes: ProcessTable) -> None:
        self._files = Files.of(paths)
        root = self._root = self._files.root
        self._addresses = AddressBook(root / "addresses.json")
        self._targets = Targets(root / "targets.json")
        self._data_plane = DataPlane(self._files, processes)
        self._checker = Checker(self._on_check)
        self._patches = Patches()
        self._plan = Plan()
        self._lock = threading.RLock()
        self._unfinished = False
        """The last change of the API's state could not be carried out; supervision tries again."""
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._metrics = Metrics()
        self._counter = Counter(self._metrics, lambda: self._plan)
        self._request_log = RequestLog(self._files.log_pipe, self._counter.count_request)
        self._registry = MotoRegistry(self._converge, self._health_of)
        self._delivery = HttpDelivery()
        self._controllers: dict[str, BindingController] = {}

    def start(self) -> None:
        """Install the hooks in moto, take over a running HAProxy, and serve what moto's state says."""
        elbv2.install(self._patches, self)
        cloudwatch.install(self._patches, self._metrics)
        alarm_watch.install(self._patches)
        sns.install(self._patches, self._delivery)
        self._data_plane.adopt()
        self._checker.start()
        try:
            self._converge()
        except SlipwayError as error:
            # A port that somebody took meanwhile must not keep the whole daemon down; supervision tries again.
            log.error("load balancers do not work", why=str(error))
        # After the plan is known: what waits in the pipe is counted at once.
        self._request_log.start()
        for name, work in (("traffic-supervisor", self._supervise), ("alarms", self._watch_alarms)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop watching and take the hooks out of moto. HAProxy goes on: ProcessTable ends it with the sandbox."""
        self._stopping.set()
        for controller in list(self._controllers.values()):
            controller.stop()
        for thread in self._threads:
            thread.join(5)
        self._checker.stop()
        self._request_log.stop()
        self._delivery.stop()
        self._patches.undo()

    def on_api_change(self, service: str) -> None:
        """Make a change of moto's state effective; it is when this returns.

        Raises SlipwayError when HAProxy cannot be brought there.
        """
        if service in SERVICES:
            self._converge()

    def attach_cluster(self, name: str, admin_kubeconfig: Path, binding_groups: Collection[str]) -> None:
        """Follow the cluster's TargetGroupBindings of these API groups, from now on and across restarts of its API server. Idempotent.

        Raises MachineError when the kubeconfig cannot be used.
        """
        if known := self._controllers.get(name):
            if known.groups == frozenset(binding_groups):
                return
            # What it registered stays, and is the next one's.
            known.stop()
        record = self._root / "bindings" / f"{name}.json"
        controller = BindingController(name, admin_kubeconfig, self._registry, record, binding_groups)
        self._controllers[name] = controller
        controller.start()

    def detach_cluster(self, name: str) -> None:
        """The cluster goes: its pods are no targets any more."""
        if controller := self._controllers.pop(name, None):
            controller.withdraw()

    def readiness_gates(self, cluster: str, group: str, namespace: str, labels: Mapping[str, str]) -> list[str]:
        """The gates that a new pod gets by the cluster's TargetGroupBindings of this API group; none where it does not serve that.

        Raises OperationError when the cluster does not answer.
        """
        if (controller := self._controllers.get(cluster)) is None:
            return []
        try:
            return controller.gates_of_new_pod(group, namespace, labels)
        except (ApiException, HTTPError, OSError) as error:
            raise OperationError(f"the bindings of {cluster} cannot be read: {error}") from error

    @property
    def pace(self) -> Pace:
        """When the metrics of load balancers can be read."""
        return self._metrics.pace

    @pace.setter
    def pace(self, wanted: Pace) -> None:
        if wanted is not self._metrics.pace:
            log.info("pace of metrics", pace=str(wanted))
        self._metrics.pace = wanted

    def describe_target_health(self, tg_arn: str) -> list[TargetRow]:
        """Registered and draining targets of a target group, with AWS's states and reason codes."""
        return self.target_rows(tg_arn, ())

    def address_of(self, arn: str) -> str:
        """The loopback address of a load balancer."""
        return self._addresses.address_of(arn)

    def target_rows(self, arn: str, asked: Iterable[Target]) -> list[TargetRow]:
        """Health of the targets `asked` for, or of all; an unknown target group has none."""
        group = load_plan(self.address_of).target_groups.get(arn)
        return self._targets.rows(group, asked) if group else []

    def _health_of(self, arn: str, targets: Collection[Target]) -> Mapping[Target, TargetHealth]:
        group = self._plan.target_groups.get(arn)
        return {row.target: row.health for row in self._targets.rows(group, targets)} if group and targets else {}

    def _converge(self) -> None:
        with self._lock:
            self._unfinished = True
            plan = self._plan = load_plan(self.address_of)
            self._addresses.keep_only([balancer.arn for balancer in plan.load_balancers])
            self._targets.follow(plan)
            self._apply()
            self._checker.follow(
                {
                    (group.arn, target): replace(group.health_check, dropped=target in group.closed)
                    for group in plan.target_groups.values()
                    if group.in_use and group.health_check.enabled
                    for target in group.targets
                }
            )
            self._unfinished = False

    def _apply(self) -> None:
        plan = self._plan
        desired = render(plan, self._targets.serving(plan), self._files.root)
        delays = {group.backend: float(group.deregistration_delay_seconds) for group in plan.target_groups.values()}
        self._data_plane.apply(desired, delays)

    def _on_check(self, arn: str, target: Target, outcome: Outcome) -> None:
        with self._lock:
            if self._stopping.is_set() or not self._targets.report(arn, target, outcome, self._plan):
                return
            (row,) = self._targets.rows(self._plan.target_groups[arn], [target])
            log.info("target health", group=arn.rpartition(":")[2], target=target.key, state=row.health.state)
            self._apply()
        for controller in list(self._controllers.values()):
            controller.on_health_change(arn)

    def _supervise(self) -> None:
        while not self._stopping.wait(SUPERVISE_SECONDS):
            try:
                with self._lock:
                    if self._unfinished or not self._data_plane.is_running:
                        self._converge()
                    self._data_plane.reap()
                self._counter.count_hosts(self._targets)
                self._metrics.forget_old()
            except Exception:
                # One bad round must not end supervision; the next one tries again.
                log.exception("load balancer supervision failed")

    def _watch_alarms(self) -> None:
        while not self._stopping.wait(ALARM_SECONDS):
            try:
                alarm_watch.evaluate_alarms(self._metrics)
            except Exception:
                # One odd alarm must not end the evaluation of the others for ever.
                log.exception("alarms could not be evaluated")
