"""Security group rules, one resource for each set of sources (`SecurityGroupRule`)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Resource, present
from slipway.sandbox.providers.services.ec2.base import filters
from slipway.sandbox.providers.services.ec2.permissions import (
    ALL_PROTOCOLS,
    Atom,
    atoms_of_permissions,
    atoms_of_rule,
    protocol,
)
from slipway.sandbox.providers.services.ec2.security_groups import change_rules, describe_group


class SecurityGroupRule(Resource):
    """aws.ec2.SecurityGroupRule: several sources under one resource, without an id at AWS."""

    token = "aws:ec2/securityGroupRule:SecurityGroupRule"
    force_new = frozenset(
        {
            "type",
            "fromPort",
            "toPort",
            "protocol",
            "cidrBlocks",
            "ipv6CidrBlocks",
            "prefixListIds",
            "securityGroupId",
            "self",
            "sourceSecurityGroupId",
        }
    )
    defaults = {"self": False}
    enums = {"type": ("ingress", "egress")}
    conflicts = (("sourceSecurityGroupId", "cidrBlocks"), ("sourceSecurityGroupId", "ipv6CidrBlocks"))
    conflict_codes = frozenset({"InvalidPermission.Duplicate"})

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """It must say from or to where."""
        sources = ("cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "sourceSecurityGroupId", "self")
        named = any(inputs.get(k) for k in sources if inputs.get(k) is not None and self._known(inputs[k]))
        if not named and all(self._known(value) for value in inputs.values()):
            yield (
                "cidrBlocks",
                "one of cidrBlocks, ipv6CidrBlocks, prefixListIds, self, sourceSecurityGroupId must be given",
            )

    @staticmethod
    def _known(value: Any) -> bool:
        return isinstance(value, (str, list, bool))

    @staticmethod
    def _atoms(state: PropertyMap) -> frozenset[Atom]:
        rule = {
            **state,
            "securityGroups": [state["sourceSecurityGroupId"]] if state.get("sourceSecurityGroupId") else [],
        }
        return frozenset(atoms_of_rule(rule, state["securityGroupId"]))

    def create(self, call: Call) -> str:
        """Authorize all sources."""
        change_rules(call, call.inputs["securityGroupId"], call.inputs["type"], self._atoms(call.inputs), frozenset())
        return self._id(call.inputs)

    def _id(self, inputs: PropertyMap) -> str:
        text = inputs["type"] + "".join(str(atom) for atom in sorted(self._atoms(inputs)))
        return f"sgrule-{zlib.crc32(text.encode())}"

    def find(self, call: Call) -> str | None:
        """The same rule, if all of it is there."""
        return self._id(call.inputs) if self.read(call, "") else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """Whether every source is still authorized."""
        state = call.state
        group = describe_group(call, state["securityGroupId"])
        member = "IpPermissions" if state["type"] == "ingress" else "IpPermissionsEgress"
        live = atoms_of_permissions(group.get(member) or [])
        if not self._atoms(state) <= live:
            return None
        names = (
            "type",
            "fromPort",
            "toPort",
            "cidrBlocks",
            "ipv6CidrBlocks",
            "prefixListIds",
            "self",
            "description",
            "securityGroupId",
        )
        source = state.get("sourceSecurityGroupId") or (state["securityGroupId"] if state.get("self") else "")
        return present(
            **{name: state.get(name) for name in names},
            protocol=protocol(state["protocol"]),
            securityGroupRuleId=self._rule_id(call, state),
            sourceSecurityGroupId=source,
        )

    def _rule_id(self, call: Call, state: PropertyMap) -> str:
        """The id of the rule at AWS, when the resource is one rule there."""
        atoms = self._atoms(state)
        rules = call.client("ec2").describe_security_group_rules(Filters=filters(group_id=state["securityGroupId"]))[
            "SecurityGroupRules"
        ]
        for rule in rules:
            values = {
                rule.get("CidrIpv4"),
                rule.get("CidrIpv6"),
                rule.get("PrefixListId"),
                (rule.get("ReferencedGroupInfo") or {}).get("GroupId"),
            }
            atom = next(iter(atoms))
            same = (
                protocol(rule["IpProtocol"]) == atom.protocol
                and atom.value in values
                and rule.get("IsEgress") == (state["type"] == "egress")
            )
            if len(atoms) == 1 and same and (atom.protocol == ALL_PROTOCOLS or rule.get("FromPort") == atom.from_port):
                return rule["SecurityGroupRuleId"]
        return ""

    def update(self, call: Call, id: str) -> None:
        """Only the description can change: authorize the new ones, revoke the old."""
        old, new = self._atoms({**call.outputs, **call.old_inputs}), self._atoms(call.inputs)
        # EC2 takes rules that differ in their description for duplicates: the old ones go first.
        change_rules(call, call.inputs["securityGroupId"], call.inputs["type"], frozenset(), old - new)
        change_rules(call, call.inputs["securityGroupId"], call.inputs["type"], new - old, frozenset())

    def delete(self, call: Call, id: str) -> None:
        """Revoke all sources."""
        state = call.state
        change_rules(call, state["securityGroupId"], state["type"], frozenset(), self._atoms(state))

    def import_outputs(self, call: Call, id: str) -> None:
        """Terraform's import id: group_type_protocol_from_to_source[_source...]."""
        parts = id.split("_")
        if len(parts) < 6:
            raise ProviderError(
                f"{self.token}: unexpected import id {id!r}; expected GROUP_TYPE_PROTOCOL_FROM_TO_SOURCE"
            )
        group, kind, name, low, high, *sources = parts
        call.inputs.update(
            {"securityGroupId": group, "type": kind, "protocol": name, "fromPort": int(low), "toPort": int(high)}
        )
        for source in sources:
            if source == "self":
                call.inputs["self"] = True
            elif source.startswith("sg-"):
                call.inputs["sourceSecurityGroupId"] = source
            else:
                call.inputs.setdefault("ipv6CidrBlocks" if ":" in source else "cidrBlocks", []).append(source)
