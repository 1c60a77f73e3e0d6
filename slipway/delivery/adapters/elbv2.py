"""The application load balancer: weights of the live listener's default action, its rules, target health."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slipway.contract.routes import Match
from slipway.delivery.adapters.aws import aws_errors
from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.errors import ListenerGoneError
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.route import Route, Routes
from slipway.delivery.model.target import LoadBalancerRef
from slipway.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

LEAVING = frozenset({"draining", "unhealthy.draining"})
ROUTE_TAG = {"Key": "slipway:route", "Value": "rollout"}
"""Of the rules that rollouts make; all others are left alone."""
LARGEST_PRIORITY = 50_000  # source: ELB API reference, CreateRule, 2026
MAXIMUM_TAGGED = 20
"""Rules whose tags one call tells; source: ELB API reference, DescribeTags, 2026."""


class Elbv2LoadBalancer:
    """Implements `ports.LoadBalancer`. Only weights of the two groups, the test route and rules of its own are touched; stickiness and
    other actions stay."""

    def __init__(
        self, reference: LoadBalancerRef, region: str, client: ElasticLoadBalancingv2Client | None = None
    ) -> None:
        self._reference = reference
        self._client: ElasticLoadBalancingv2Client = client or aws_client("elbv2", region)

    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        """See `LoadBalancer.read`."""
        with aws_errors("read the listener"):
            try:
                live = self._percentages(self._live_actions())
            except self._client.exceptions.ListenerNotFoundException as error:
                arn = self._reference.listener_arn
                raise ListenerGoneError(
                    "the live listener is gone", where=arn, remedy="`slipway up` makes it again"
                ) from error
            tried = self._percentages(self._test_rule()["Actions"]) if test else None
            made = frozenset(map(self._route_of, self._made_rules())) if routes else None
        return BalancerState(
            weights=Weights(blue=live[Colour.BLUE], green=live[Colour.GREEN]) if live else None,
            test=next((colour for colour in Colour if tried and tried[colour] == 100), None),
            routes=made,
        )

    def move(self, weights: Weights) -> None:
        """See `LoadBalancer.move`."""
        with aws_errors("set the listener's weights"):
            actions: list[Any] = [self._weighted(action, weights) for action in self._live_actions()]
            self._client.modify_listener(ListenerArn=self._reference.listener_arn, DefaultActions=actions)

    def point_test(self, colour: Colour) -> None:
        """See `LoadBalancer.point_test`."""
        action: Any = {"Type": "forward", "TargetGroupArn": self._reference.target_group(colour)}
        with aws_errors("set the rule of the test route"):
            self._client.modify_rule(RuleArn=self._test_rule()["RuleArn"], Actions=[action])

    def set_routes(self, routes: Routes) -> None:
        """See `LoadBalancer.set_routes`."""
        with aws_errors("set the routes of the rollout"):
            missing = set(routes)
            for rule in self._made_rules():
                if (route := self._route_of(rule)) in missing:
                    missing.remove(route)
                else:
                    with suppress(self._client.exceptions.RuleNotFoundException):  # deleted by now
                        self._client.delete_rule(RuleArn=rule["RuleArn"])
            if missing:
                self._make_rules(sorted(missing, key=lambda each: each.match))
            left = [self._route_of(rule) for rule in self._made_rules()]
        if len(left) != len(routes) or frozenset(left) != routes:
            raise OperationError("the load balancer does not have the routes that were asked for")

    def test_headers(self) -> dict[str, str]:
        """What a request has that goes the test route; the value is a secret."""
        with aws_errors("read the rule of the test route"):
            rule = self._test_rule()
        headers = [each["HttpHeaderConfig"] for each in rule["Conditions"] if each.get("HttpHeaderConfig")]
        if not headers:  # without one, the requests would be answered by what is live
            raise _missing("header of the test route", rule["RuleArn"])
        return {header["HttpHeaderName"]: header["Values"][0] for header in headers}

    def health(self, colour: Colour) -> Health:
        """See `LoadBalancer.health`."""
        with aws_errors(f"read the health of {colour}'s targets"):
            answer = self._client.describe_target_health(TargetGroupArn=self._reference.target_group(colour))
        states = [
            (item.get("Target", {}).get("Id", ""), item.get("TargetHealth", {}).get("State", "unavailable"))
            for item in answer["TargetHealthDescriptions"]
        ]
        present = [(address, state) for address, state in states if state not in LEAVING]
        healthy = [address for address, state in present if state == "healthy"]
        return Health(healthy=len(healthy), unhealthy=len(present) - len(healthy), addresses=frozenset(healthy))

    def _live_actions(self) -> Sequence[Any]:
        arn = self._reference.listener_arn
        found = self._client.describe_listeners(ListenerArns=[arn])["Listeners"]
        if not found:
            raise _missing("listener", arn)
        return found[0].get("DefaultActions", [])

    def _test_rule(self) -> Any:
        arn = self._reference.test_rule_arn
        found = self._client.describe_rules(RuleArns=[arn])["Rules"] if arn else []
        if not found:
            raise _missing("rule of the test route", arn or "there is none yet, and it")
        return found[0]

    def _rules(self) -> Sequence[Any]:
        pages = self._client.get_paginator("describe_rules").paginate(ListenerArn=self._reference.listener_arn)
        return [rule for page in pages for rule in page["Rules"]]

    def _made_rules(self) -> Sequence[Any]:
        """Those that rollouts have made."""
        others = {self._reference.test_rule_arn}
        rules = {
            rule["RuleArn"]: rule for rule in self._rules() if not rule["IsDefault"] and rule["RuleArn"] not in others
        }
        made, arns = list[Any](), list(rules)
        for first in range(0, len(arns), MAXIMUM_TAGGED):
            asked = arns[first : first + MAXIMUM_TAGGED]
            made += [
                rules[each.get("ResourceArn", "")] for each in self._tags_of(asked) if ROUTE_TAG in each.get("Tags", ())
            ]
        return made

    def _tags_of(self, arns: Sequence[str]) -> Sequence[Any]:
        """Of rules that are still there. One that was deleted may be listed for a while, and the whole question is refused for it."""
        try:
            return self._client.describe_tags(ResourceArns=arns)["TagDescriptions"]
        except self._client.exceptions.RuleNotFoundException:
            return [each for arn in arns for each in self._tags_of([arn])] if len(arns) > 1 else []

    def _make_rules(self, routes: Sequence[Route]) -> None:
        """After the rules of others, which go on as they are."""
        last = max((int(rule["Priority"]) for rule in self._rules() if not rule["IsDefault"]), default=0)
        if last + len(routes) > LARGEST_PRIORITY:
            raise OperationError(
                f"a rule of the listener has priority {last:,} of {LARGEST_PRIORITY:,}: "
                f"{len(routes)} of `rollout.routes` have no place after it",
                where=self._reference.listener_arn,
                remedy="give that rule a lower number, or take `routes` out of the stack file",
            )
        for priority, route in enumerate(routes, last + 1):
            self._make_rule(route, priority)

    def _make_rule(self, route: Route, priority: int) -> None:
        if route.colour is None:
            raise ValueError("a route leads to a colour")
        header: Any = {"HttpHeaderName": route.match.header, "Values": list(route.match.values)}
        self._client.create_rule(
            ListenerArn=self._reference.listener_arn,
            Priority=priority,
            Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
            Actions=[{"Type": "forward", "TargetGroupArn": self._reference.target_group(route.colour)}],
            Tags=[ROUTE_TAG],  # type: ignore[list-item]
        )

    def _route_of(self, rule: Any) -> Route:
        shares = self._percentages(rule["Actions"])
        headers = [each["HttpHeaderConfig"] for each in rule["Conditions"] if each.get("HttpHeaderConfig")]
        header: Any = headers[0] if len(headers) == 1 == len(rule["Conditions"]) else {}
        return Route(
            match=Match.of(header.get("HttpHeaderName", ""), *header.get("Values", ())),
            colour=next((colour for colour in Colour if shares and shares[colour] == 100), None),
        )

    def _weighted(self, action: Any, weights: Weights) -> Any:
        if action.get("Type") != "forward":
            return action
        groups = [
            {"TargetGroupArn": self._reference.target_group(colour), "Weight": weights.of(colour)} for colour in Colour
        ]
        config = {"TargetGroups": groups}
        stickiness = action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig")
        if stickiness:
            config["TargetGroupStickinessConfig"] = stickiness
        order = {"Order": action["Order"]} if "Order" in action else {}
        return {"Type": "forward", "ForwardConfig": config, **order}

    def _percentages(self, actions: Sequence[Any]) -> dict[Colour, int] | None:
        """Shares in percent; None when anything else than the two groups gets traffic, or the shares are no whole percentages."""
        forward = next((action for action in actions if action.get("Type") == "forward"), None)
        if forward is None:
            return None
        groups = forward.get("ForwardConfig", {}).get("TargetGroups") or [
            {"TargetGroupArn": forward.get("TargetGroupArn"), "Weight": 1}
        ]
        # A group alone may come without a weight; it gets everything.
        raw = {group.get("TargetGroupArn"): int(group.get("Weight", 1)) for group in groups}
        total = sum(raw.values())
        shares = {colour: raw.pop(self._reference.target_group(colour), 0) for colour in Colour}
        if any(raw.values()) or total == 0 or any(share * 100 % total for share in shares.values()):
            return None
        return {colour: share * 100 // total for colour, share in shares.items()}


def _missing(what: str, arn: str) -> OperationError:
    return OperationError(f"cannot read the {what}: {arn} does not exist", remedy="run `slipway up`: it makes it")
