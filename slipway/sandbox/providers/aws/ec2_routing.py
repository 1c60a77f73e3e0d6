"""Route tables, routes, NAT gateways and elastic IPs."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property maps and AWS's responses are wire data of any shape.

from __future__ import annotations

# ruff: noqa: A002, ARG002 - `id` and `token` are Pulumi's words; a type's tables are constants
import zlib
from collections.abc import Iterable
from typing import Any

from slipway.engine.provider import ProviderError
from slipway.engine.values import PropertyMap
from slipway.sandbox.providers.aws.ec2_vpc import Ec2Resource, filters, tag_specifications
from slipway.sandbox.providers.aws.faults import error_code
from slipway.sandbox.providers.aws.resource import Call, Resource, present, tag_map

ROUTE_DESTINATIONS = {
    "destinationCidrBlock": "DestinationCidrBlock",
    "destinationIpv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
ROUTE_TARGETS = {
    "carrierGatewayId": "CarrierGatewayId",
    "coreNetworkArn": "CoreNetworkArn",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "gatewayId": "GatewayId",
    "localGatewayId": "LocalGatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "transitGatewayId": "TransitGatewayId",
    "vpcEndpointId": "VpcEndpointId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
}
# Inline routes name their destinations otherwise than the Route resource does.
_INLINE_DESTINATIONS = {
    "cidrBlock": "DestinationCidrBlock",
    "ipv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
NAT_SECONDS = 600


def _arguments(route: PropertyMap, destinations: dict[str, str]) -> dict[str, Any]:
    return {argument: route[name] for name, argument in (destinations | ROUTE_TARGETS).items() if route.get(name)}


def _destination(route: PropertyMap, destinations: dict[str, str]) -> dict[str, Any]:
    return {argument: route[name] for name, argument in destinations.items() if route.get(name)}


def _is_own(route: PropertyMap) -> bool:
    """Neither the VPC's own route nor one that a gateway propagated."""
    return route.get("Origin") == "CreateRoute" and not str(route.get("GatewayId", "")).startswith("vpce-")


def route_target(route: PropertyMap) -> PropertyMap:
    """The target of a route as DescribeRouteTables has it, by property name."""
    return {name: route[argument] for name, argument in ROUTE_TARGETS.items() if route.get(argument)}


