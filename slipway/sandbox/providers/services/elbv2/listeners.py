"""Listeners and their rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import AlreadyExistsError
from slipway.sandbox.providers.framework.functions import FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import Call, Lookup, present
from slipway.sandbox.providers.framework.schema import resource_schema
from slipway.sandbox.providers.services.elbv2.actions import (
    api_actions,
    api_conditions,
    refused_actions,
    refused_conditions,
    shown_actions,
    shown_conditions,
)
from slipway.sandbox.providers.services.elbv2.base import ElbResource, live_tags

_LARGEST_PRIORITY = 50_000
_FIRST_PRIORITY = 1


class Listener(ElbResource):
    """aws.lb.Listener"""

    token = "aws:lb/listener:Listener"
    auto_name = None
    lookup = Lookup("describe_listeners", "ListenerArns", "Listeners")
    deletion = "delete_listener"
    id_arguments = ("ListenerArn",)
    force_new = frozenset({"loadBalancerArn"})
    conflict_codes = frozenset({"DuplicateListener"})
    unsupported = frozenset({"alpnPolicy", "mutualAuthentication", "tcpIdleTimeoutSeconds"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Actions, and header rewriting, which the sandbox does not do."""
        yield from refused_actions("defaultActions", inputs.get("defaultActions"))
        known = resource_schema(self.token).inputs.properties
        for name in sorted(inputs):
            if name in known and name.startswith("routingHttp"):
                yield name, f"{name} is not supported by the sandbox's AWS provider"

    def create(self, call: Call) -> str:
        """Create; looks at the port first, which the sandbox's AWS would give twice."""
        if existing := self.find(call):
            raise AlreadyExistsError(f"{self.token}: DuplicateListener: {existing} has port {call.inputs.get('port')}")
        return call.client("elbv2").create_listener(
            LoadBalancerArn=call.inputs["loadBalancerArn"], Tags=call.tag_list, **self._arguments(call)
        )["Listeners"][0]["ListenerArn"]

    @staticmethod
    def _arguments(call: Call) -> dict[str, Any]:
        inputs = call.inputs
        arguments = call.given("port", "protocol", "sslPolicy")
        arguments.setdefault("Protocol", "HTTPS" if inputs.get("certificateArn") else "HTTP")
        if inputs.get("certificateArn"):
            arguments["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
        return {**arguments, "DefaultActions": api_actions(inputs["defaultActions"])}

    def find(self, call: Call) -> str | None:
        """By load balancer and port."""
        listeners = call.client("elbv2").describe_listeners(LoadBalancerArn=call.inputs["loadBalancerArn"])["Listeners"]
        return next((item["ListenerArn"] for item in listeners if item.get("Port") == call.inputs.get("port")), None)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The listener."""
        given = call.inputs.get("defaultActions") or call.outputs.get("defaultActions")
        certificates = live.get("Certificates") or []
        return {
            "arn": id,
            "certificateArn": certificates[0]["CertificateArn"] if certificates else None,
            "defaultActions": shown_actions(live.get("DefaultActions") or [], given),
            "tagsAll": live_tags(call, id),
        }

    def update(self, call: Call, id: str) -> None:
        """Everything but the load balancer. Actions that did not change are not sent: others may have moved the weights."""
        arguments = self._arguments(call)
        if not call.changes("defaultActions"):
            del arguments["DefaultActions"]
        call.client("elbv2").modify_listener(ListenerArn=id, **arguments)


class ListenerRule(ElbResource):
    """aws.lb.ListenerRule"""

    token = "aws:lb/listenerRule:ListenerRule"
    auto_name = None
    lookup = Lookup("describe_rules", "RuleArns", "Rules")
    deletion = "delete_rule"
    id_arguments = ("RuleArn",)
    force_new = frozenset({"listenerArn"})
    conflict_codes = frozenset({"PriorityInUse"})
    unsupported = frozenset({"transforms"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Actions, conditions and priority."""
        yield from refused_actions("actions", inputs.get("actions"))
        yield from refused_conditions(inputs.get("conditions"))
        priority = inputs.get("priority")
        if isinstance(priority, int) and not _FIRST_PRIORITY <= priority <= _LARGEST_PRIORITY:
            yield "priority", f"expected priority between {_FIRST_PRIORITY} and {_LARGEST_PRIORITY}, got {priority}"

    def create(self, call: Call) -> str:
        """Create; without a priority behind all other rules, as Terraform does."""
        elb, inputs = call.client("elbv2"), call.inputs
        return elb.create_rule(
            ListenerArn=inputs["listenerArn"],
            Priority=inputs.get("priority") or self._next_priority(call),
            Conditions=api_conditions(inputs["conditions"]),
            Actions=api_actions(inputs["actions"]),
            Tags=call.tag_list,
        )["Rules"][0]["RuleArn"]

    @staticmethod
    def _next_priority(call: Call) -> int:
        rules = call.client("elbv2").describe_rules(ListenerArn=call.inputs["listenerArn"])["Rules"]
        used = [int(rule["Priority"]) for rule in rules if str(rule["Priority"]).isdigit()]
        priority = max(used, default=0) + 1
        if priority > _LARGEST_PRIORITY:
            raise ProviderError(f"no priority is left on listener {call.inputs['listenerArn']}; give the rule one")
        return priority

    def find(self, call: Call) -> str | None:
        """By listener and priority."""
        rules = call.client("elbv2").describe_rules(ListenerArn=call.inputs["listenerArn"])["Rules"]
        wanted = str(call.inputs.get("priority"))
        return next((rule["RuleArn"] for rule in rules if str(rule["Priority"]) == wanted), None)

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The rule."""
        listener, _, _ = id.replace(":listener-rule/", ":listener/").rpartition("/")
        state = call.state
        return present(
            actions=shown_actions(live.get("Actions") or [], state.get("actions")),
            arn=id,
            conditions=shown_conditions(live.get("Conditions") or []),
            listenerArn=state.get("listenerArn") or listener,
            priority=int(live["Priority"])
            if str(live["Priority"]).isdigit()
            else 99_999,  # Terraform's number of `default`
            tagsAll=live_tags(call, id),
        )

    def update(self, call: Call, id: str) -> None:
        """Priority, conditions and actions."""
        elb, inputs = call.client("elbv2"), call.inputs
        if call.changes("priority") and inputs.get("priority"):
            elb.set_rule_priorities(RulePriorities=[{"RuleArn": id, "Priority": inputs["priority"]}])
        if call.changes("actions", "conditions"):
            elb.modify_rule(
                RuleArn=id, Conditions=api_conditions(inputs["conditions"]), Actions=api_actions(inputs["actions"])
            )


def _listener_arn(call: FunctionCall) -> str:
    if call.args.get("arn"):
        return str(call.args["arn"])
    port = call.required("port")
    found = call.client("elbv2").describe_listeners(LoadBalancerArn=call.required("loadBalancerArn"))["Listeners"]
    return the_one("ELBv2 Listener", [item["ListenerArn"] for item in found if item.get("Port") == port])


get_listener = looked_up("aws:lb/getListener:getListener", Listener(), _listener_arn)
