"""ELBv2: the address of a load balancer, targets by address and port, true health, and refusal of what nobody would serve."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any, Protocol

from moto.core.responses import ActionResult
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    ELBClientError,
    TargetGroupNotFoundError,
)
from moto.elbv2.models import (
    ELBv2Backend,
    FakeHealthStatus,
    FakeListener,
    FakeLoadBalancer,
    FakeRule,
    FakeTargetGroup,
)
from moto.elbv2.responses import ELBV2Response

from slipway.sandbox.traffic.certificates import is_issued, load_certificate
from slipway.sandbox.traffic.model import Target
from slipway.sandbox.traffic.moto_hooks.model_checks import (
    LOAD_BALANCER_ATTRIBUTES,
    TARGET_GROUP_ATTRIBUTES,
    check_attributes,
)
from slipway.sandbox.traffic.moto_hooks.patching import Method, Patches
from slipway.sandbox.traffic.moto_hooks.rule_checks import (
    check_actions,
    check_conditions,
    check_health_check_port,
    invalid,
)
from slipway.sandbox.traffic.targets import TargetRow


class LoadBalancing(Protocol):
    """What the hooks ask of the data plane."""

    def address_of(self, arn: str) -> str:
        """The loopback address of a load balancer."""
        ...

    def target_rows(self, arn: str, asked: Iterable[Target]) -> list[TargetRow]:
        """DescribeTargetHealth."""
        ...


def install(patches: Patches, traffic: LoadBalancing) -> None:
    """Join moto's ELBv2 to the data plane."""
    patches.replace(ELBV2Response, "call_action", _call_action)
    patches.replace(ELBv2Backend, "modify_load_balancer_attributes", _modify_load_balancer_attributes)
    patches.replace(ELBv2Backend, "create_load_balancer", _create_load_balancer, traffic=traffic)
    patches.replace(ELBv2Backend, "create_listener", _create_listener, traffic=traffic)
    patches.replace(ELBv2Backend, "modify_listener", _modify_listener, traffic=traffic)
    patches.replace(ELBv2Backend, "add_listener_certificates", _add_listener_certificates)
    patches.replace(ELBv2Backend, "create_rule", _create_rule)
    patches.replace(ELBv2Backend, "modify_rule", _modify_rule)
    patches.replace(ELBv2Backend, "register_targets", _register_targets)
    patches.replace(ELBv2Backend, "modify_target_group_attributes", _modify_target_group_attributes)
    patches.replace(ELBv2Backend, "describe_target_health", _describe_target_health, traffic=traffic)
    patches.put(FakeTargetGroup, "register", _register)
    patches.put(FakeTargetGroup, "deregister", _deregister)


def refuse(what: str) -> ELBClientError:
    """AWS accepts this, the sandbox does not: say so instead of serving something else."""
    return ELBClientError("InvalidConfigurationRequest", f"The sandbox's load balancer does not support {what}.")


def _call_action(original: Method, self: ELBV2Response) -> Any:
    """Check every request, whichever client made it, before moto looks at it."""
    params: dict[str, Any] = self._get_params()  # pyright: ignore[reportPrivateUsage] - moto's own words for it
    try:
        check_health_check_port(params.get("HealthCheckPort"))
    except ELBClientError as refused:
        status, headers, body = self.serialized(ActionResult(refused))
        return status, {**headers, "status": str(status)}, body
    return original(self)


def _create_load_balancer(
    original: Method, self: ELBv2Backend, name: str, *args: Any, traffic: LoadBalancing, **kwargs: Any
) -> FakeLoadBalancer:
    kind = kwargs.get("loadbalancer_type") or "application"
    if kind != "application":
        raise refuse(f"load balancers of type '{kind}'; create one of type 'application'")
    if any(balancer.name == name for balancer in self.load_balancers.values()):
        raise DuplicateLoadBalancerName
    balancer: FakeLoadBalancer = original(self, name, *args, **kwargs)
    balancer.dns_name = traffic.address_of(balancer.arn)
    balancer.activate()
    return balancer


