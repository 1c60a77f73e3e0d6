"""Security group rules with one source each (`SecurityGroupIngressRule`, `SecurityGroupEgressRule`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, filters, tag_specifications
from slipway.sandbox.providers.services.ec2.permissions import ALL_PROTOCOLS, Atom, protocol

_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
_KINDS = {
    "cidrIpv4": "cidrBlocks",
    "cidrIpv6": "ipv6CidrBlocks",
    "prefixListId": "prefixListIds",
    "referencedSecurityGroupId": "securityGroups",
}


class _SingleRule(Ec2Resource):
    """One source, one rule, with an id and tags of its own."""

    direction: ClassVar[str]
    lookup = Lookup("describe_security_group_rules", "SecurityGroupRuleIds", "SecurityGroupRules")
    force_new = frozenset({"securityGroupId"})
    one_of = (_SOURCES,)
    conflict_codes = frozenset({"InvalidPermission.Duplicate"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Ports belong to tcp, udp and icmp only."""
        name = inputs.get("ipProtocol")
        if isinstance(name, str) and protocol(name) != ALL_PROTOCOLS:
            for port in ("fromPort", "toPort"):
                if port not in inputs:
                    yield port, f"{port} is required when ipProtocol is {name}"

    def create(self, call: Call) -> str:
        """Authorize the one rule."""
        authorize = getattr(call.client("ec2"), f"authorize_security_group_{self.direction}")
        rules = authorize(
            GroupId=call.inputs["securityGroupId"],
            IpPermissions=[self._atom(call.inputs).permission()],
            TagSpecifications=tag_specifications(call, "security-group-rule"),
        )["SecurityGroupRules"]
        return rules[0]["SecurityGroupRuleId"]

    @staticmethod
    def _atom(inputs: PropertyMap) -> Atom:
        source = next(name for name in _SOURCES if inputs.get(name))
        ports = (int(inputs.get("fromPort", 0)), int(inputs.get("toPort", 0)))
        value = str(inputs[source]).rpartition("/")[2] if source == "referencedSecurityGroupId" else str(inputs[source])
        return Atom(protocol(inputs["ipProtocol"]), *ports, _KINDS[source], value, str(inputs.get("description") or ""))

    def find(self, call: Call) -> str | None:
        """The rule with the same protocol, ports and source."""
        rules = call.client("ec2").describe_security_group_rules(
            Filters=filters(group_id=call.inputs["securityGroupId"])
        )["SecurityGroupRules"]
        for rule in rules:
            live = self.outputs(call, rule["SecurityGroupRuleId"], rule) or {}
            keys = ("ipProtocol", "fromPort", "toPort", *_SOURCES)
            if rule.get("IsEgress", False) == (self.direction == "egress") and all(
                live.get(k) == call.inputs.get(k) for k in keys
            ):
                return rule["SecurityGroupRuleId"]
        return None

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The rule."""
        everything = protocol(live["IpProtocol"]) == ALL_PROTOCOLS
        return {
            "arn": live.get("SecurityGroupRuleArn") or call.arn("ec2", f"security-group-rule/{id}"),
            # The endpoint keeps the description of a rule between groups to itself: it stays as given.
            **({"description": call.state.get("description")} if live.get("ReferencedGroupInfo") else {}),
            "fromPort": None if everything else live.get("FromPort"),
            "ipProtocol": protocol(live["IpProtocol"]),
            "referencedSecurityGroupId": (live.get("ReferencedGroupInfo") or {}).get("GroupId"),
            "securityGroupId": live["GroupId"],
            "securityGroupRuleId": id,
            "tagsAll": tag_map(live.get("Tags")),
            "toPort": None if everything else live.get("ToPort"),
        }

    def update(self, call: Call, id: str) -> None:
        """Change the rule under its id."""
        inputs = call.inputs
        rule = {"IpProtocol": protocol(inputs["ipProtocol"])} | call.given(
            *("fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId", "description"),
            ReferencedGroupId="referencedSecurityGroupId",
        )
        call.client("ec2").modify_security_group_rules(
            GroupId=inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": rule}],
        )

    def delete(self, call: Call, id: str) -> None:
        """Revoke by id."""
        group_id = call.state["securityGroupId"]
        revoke = getattr(call.client("ec2"), f"revoke_security_group_{self.direction}")
        revoke(GroupId=group_id, SecurityGroupRuleIds=[id])


class IngressRule(_SingleRule):
    """aws.vpc.SecurityGroupIngressRule"""

    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    direction = "ingress"


class EgressRule(_SingleRule):
    """aws.vpc.SecurityGroupEgressRule"""

    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    direction = "egress"