class RouteTable(Ec2Resource):
    """aws.ec2.RouteTable"""

    token = "aws:ec2/routeTable:RouteTable"
    force_new = frozenset({"vpcId"})
    unsupported = frozenset({"propagatingVgws"})

    def create(self, call: Call) -> str:
        """Create with its inline routes."""
        ec2 = call.client("ec2")
        table_id = ec2.create_route_table(
            VpcId=call.inputs["vpcId"], TagSpecifications=tag_specifications(call, "route-table")
        )["RouteTable"]["RouteTableId"]
        self._converge_routes(call, table_id)
        return table_id

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The table with the routes that were created in it."""
        table = call.client("ec2").describe_route_tables(RouteTableIds=[id])["RouteTables"][0]
        routes = [
            {
                **{name: route[argument] for name, argument in _INLINE_DESTINATIONS.items() if route.get(argument)},
                **route_target(route),
            }
            for route in table.get("Routes") or []
            if _is_own(route)
        ]
        return present(
            arn=call.arn("ec2", f"route-table/{id}"),
            ownerId=table.get("OwnerId", ""),
            propagatingVgws=[item["GatewayId"] for item in table.get("PropagatingVgws") or []],
            region=call.region,
            routes=routes,
            tagsAll=tag_map(table.get("Tags")),
            vpcId=table["VpcId"],
        )

    def update(self, call: Call, id: str) -> None:
        """Inline routes, when they are managed here."""
        if call.changes("routes"):
            self._converge_routes(call, id)

    def _converge_routes(self, call: Call, id: str) -> None:
        if "routes" not in call.inputs and "routes" not in call.old_inputs:
            return  # routes are managed by Route resources: leave them alone
        ec2 = call.client("ec2")
        table = ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"][0]
        present_routes = {
            _key(route, ROUTE_DESTINATIONS.values()): route for route in table.get("Routes") or [] if _is_own(route)
        }
        for route in call.inputs.get("routes") or []:
            arguments = _arguments(route, _INLINE_DESTINATIONS)
            existing = present_routes.pop(_key(arguments, ROUTE_DESTINATIONS.values()), None)
            if existing is None:
                ec2.create_route(RouteTableId=id, **arguments)
            elif route_target(existing) != {n: v for n, v in route.items() if n in ROUTE_TARGETS and v}:
                ec2.replace_route(RouteTableId=id, **arguments)
        for route in present_routes.values():
            ec2.delete_route(RouteTableId=id, **{a: route[a] for a in ROUTE_DESTINATIONS.values() if route.get(a)})

    def delete(self, call: Call, id: str) -> None:
        """Drop its associations, then itself."""
        ec2 = call.client("ec2")
        for table in ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"]:
            for association in table.get("Associations") or []:
                if not association.get("Main"):
                    ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        ec2.delete_route_table(RouteTableId=id)


def _key(route: PropertyMap, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(route.get(name) or "") for name in names)


class Route(Resource):
    """aws.ec2.Route"""

    token = "aws:ec2/route:Route"
    force_new = frozenset({"routeTableId", *ROUTE_DESTINATIONS})
    unsupported = frozenset({"odbNetworkArn"})
    one_of = (tuple(ROUTE_DESTINATIONS), tuple(ROUTE_TARGETS))
    conflict_codes = frozenset({"RouteAlreadyExists"})

    def create(self, call: Call) -> str:
        """Create the route."""
        call.client("ec2").create_route(
            RouteTableId=call.inputs["routeTableId"], **_arguments(call.inputs, ROUTE_DESTINATIONS)
        )
        return self._id(call.inputs)

    @staticmethod
    def _id(inputs: PropertyMap) -> str:
        destination = next(inputs[name] for name in ROUTE_DESTINATIONS if inputs.get(name))
        return f"r-{inputs['routeTableId']}{zlib.crc32(str(destination).encode())}"

    def find(self, call: Call) -> str | None:
        """The route with the same destination, if it leads to the same target."""
        live = self.read(call, "")
        same = live is not None and all(
            live.get(name) == call.inputs.get(name) for name in ROUTE_TARGETS if call.inputs.get(name)
        )
        return self._id(call.inputs) if same else None

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The route among those of its table."""
        state = {**call.outputs, **call.inputs}
        wanted = _destination(state, ROUTE_DESTINATIONS)
        tables = call.client("ec2").describe_route_tables(RouteTableIds=[state["routeTableId"]])["RouteTables"]
        for route in tables[0].get("Routes") or []:
            if all(route.get(argument) == value for argument, value in wanted.items()):
                return {
                    **dict.fromkeys(("instanceId", "instanceOwnerId", "networkInterfaceId"), ""),
                    **{name: route.get(argument) for name, argument in ROUTE_DESTINATIONS.items()},
                    **dict.fromkeys(ROUTE_TARGETS),
                    "networkInterfaceId": "",
                    **route_target(route),
                    "instanceId": route.get("InstanceId", ""),
                    "origin": route.get("Origin", ""),
                    "region": call.region,
                    "routeTableId": state["routeTableId"],
                    "state": route.get("State", "active"),
                }
        return None

    def update(self, call: Call, id: str) -> None:
        """Another target for the same destination."""
        call.client("ec2").replace_route(
            RouteTableId=call.inputs["routeTableId"], **_arguments(call.inputs, ROUTE_DESTINATIONS)
        )

    def delete(self, call: Call, id: str) -> None:
        """Delete by destination."""
        state = {**call.outputs, **call.inputs}
        call.client("ec2").delete_route(RouteTableId=state["routeTableId"], **_destination(state, ROUTE_DESTINATIONS))

    def import_outputs(self, call: Call, id: str) -> None:
        """An import id is `<route table>_<destination>`."""
        table_id, _, destination = id.partition("_")
        if not destination:
            raise ProviderError(f"{self.token}: unexpected import id {id!r}; expected ROUTETABLEID_DESTINATION")
        name = (
            "destinationPrefixListId"
            if destination.startswith("pl-")
            else "destinationIpv6CidrBlock"
            if ":" in destination
            else "destinationCidrBlock"
        )
        call.inputs.update({"routeTableId": table_id, name: destination})