def _create_listener(
    original: Method,
    self: ELBv2Backend,
    load_balancer_arn: str,
    protocol: str,
    port: Any,
    *args: Any,
    traffic: LoadBalancing,
    **kwargs: Any,
) -> FakeListener:
    balancer = self.load_balancers.get(load_balancer_arn)
    _check_protocol(protocol)
    if balancer and port:
        _check_port(balancer, int(port), traffic, listener_arn="")
    _check_actions(kwargs.get("actions") or (args[2] if len(args) > 2 else []))
    if protocol == "HTTPS":
        _check_certificate(kwargs.get("certificate") or (args[1] if len(args) > 1 else None), load_balancer_arn)
    return original(self, load_balancer_arn, protocol, port, *args, **kwargs)


def _modify_listener(  # noqa: PLR0917 - moto's own signature
    original: Method,
    self: ELBv2Backend,
    arn: str,
    port: Any = None,
    protocol: str | None = None,
    ssl_policy: str | None = None,
    certificates: list[dict[str, Any]] | None = None,
    actions: list[dict[str, Any]] | None = None,
    *,
    traffic: LoadBalancing,
) -> FakeListener:
    listener = self.describe_listeners(None, [arn])[0]
    _check_protocol(protocol or listener.protocol)
    if port is not None and int(port) != int(listener.port):
        _check_port(self.load_balancers[listener.load_balancer_arn], int(port), traffic, listener_arn=arn)
    _check_actions(actions or [])
    _check_groups(self, actions or [])
    for each in certificates or []:
        _check_certificate(each.get("CertificateArn"), arn)
    return original(self, arn, port, protocol, ssl_policy, certificates or [], actions or [])


def _add_listener_certificates(
    original: Method, self: ELBv2Backend, arn: str, certificates: list[dict[str, Any]]
) -> list[str]:
    for each in certificates:
        _check_certificate(each.get("CertificateArn"), arn)
    return original(self, arn, certificates)


def _create_rule(  # noqa: PLR0917 - moto's own signature
    original: Method,
    self: ELBv2Backend,
    listener_arn: str,
    conditions: Any,
    priority: Any,
    actions: Any,
    tags: Any = None,
) -> FakeRule:
    check_conditions(conditions or [])
    _check_actions(actions)
    return original(self, listener_arn, conditions, int(priority), actions, tags)


def _modify_rule(original: Method, self: ELBv2Backend, rule_arn: str, conditions: Any, actions: Any) -> FakeRule:
    check_conditions(conditions or [])
    _check_actions(actions or [])
    return original(self, rule_arn, conditions, actions)


def _register_targets(original: Method, self: ELBv2Backend, target_group_arn: str, instances: list[Any]) -> None:
    group = self.target_groups.get(target_group_arn)
    if group is not None and group.target_type != "ip":
        raise refuse(f"targets of type '{group.target_type}'; create the target group with target type 'ip'")
    for target in instances:
        _parse_target(target, 1)
    original(self, target_group_arn, instances)


def _modify_target_group_attributes(
    original: Method, self: ELBv2Backend, target_group_arn: str, attributes: Mapping[str, Any]
) -> None:
    check_attributes("Target group", TARGET_GROUP_ATTRIBUTES, attributes)
    if str(attributes.get("stickiness.enabled", "false")).lower() == "true":
        raise refuse("sticky sessions (stickiness.enabled)")
    if int(attributes.get("slow_start.duration_seconds", 0)) > 0:
        raise refuse("slow start (slow_start.duration_seconds)")
    original(self, target_group_arn, attributes)


def _modify_load_balancer_attributes(
    original: Method, self: ELBv2Backend, arn: str, attrs: Mapping[str, Any]
) -> dict[str, Any]:
    check_attributes("Load balancer", LOAD_BALANCER_ATTRIBUTES, attrs)
    return original(self, arn, attrs)


def _describe_target_health(
    _original: Method,
    self: ELBv2Backend,
    target_group_arn: str,
    targets: Sequence[Mapping[str, Any]],
    *,
    traffic: LoadBalancing,
) -> list[FakeHealthStatus]:
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError
    asked = [_parse_target(target, int(group.port or 1)) for target in targets or []]
    statuses: list[Any] = [
        FakeHealthStatus(
            row.target.address,
            row.target.port,  # pyright: ignore[reportArgumentType] - moto says text; its responses want the number
            str(row.target.port) if row.health_check_port == "traffic-port" else row.health_check_port,
            row.health.state,
            row.health.reason or None,
            row.health.description or None,
        )
        for row in traffic.target_rows(target_group_arn, asked)
    ]
    return statuses


