"""Reads the wanted state out of moto's ELBv2 backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from moto.elbv2.models import (
    ELBv2Backend,
    FakeAction,
    FakeListener,
    FakeLoadBalancer,
    FakeTargetGroup,
    elbv2_backends,
)

from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.target_clients import load_balancer_reach
from slipway.sandbox.traffic.certificates import load_certificate
from slipway.sandbox.traffic.conditions import query_pattern
from slipway.sandbox.traffic.model import (
    Certificate,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Plan,
    Redirect,
    Rule,
    Target,
    TargetGroup,
    WeightedGroup,
)

IDLE_TIMEOUT_SECONDS = 60
"""ALB's default of `idle_timeout.timeout_seconds`; moto leaves the attribute out."""
CONDITION_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
}


def load_plan(address_of: Callable[[str], str]) -> Plan:
    """The plan of every account and region. `address_of`: the loopback address by load balancer ARN."""
    balancers: list[LoadBalancer] = []
    groups: dict[str, TargetGroup] = {}
    closed: dict[str, frozenset[Target]] = {}
    with API_LOCK:
        reach_of = load_balancer_reach()
        for account, region, backend in backends():
            balancers.extend(
                _read_balancer(balancer, account, region, address_of(balancer.arn))
                for balancer in list(backend.load_balancers.values())
                if balancer.type == "application"
            )
            for group in list(backend.target_groups.values()):
                groups[group.arn] = _read_group(group)
        for balancer in balancers:
            reaches = reach_of(_moto_balancer(balancer))
            for arn in _used_by(balancer) & groups.keys():
                shut = {each for each in groups[arn].targets if not reaches(each.address, each.port)}
                closed[arn] = closed.get(arn, frozenset()) | shut
    groups |= {arn: replace(groups[arn], closed=targets) for arn, targets in closed.items()}
    plan = Plan(load_balancers=tuple(balancers), target_groups=groups)
    return Plan(load_balancers=plan.load_balancers, target_groups=_mark_used(plan))


def backends() -> Iterator[tuple[str, str, ELBv2Backend]]:
    """Every ELBv2 backend that exists: account, region, backend."""
    for account, regional in list(elbv2_backends.items()):
        for region, backend in list(regional.items()):
            yield account, region, backend


def _moto_balancer(balancer: LoadBalancer) -> FakeLoadBalancer:
    return elbv2_backends[balancer.account][balancer.region].load_balancers[balancer.arn]


def _used_by(balancer: LoadBalancer) -> set[str]:
    return {share.arn for _, forward in Plan(load_balancers=(balancer,)).forwards() for share in forward.groups}


def _mark_used(plan: Plan) -> dict[str, TargetGroup]:
    idle_timeouts: dict[str, int] = {}
    for balancer in plan.load_balancers:
        idle_timeouts |= dict.fromkeys(_used_by(balancer), balancer.idle_timeout_seconds)
    return {
        arn: replace(
            group,
            in_use=arn in idle_timeouts,
            idle_timeout_seconds=idle_timeouts.get(arn, IDLE_TIMEOUT_SECONDS),
        )
        for arn, group in plan.target_groups.items()
    }


def _read_balancer(balancer: FakeLoadBalancer, account: str, region: str, address: str) -> LoadBalancer:
    attributes: dict[str, Any] = balancer.attrs
    return LoadBalancer(
        arn=balancer.arn,
        account=account,
        region=region,
        address=address,
        idle_timeout_seconds=int(attributes.get("idle_timeout.timeout_seconds", IDLE_TIMEOUT_SECONDS)),
        listeners=tuple(
            listener
            for listener in map(_read_listener, list(balancer.listeners.values()))
            # One whose certificate was deleted cannot serve, and would keep HAProxy from taking any change.
            if listener.protocol != "HTTPS" or listener.certificates
        ),
    )