class RouteTableAssociation(Resource):
    """aws.ec2.RouteTableAssociation"""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    force_new = frozenset({"subnetId", "gatewayId"})
    one_of = (("subnetId", "gatewayId"),)

    def create(self, call: Call) -> str:
        """Associate, replacing nothing: a subnet with another explicit association is AWS's error."""
        arguments = call.given(RouteTableId="routeTableId", SubnetId="subnetId", GatewayId="gatewayId")
        ec2 = call.client("ec2")
        for table in ec2.describe_route_tables(RouteTableIds=[arguments["RouteTableId"]])["RouteTables"]:
            for association in table.get("Associations") or []:
                if all(association.get(k) == v for k, v in arguments.items()):
                    return association["RouteTableAssociationId"]  # the very same one, made by a run that was killed
        return ec2.associate_route_table(**arguments)["AssociationId"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association among those of all tables."""
        found = call.client("ec2").describe_route_tables(
            Filters=[{"Name": "association.route-table-association-id", "Values": [id]}]
        )["RouteTables"]
        for table in found:
            for association in table.get("Associations") or []:
                if association["RouteTableAssociationId"] == id:
                    return present(
                        region=call.region,
                        routeTableId=table["RouteTableId"],
                        subnetId=association.get("SubnetId"),
                        gatewayId=association.get("GatewayId"),
                    )
        return None

    def update(self, call: Call, id: str) -> None:
        """Another table for the same subnet. The association gets a new id at AWS: the real provider keeps the old one until refreshed."""
        call.client("ec2").replace_route_table_association(AssociationId=id, RouteTableId=call.inputs["routeTableId"])

    def delete(self, call: Call, id: str) -> None:
        """Drop the association."""
        call.client("ec2").disassociate_route_table(AssociationId=id)


class Eip(Ec2Resource):
    """aws.ec2.Eip"""

    token = "aws:ec2/eip:Eip"
    force_new = frozenset({"address", "domain", "networkBorderGroup", "publicIpv4Pool"})
    unsupported = frozenset({"customerOwnedIpv4Pool", "ipamPoolId"})
    enums = {"domain": ("vpc", "standard")}
    write_only = frozenset({"address", "associateWithPrivateIp"})

    def create(self, call: Call) -> str:
        """Allocate, and associate when something to associate with is given."""
        ec2 = call.client("ec2")
        arguments = call.given(
            Address="address", NetworkBorderGroup="networkBorderGroup", PublicIpv4Pool="publicIpv4Pool"
        )
        allocation_id = ec2.allocate_address(
            Domain=call.inputs.get("domain") or "vpc",
            **arguments,
            TagSpecifications=tag_specifications(call, "elastic-ip"),
        )["AllocationId"]
        self._associate(call, allocation_id)
        return allocation_id

    def _associate(self, call: Call, id: str) -> None:
        target = call.given(InstanceId="instance", NetworkInterfaceId="networkInterface")
        if target:
            call.client("ec2").associate_address(
                AllocationId=id, **target, **call.given(PrivateIpAddress="associateWithPrivateIp")
            )

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The address."""
        address = call.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"][0]
        public, private = address.get("PublicIp", ""), address.get("PrivateIpAddress") or ""
        suffix = "compute-1" if call.region == "us-east-1" else f"{call.region}.compute"
        return {
            "allocationId": address["AllocationId"],
            "arn": call.arn("ec2", f"elastic-ip/{id}"),
            "associationId": address.get("AssociationId") or "",
            "carrierIp": address.get("CarrierIp", ""),
            "customerOwnedIp": address.get("CustomerOwnedIp", ""),
            "domain": address.get("Domain", "vpc"),
            "instance": address.get("InstanceId") or "",
            "networkBorderGroup": address.get("NetworkBorderGroup", call.region),
            "networkInterface": address.get("NetworkInterfaceId") or "",
            "privateDns": f"ip-{private.replace('.', '-')}.ec2.internal" if private else "",
            "privateIp": private,
            "ptrRecord": "",
            "publicDns": f"ec2-{public.replace('.', '-')}.{suffix}.amazonaws.com",
            "publicIp": public,
            "publicIpv4Pool": address.get("PublicIpv4Pool", "amazon"),
            "region": call.region,
            "tagsAll": tag_map(address.get("Tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Another association."""
        if not call.changes("instance", "networkInterface", "associateWithPrivateIp"):
            return
        self._disassociate(call)
        self._associate(call, id)

    def _disassociate(self, call: Call) -> None:
        association_id = call.outputs.get("associationId")
        if association_id and (call.outputs.get("instance") or call.inputs.get("networkInterface")):
            try:
                call.client("ec2").disassociate_address(AssociationId=association_id)
            except Exception as error:
                if error_code(error) != "InvalidAssociationID.NotFound":
                    raise

    def delete(self, call: Call, id: str) -> None:
        """Release the address."""
        self._disassociate(call)
        call.client("ec2").release_address(AllocationId=id)


class NatGateway(Ec2Resource):
    """aws.ec2.NatGateway"""

    token = "aws:ec2/natGateway:NatGateway"
    force_new = frozenset({"allocationId", "connectivityType", "privateIp", "subnetId"})
    unsupported = frozenset(
        {
            "availabilityMode",
            "availabilityZoneAddresses",
            "secondaryAllocationIds",
            "secondaryPrivateIpAddressCount",
            "secondaryPrivateIpAddresses",
            "vpcId",
        }
    )
    defaults = {"connectivityType": "public"}
    enums = {"connectivityType": ("public", "private")}

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """A public gateway needs an address."""
        if inputs.get("connectivityType") == "public" and "allocationId" not in inputs:
            yield "allocationId", "allocationId is required when connectivityType is public"

    def create(self, call: Call) -> str:
        """Create and wait until it is available."""
        ec2 = call.client("ec2")
        arguments = call.given(
            SubnetId="subnetId",
            AllocationId="allocationId",
            ConnectivityType="connectivityType",
            PrivateIpAddress="privateIp",
        )
        gateway_id = ec2.create_nat_gateway(**arguments, TagSpecifications=tag_specifications(call, "natgateway"))[
            "NatGateway"
        ]["NatGatewayId"]
        call.wait(
            f"NAT gateway {gateway_id} to be available",
            lambda: self._state(call, gateway_id) == "available",
            seconds=NAT_SECONDS,
        )
        return gateway_id

    def _describe(self, call: Call, id: str) -> PropertyMap | None:
        found = call.client("ec2").describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
        return found[0] if found else None

    def _state(self, call: Call, id: str) -> str:
        gateway = self._describe(call, id) or {}
        if gateway.get("State") == "failed":
            raise ProviderError(
                f"NAT gateway {id} failed: {gateway.get('FailureCode')}: {gateway.get('FailureMessage')}"
            )
        return str(gateway.get("State", "deleted"))

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The gateway; deleted ones are shown by AWS for a while."""
        gateway = self._describe(call, id)
        if gateway is None or gateway.get("State") in {"deleted", "deleting"}:
            return None
        address = next(iter(gateway.get("NatGatewayAddresses") or []), {})
        return present(
            allocationId=address.get("AllocationId"),
            associationId=address.get("AssociationId") or "",
            connectivityType=gateway.get("ConnectivityType", "public"),
            networkInterfaceId=address.get("NetworkInterfaceId") or "",
            privateIp=address.get("PrivateIp") or "",
            publicIp=address.get("PublicIp") or "",
            region=call.region,
            subnetId=gateway.get("SubnetId"),
            vpcId=gateway.get("VpcId"),
            tagsAll=tag_map(gateway.get("Tags")),
        )

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait: its address is held until it is gone."""
        call.client("ec2").delete_nat_gateway(NatGatewayId=id)
        call.wait(f"NAT gateway {id} to be deleted", lambda: self._state(call, id) == "deleted", seconds=NAT_SECONDS)


RESOURCES = (RouteTable(), Route(), RouteTableAssociation(), Eip(), NatGateway())

__all__ = ["RESOURCES", "filters"]