def _parse_target(target: Mapping[str, Any], default_port: int) -> Target:
    try:
        address, port = IPv4Address(target["Id"]), int(target.get("Port") or default_port)
    except ValueError as error:
        raise ELBClientError(
            "ValidationError", f"The target '{target['Id']}' is not an IPv4 address and a port"
        ) from error
    if not 1 <= port <= 65535:
        raise ELBClientError("ValidationError", f"Port '{port}' is not between 1 and 65535")
    return Target(str(address), port)


def _register(self: FakeTargetGroup, targets: Sequence[Mapping[str, Any]]) -> None:
    """AWS knows a target by address and port; moto by address only."""
    for target in targets:
        port = int(target.get("Port") or self.port)
        key = f"{target['Id']}:{port}"
        self.targets[key] = {"Id": target["Id"], "Port": port}
        self.deregistered_targets.pop(key, None)


def _deregister(self: FakeTargetGroup, targets: Sequence[Mapping[str, Any]]) -> None:
    """AWS: without a port, every port of the address goes; a target that is not registered is no error."""
    for target in targets:
        for key, known in list(self.targets.items()):
            if known["Id"] == target["Id"] and target.get("Port") in (None, "", known["Port"], str(known["Port"])):
                del self.targets[key]


def _check_port(balancer: FakeLoadBalancer, port: int, traffic: LoadBalancing, *, listener_arn: str) -> None:
    if any(int(other.port) == port and other.arn != listener_arn for other in balancer.listeners.values()):
        raise DuplicateListenerError
    address = traffic.address_of(balancer.arn)
    with socket.socket() as probe:
        # As HAProxy does: connections of the past in TIME_WAIT are no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            reason = "is in use by another process" if error.errno == errno.EADDRINUSE else f"failed: {error.strerror}"
            raise ELBClientError(
                "InvalidConfigurationRequest",
                f"The sandbox cannot listen on {address}:{port}: the port {reason}. "
                f"Stop what listens there (`ss -ltnp 'sport = :{port}'` names it), or choose another listener port.",
            ) from error


def _check_protocol(protocol: str) -> None:
    """moto takes those of other kinds of load balancers."""
    if protocol not in ("HTTP", "HTTPS"):
        raise invalid(f"Listener protocol '{protocol}' must be one of 'HTTPS, HTTP'")


def _check_certificate(arn: str | None, listener: str) -> None:
    """moto takes any text for a certificate. `listener`: its ARN, or its load balancer's."""
    if not arn:
        raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
    if not load_certificate(arn, listener):
        raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found")
    if not is_issued(arn):
        reason = (
            "is not issued yet; put its validation records into DNS, and wait for it (aws.acm.CertificateValidation)"
        )
        # AWS says UnsupportedCertificate, which its own model of the API does not have.
        raise ELBClientError("InvalidConfigurationRequest", f"The certificate '{arn}' {reason}")


def _check_actions(actions: Iterable[Mapping[str, Any]]) -> None:
    actions = list(actions)
    check_actions(actions)
    for action in actions:
        kind = str(action.get("Type"))
        if kind.startswith("authenticate-") or kind == "jwt-validation":
            raise refuse(f"the action '{kind}'")
        config: Mapping[str, Any] = action.get("ForwardConfig") or {}
        stickiness: Mapping[str, Any] = config.get("TargetGroupStickinessConfig") or {}
        if str(stickiness.get("Enabled", False)).lower() == "true":
            raise refuse("target group stickiness in a forward action")


def _check_groups(backend: ELBv2Backend, actions: Iterable[Mapping[str, Any]]) -> None:
    """moto does not look at the target groups of ModifyListener."""
    for action in actions:
        config: Mapping[str, Any] = action.get("ForwardConfig") or {}
        weighted: list[dict[str, Any]] = config.get("TargetGroups") or []
        named: list[str] = [group["TargetGroupArn"] for group in weighted]
        named += [action["TargetGroupArn"]] if action.get("TargetGroupArn") else []
        if any(arn not in backend.target_groups for arn in named):
            raise TargetGroupNotFoundError
