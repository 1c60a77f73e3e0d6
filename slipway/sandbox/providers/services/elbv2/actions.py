"""Actions and conditions of listeners and rules, in Pulumi's words and in ELB's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import present

ACTION_TYPES = ("forward", "redirect", "fixed-response")
_REDIRECT = {"host": "#{host}", "path": "/#{path}", "port": "#{port}", "protocol": "#{protocol}", "query": "#{query}"}
"""What ELB keeps of a request where a redirect says nothing else; also Terraform's defaults."""


def refused_actions(name: str, actions: Any) -> Iterator[tuple[str, str]]:
    """Actions that the sandbox's load balancer cannot do, and forward actions without a target."""
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        if not isinstance(action, dict):
            continue
        kind = action.get("type")
        if isinstance(kind, str) and kind not in ACTION_TYPES:
            yield f"{name}[{index}].type", f"the sandbox's load balancers do {', '.join(ACTION_TYPES)}, not {kind}"
        wanted = {
            "forward": ("targetGroupArn", "forward"),
            "redirect": ("redirect",),
            "fixed-response": ("fixedResponse",),
        }
        if isinstance(kind, str) and kind in wanted and not any(part in action for part in wanted[kind]):
            yield f"{name}[{index}]", f"an action of type {kind} needs {' or '.join(wanted[kind])}"


def api_actions(actions: list[PropertyMap]) -> list[dict[str, Any]]:
    """For CreateListener and its like."""
    return [_api_action(action, index) for index, action in enumerate(actions, start=1)]


def _api_action(action: PropertyMap, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {"Type": action["type"], "Order": action.get("order") or index}
    if forward := action.get("forward"):
        groups = [
            present(TargetGroupArn=group["arn"], Weight=group.get("weight", 1)) for group in forward["targetGroups"]
        ]
        config: dict[str, Any] = {"TargetGroups": groups}
        if stickiness := forward.get("stickiness"):
            config["TargetGroupStickinessConfig"] = {
                "Enabled": bool(stickiness.get("enabled")),
                "DurationSeconds": stickiness["duration"],
            }
        result["ForwardConfig"] = config
    elif action.get("targetGroupArn"):
        result["TargetGroupArn"] = action["targetGroupArn"]
    if redirect := action.get("redirect"):
        parts = {key[0].upper() + key[1:]: redirect.get(key) or default for key, default in _REDIRECT.items()}
        result["RedirectConfig"] = {**parts, "StatusCode": redirect["statusCode"]}
    if fixed := action.get("fixedResponse"):
        result["FixedResponseConfig"] = present(
            ContentType=fixed.get("contentType"),
            MessageBody=fixed.get("messageBody"),
            StatusCode=fixed.get("statusCode"),
        )
    return result


def shown_actions(live: list[dict[str, Any]], given: Any) -> list[PropertyMap]:
    """Live actions as outputs; one target group is shown the way the program wrote it, since ELB answers both ways."""
    ordered = sorted(live, key=lambda action: int(action.get("Order") or 0))
    wanted = given if isinstance(given, list) else []
    return [
        _shown_action(action, wanted[index] if index < len(wanted) else {}, index)
        for index, action in enumerate(ordered)
    ]


def _shown_action(action: dict[str, Any], given: Any, index: int) -> PropertyMap:
    written: PropertyMap = given if isinstance(given, dict) else {}
    result: PropertyMap = {"type": action["Type"], "order": int(action.get("Order") or index + 1)}
    forward = action.get("ForwardConfig") or {}
    groups = forward.get("TargetGroups") or []
    if not groups and action.get("TargetGroupArn"):
        groups = [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
    if len(groups) == 1 and "forward" not in written:
        result["targetGroupArn"] = groups[0]["TargetGroupArn"]
    elif groups:
        result["forward"] = _shown_forward(groups, forward, written.get("forward") or {})
    if redirect := action.get("RedirectConfig"):
        parts = {key: str(redirect.get(key[0].upper() + key[1:]) or default) for key, default in _REDIRECT.items()}
        result["redirect"] = {**parts, "statusCode": redirect["StatusCode"]}
    if fixed := action.get("FixedResponseConfig"):
        result["fixedResponse"] = present(
            contentType=fixed.get("ContentType"),
            messageBody=fixed.get("MessageBody"),
            statusCode=fixed.get("StatusCode"),
        )
    return result


def _shown_forward(groups: list[dict[str, Any]], forward: dict[str, Any], given: PropertyMap) -> PropertyMap:
    order = [group.get("arn") for group in given.get("targetGroups") or []]
    shown = [
        {"arn": g["TargetGroupArn"], "weight": int(g["Weight"]) if g.get("Weight") is not None else 1} for g in groups
    ]
    # Terraform's set has no order: the program's is kept, so that a drifted weight is paired with its own group.
    shown.sort(key=lambda group: order.index(group["arn"]) if group["arn"] in order else len(order))
    sticky = forward.get("TargetGroupStickinessConfig") or {}
    enabled = str(sticky.get("Enabled", "")).lower() == "true"
    return present(
        targetGroups=shown,
        stickiness={"enabled": enabled, "duration": int(sticky.get("DurationSeconds") or 0)}
        if enabled or "stickiness" in given
        else None,
    )


_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}


def refused_conditions(conditions: Any) -> Iterator[tuple[str, str]]:
    """What of conditions the sandbox does not do."""
    for index, condition in enumerate(conditions if isinstance(conditions, list) else []):
        for name, part in condition.items() if isinstance(condition, dict) else ():
            if isinstance(part, dict) and ("regexValues" in part or "ipAddressType" in part):
                yield f"conditions[{index}].{name}", "regexValues and ipAddressType are not supported by the sandbox"


def api_conditions(conditions: list[PropertyMap]) -> list[dict[str, Any]]:
    """For CreateRule."""
    result: list[dict[str, Any]] = []
    for condition in conditions:
        for name, (field, config) in _CONDITIONS.items():
            if part := condition.get(name):
                result.append({"Field": field, config: {"Values": list(part["values"])}})
        if header := condition.get("httpHeader"):
            config = {"HttpHeaderName": header["httpHeaderName"], "Values": list(header["values"])}
            result.append({"Field": "http-header", "HttpHeaderConfig": config})
        if queries := condition.get("queryStrings"):
            pairs = [present(Key=query.get("key"), Value=query["value"]) for query in queries]
            result.append({"Field": "query-string", "QueryStringConfig": {"Values": pairs}})
    return result


def shown_conditions(live: list[dict[str, Any]]) -> list[PropertyMap]:
    """Live conditions as outputs."""
    result: list[PropertyMap] = []
    fields = {field: (name, config) for name, (field, config) in _CONDITIONS.items()}
    for condition in live:
        field = condition["Field"]
        if field in fields:
            name, config = fields[field]
            result.append({name: {"values": (condition.get(config) or condition).get("Values") or []}})
        elif field == "http-header":
            header = condition["HttpHeaderConfig"]
            result.append({"httpHeader": {"httpHeaderName": header["HttpHeaderName"], "values": header["Values"]}})
        elif field == "query-string":
            pairs = condition["QueryStringConfig"]["Values"]
            result.append({"queryStrings": [present(key=pair.get("Key"), value=pair["Value"]) for pair in pairs]})
    return result
