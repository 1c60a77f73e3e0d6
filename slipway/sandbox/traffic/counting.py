"""From requests and target health to CloudWatch metrics.

Source of names and meanings: "CloudWatch metrics for your Application Load Balancer" (AWS documentation). As there, a count that
would be zero is not reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from slipway.log import get_logger
from slipway.sandbox.traffic.metrics import NAMESPACE, Metrics, Series
from slipway.sandbox.traffic.model import LoadBalancer, Plan, TargetGroup
from slipway.sandbox.traffic.request_log import Request
from slipway.sandbox.traffic.targets import Targets

OWN_ANSWERS = {"fixed": "HTTP_Fixed_Response_Count", "redirect": "HTTP_Redirect_Count"}
TOLD_AGAIN_SECONDS = 10.0
log = get_logger(__name__)


class Counter:
    """Writes the metrics of all load balancers."""

    def __init__(self, metrics: Metrics, plan: Callable[[], Plan]) -> None:
        """`plan`: the current one."""
        self._metrics = metrics
        self._plan = plan
        self._told: dict[tuple[str, int, str], float] = {}

    def count_request(self, request: Request) -> None:
        """Count a request that ended; one of a load balancer that is gone is not counted."""
        plan = self._plan()
        name = request.frontend.rpartition("_")[0]
        balancer = next((found for found in plan.load_balancers if _name(found) == name), None)
        if balancer is None:
            return
        group = next((found for found in plan.target_groups.values() if found.backend == request.backend), None)
        both = [group, None] if group else [None]
        kind = f"{request.status // 100}XX"
        if not request.forwarded:
            self._count(balancer, [None], OWN_ANSWERS[request.kind], request)
        elif request.target_chosen:
            self._count(balancer, both, "RequestCount", request)
        if request.answered_by_target:
            self._count(balancer, both, f"HTTPCode_Target_{kind}_Count", request)
            self._count(balancer, both, "TargetResponseTime", request, request.response_seconds or 0.0)
        elif request.forwarded and request.status >= 400:
            self._count(balancer, [None], f"HTTPCode_ELB_{kind}_Count", request)
            if request.status >= 500:
                self._tell(request)
        for _ in range(request.connection_errors):
            self._count(balancer, both, "TargetConnectionErrorCount", request)

    def count_hosts(self, targets: Targets) -> None:
        """Write how many targets are healthy and how many are not; called every second."""
        now, plan = time.time(), self._plan()
        for balancer in plan.load_balancers:
            used = {share.arn for _, forward in Plan(load_balancers=(balancer,)).forwards() for share in forward.groups}
            for group in (plan.target_groups[arn] for arn in used if arn in plan.target_groups):
                states = [health.state for health in targets.states(group)]
                for name, state in (("HealthyHostCount", "healthy"), ("UnHealthyHostCount", "unhealthy")):
                    self._metrics.add(_series(balancer, group, name), now, states.count(state))

    def _tell(self, request: Request) -> None:
        """Say that the load balancer answered in a target's stead: once in a while for each way in which it did."""
        way = (request.backend, request.status, request.ending)
        if request.ended - self._told.get(way, 0.0) >= TOLD_AGAIN_SECONDS:
            self._told[way] = request.ended
            log.warning("no target answered", group=request.backend, status=request.status, haproxy_says=request.ending)

    def _count(
        self,
        balancer: LoadBalancer,
        groups: list[TargetGroup] | list[None] | list[TargetGroup | None],
        name: str,
        request: Request,
        value: float = 1.0,
    ) -> None:
        for group in groups:
            self._metrics.add(_series(balancer, group, name), request.ended, value)


def _name(balancer: LoadBalancer) -> str:
    return "_".join(balancer.dimension.split("/")[1:])


def _series(balancer: LoadBalancer, group: TargetGroup | None, name: str) -> Series:
    dimensions = {("LoadBalancer", balancer.dimension)}
    if group:
        dimensions.add(("TargetGroup", group.dimension))
    return Series(balancer.account, balancer.region, NAMESPACE, name, frozenset(dimensions))
