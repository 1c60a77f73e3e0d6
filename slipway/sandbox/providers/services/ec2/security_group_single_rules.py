"""Security group rules with one source each (`SecurityGroupIngressRule`, `SecurityGroupEgressRule`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, tag_map
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
            live = self._outputs(call, rule)
            keys = ("ipProtocol", "fromPort", "toPort", *_SOURCES)
            if rule.get("IsEgress", False) == (self.direction == "egress") and all(
                live.get(k) == call.inputs.get(k) for k in keys
            ):
                return rule["SecurityGroupRuleId"]
        return None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The rule."""
        rules = call.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"]
        return self._outputs(call, rules[0]) if rules else None

    @staticmethod
    def _outputs(call: Call, rule: dict[str, Any]) -> PropertyMap:
        everything = protocol(rule["IpProtocol"]) == ALL_PROTOCOLS
        return {
            "arn": rule.get("SecurityGroupRuleArn")
            or call.arn("ec2", f"security-group-rule/{rule['SecurityGroupRuleId']}"),
            "cidrIpv4": rule.get("CidrIpv4"),
            "cidrIpv6": rule.get("CidrIpv6"),
            # The endpoint keeps the description of a rule between groups to itself: it stays as given.
            **({} if rule.get("ReferencedGroupInfo") else {"description": rule.get("Description") or None}),
            "fromPort": None if everything else rule.get("FromPort"),
            "ipProtocol": protocol(rule["IpProtocol"]),
            "prefixListId": rule.get("PrefixListId"),
            "referencedSecurityGroupId": (rule.get("ReferencedGroupInfo") or {}).get("GroupId"),
            "region": call.region,
            "securityGroupId": rule["GroupId"],
            "securityGroupRuleId": rule["SecurityGroupRuleId"],
            "tagsAll": tag_map(rule.get("Tags")),
            "toPort": None if everything else rule.get("ToPort"),
        }

    def update(self, call: Call, id: str) -> None:
        """Change the rule under its id."""
        inputs = call.inputs
        rule = {"IpProtocol": protocol(inputs["ipProtocol"])} | call.given(
            FromPort="fromPort",
            ToPort="toPort",
            CidrIpv4="cidrIpv4",
            CidrIpv6="cidrIpv6",
            PrefixListId="prefixListId",
            ReferencedGroupId="referencedSecurityGroupId",
            Description="description",
        )
        call.client("ec2").modify_security_group_rules(
            GroupId=inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": rule}],
        )

    def delete(self, call: Call, id: str) -> None:
        """Revoke by id."""
        group_id = {**call.outputs, **call.inputs}["securityGroupId"]
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


RESOURCES = (IngressRule(), EgressRule())
