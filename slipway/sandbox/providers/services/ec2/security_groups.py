"""Security groups with their inline rules."""

from __future__ import annotations

from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, looked_up, the_one
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import (
    Ec2Resource,
    filters,
    given_filters,
    tag_specifications,
)
from slipway.sandbox.providers.services.ec2.permissions import Atom, atoms_of_permissions, atoms_of_rules, shown_rules

_DIRECTIONS = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}


def describe_group(call: Call, id: str) -> dict[str, Any]:
    """The group as EC2 has it."""
    return call.client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"][0]


def change_rules(call: Call, id: str, direction: str, add: frozenset[Atom], remove: frozenset[Atom]) -> None:
    """Authorize first, so that traffic both sets allow is never refused in between."""
    ec2 = call.client("ec2")
    if add:
        authorize = getattr(ec2, f"authorize_security_group_{direction}")
        authorize(GroupId=id, IpPermissions=[atom.permission() for atom in sorted(add)])
    if remove:
        revoke = getattr(ec2, f"revoke_security_group_{direction}")
        revoke(GroupId=id, IpPermissions=[atom.permission() for atom in sorted(remove)])


class SecurityGroup(Ec2Resource):
    """aws.ec2.SecurityGroup"""

    token = "aws:ec2/securityGroup:SecurityGroup"
    lookup = Lookup("describe_security_groups", "GroupIds", "SecurityGroups")
    deletion = "delete_security_group"
    id_arguments = ("GroupId",)
    force_new = frozenset({"name", "namePrefix", "description", "vpcId"})
    defaults = {"description": "Managed by Pulumi", "revokeRulesOnDelete": False}
    auto_name = AutoName()
    conflict_codes = frozenset({"InvalidGroup.Duplicate"})
    write_only = frozenset({"revokeRulesOnDelete"})

    def create(self, call: Call) -> str:
        """Create without the default egress rule, as Terraform does, then with the inline rules."""
        group_id = call.client("ec2").create_security_group(
            GroupName=self.new_name(call),
            **call.given("description", "vpcId"),
            TagSpecifications=tag_specifications(call, "security-group"),
        )["GroupId"]
        self._converge(call, group_id, {"ingress", "egress"})
        return group_id

    def _converge(self, call: Call, id: str, directions: set[str]) -> None:
        group = describe_group(call, id)
        for direction in sorted(directions):
            live = atoms_of_permissions(group.get(_DIRECTIONS[direction]) or [])
            wanted = atoms_of_rules(call.inputs.get(direction), id)
            change_rules(call, id, direction, wanted - live, live - wanted)

    def find(self, call: Call) -> str | None:
        """The group of the same name in the same VPC."""
        if not call.inputs.get("name") or not call.inputs.get("vpcId"):
            return None
        found = call.client("ec2").describe_security_groups(
            Filters=filters(group_name=call.inputs["name"], vpc_id=call.inputs["vpcId"])
        )["SecurityGroups"]
        return found[0]["GroupId"] if found else None

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The group, its rules grouped as the program groups them."""
        rules = {
            direction: shown_rules(
                call.inputs.get(direction) or call.outputs.get(direction),
                atoms_of_permissions(live.get(member) or []),
                id,
            )
            for direction, member in _DIRECTIONS.items()
        }
        return {
            **rules,
            "arn": call.arn("ec2", f"security-group/{id}"),
            "description": live.get("Description", ""),
            "name": live["GroupName"],
            "tagsAll": tag_map(live.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Inline rules."""
        self._converge(call, id, {d for d in _DIRECTIONS if call.changes(d)})

    def delete(self, call: Call, id: str) -> None:
        """Delete once no network interface uses it."""
        if call.inputs.get("revokeRulesOnDelete") or call.outputs.get("revokeRulesOnDelete"):
            group = describe_group(call, id)
            for direction, member in _DIRECTIONS.items():
                change_rules(call, id, direction, frozenset(), atoms_of_permissions(group.get(member) or []))
        super().delete(call, id)


class DefaultSecurityGroup(SecurityGroup):
    """aws.ec2.DefaultSecurityGroup: adopts the VPC's default group and empties it of rules that are not given."""

    token = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    force_new = frozenset({"vpcId"})
    defaults = {"revokeRulesOnDelete": False}
    auto_name = None
    conflicts = ()
    conflict_codes = frozenset[str]()

    def create(self, call: Call) -> str:
        """Take it over: rules and tags become exactly those given."""
        ec2 = call.client("ec2")
        vpc_id = call.inputs.get("vpcId")
        if not vpc_id:
            vpcs = ec2.describe_vpcs(Filters=filters(is_default="true"))["Vpcs"]
            if not vpcs:
                raise ProviderError(f"{self.token}: vpcId is required: the region has no default VPC")
            vpc_id = vpcs[0]["VpcId"]
        found = ec2.describe_security_groups(Filters=filters(group_name="default", vpc_id=vpc_id))["SecurityGroups"]
        if not found:
            raise ProviderError(f"{self.token}: {vpc_id} has no default security group")
        group_id = found[0]["GroupId"]
        ec2.create_tags(Resources=[group_id], Tags=call.tag_list)
        self._converge(call, group_id, {"ingress", "egress"})
        return group_id

    def delete(self, call: Call, id: str) -> None:
        """The default group cannot be deleted: it is only forgotten, as with the real provider."""


def _group_id(call: FunctionCall) -> str:
    args = call.args
    filters = given_filters(call)
    for name, key in {"name": "group-name", "vpcId": "vpc-id"}.items():
        if args.get(name):
            filters.append({"Name": key, "Values": [args[name]]})
    which = {"GroupIds": [args["id"]]} if args.get("id") else {}
    found = call.client("ec2").describe_security_groups(Filters=filters, **which)["SecurityGroups"]
    return the_one("EC2 Security Group", [group["GroupId"] for group in found])


get_security_group = looked_up("aws:ec2/getSecurityGroup:getSecurityGroup", SecurityGroup(), _group_id)