def _read_listener(listener: FakeListener) -> Listener:
    identifier = listener.arn.rpartition("/")[2]
    rules = sorted(
        (rule for rule in listener.rules.values() if not rule.is_default), key=lambda rule: int(rule.priority)
    )
    read = [
        Rule(
            identifier=f"{identifier}/{rule.arn.rpartition('/')[2]}",
            conditions=tuple(_read_condition(condition) for condition in rule.conditions),
            action=_read_action(rule.actions),
        )
        for rule in rules
    ]
    default = Rule(identifier=f"{identifier}/default", action=_read_action(listener.default_actions))
    return Listener(
        arn=listener.arn,
        port=int(listener.port),
        protocol=listener.protocol,
        certificates=_read_certificates(listener) if listener.protocol == "HTTPS" else (),
        rules=(*read, default),
    )


def _read_certificates(listener: FakeListener) -> tuple[Certificate, ...]:
    arns = dict.fromkeys([listener.certificate or "", *listener.certificates])
    pems = {arn: load_certificate(arn, listener.arn) for arn in arns}
    return tuple(Certificate(arn, pem) for arn, pem in pems.items() if pem)


def _read_condition(condition: dict[str, Any]) -> Condition:
    field = condition["Field"]
    if field == "query-string":
        pairs = condition["QueryStringConfig"]["Values"]
        return Condition(field, tuple(query_pattern(pair.get("Key", ""), pair["Value"]) for pair in pairs))
    config: dict[str, Any] = condition.get(CONDITION_CONFIGS[field]) or {}
    values: list[str] = config.get("Values") or condition.get("Values") or []
    return Condition(field, tuple(values), config.get("HttpHeaderName", ""))


def _read_action(actions: list[FakeAction]) -> Forward | FixedResponse | Redirect:
    """The last action decides; what comes before it can only be authentication, which the hooks refuse."""
    data = max(actions, key=lambda action: int(action.data.get("Order", 0))).data
    if data["Type"] == "fixed-response":
        config = data["FixedResponseConfig"]
        return FixedResponse(
            status=int(config["StatusCode"]),
            content_type=config.get("ContentType") or "text/plain",
            body=config.get("MessageBody") or "",
        )
    if data["Type"] == "redirect":
        config = data["RedirectConfig"]
        return Redirect(
            status=int(config["StatusCode"].removeprefix("HTTP_")),
            protocol=config.get("Protocol") or "#{protocol}",
            host=config.get("Host") or "#{host}",
            port=config.get("Port") or "#{port}",
            path=config.get("Path") or "/#{path}",
            query=config.get("Query", "#{query}"),
        )
    weighted = data.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": data["TargetGroupArn"]}]
    return Forward(tuple(WeightedGroup(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in weighted))


def _read_group(group: FakeTargetGroup) -> TargetGroup:
    attributes: dict[str, Any] = group.attributes
    return TargetGroup(
        arn=group.arn,
        account=group.account_id,
        region=group.region_name,
        protocol=group.protocol or "HTTP",
        protocol_version=group.protocol_version or "HTTP1",
        health_check=_read_health_check(group),
        targets=tuple(sorted(Target(target["Id"], int(target["Port"])) for target in list(group.targets.values())))
        if group.target_type == "ip"
        else (),
        deregistration_delay_seconds=int(attributes["deregistration_delay.timeout_seconds"]),
        algorithm=str(attributes["load_balancing.algorithm.type"]),
    )


def _read_health_check(group: FakeTargetGroup) -> HealthCheck:
    matcher: dict[str, Any] = getattr(group, "matcher", None) or {}
    return HealthCheck(
        enabled=str(group.health_check_enabled).lower() == "true",
        protocol=group.health_check_protocol or "HTTP",
        port=str(group.health_check_port or "traffic-port"),
        path=group.health_check_path or "/",
        interval_seconds=int(group.health_check_interval_seconds),
        timeout_seconds=int(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
        matcher=matcher.get("HttpCode") or "200",
    )
