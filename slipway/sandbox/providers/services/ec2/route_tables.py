"""Route tables, routes and associations."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.resource import Call, Lookup, Resource, present
from slipway.sandbox.providers.framework.tags import tag_map
from slipway.sandbox.providers.services.ec2.base import Ec2Resource, filters, tag_specifications

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


def _arguments(route: PropertyMap, names: dict[str, str]) -> dict[str, Any]:
    return {argument: route[name] for name, argument in names.items() if route.get(name)}


def _is_own(route: PropertyMap) -> bool:
    """Neither the VPC's own route nor one that a gateway propagated."""
    return route.get("Origin") == "CreateRoute" and not str(route.get("GatewayId", "")).startswith("vpce-")


def _named(route: PropertyMap, names: dict[str, str]) -> PropertyMap:
    """Destination or target of a route as DescribeRouteTables has it, by property name."""
    return {name: route[argument] for name, argument in names.items() if route.get(argument)}


class RouteTable(Ec2Resource):
    """aws.ec2.RouteTable"""

    token = "aws:ec2/routeTable:RouteTable"
    lookup = Lookup("describe_route_tables", "RouteTableIds", "RouteTables")
    deletion = "delete_route_table"
    id_arguments = ("RouteTableId",)
    busy_codes = frozenset[str]()
    delete_seconds = 0
    force_new = frozenset({"vpcId"})
    unsupported = frozenset({"propagatingVgws"})

    def create(self, call: Call) -> str:
        """Create with its inline routes."""
        table_id = call.client("ec2").create_route_table(
            VpcId=call.inputs["vpcId"], TagSpecifications=tag_specifications(call, "route-table")
        )["RouteTable"]["RouteTableId"]
        self._converge_routes(call, table_id)
        return table_id

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The table with the routes that were created in it."""
        routes = [
            {
                **_named(route, _INLINE_DESTINATIONS),
                **_named(route, ROUTE_TARGETS),
            }
            for route in live.get("Routes") or []
            if _is_own(route)
        ]
        return present(
            arn=call.arn("ec2", f"route-table/{id}"),
            propagatingVgws=[item["GatewayId"] for item in live.get("PropagatingVgws") or []],
            routes=routes,
            tagsAll=tag_map(live.get("Tags")),
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
            arguments = _arguments(route, _INLINE_DESTINATIONS | ROUTE_TARGETS)
            existing = present_routes.pop(_key(arguments, ROUTE_DESTINATIONS.values()), None)
            if existing is None:
                ec2.create_route(RouteTableId=id, **arguments)
            elif _named(existing, ROUTE_TARGETS) != {n: v for n, v in route.items() if n in ROUTE_TARGETS and v}:
                ec2.replace_route(RouteTableId=id, **arguments)
        for route in present_routes.values():
            ec2.delete_route(RouteTableId=id, **{a: route[a] for a in ROUTE_DESTINATIONS.values() if route.get(a)})

    def delete(self, call: Call, id: str) -> None:
        """Drop its associations, then itself."""
        ec2 = call.client("ec2")
        for association in (self.live(call, id) or {}).get("Associations") or []:
            if not association.get("Main"):
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        super().delete(call, id)


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
            RouteTableId=call.inputs["routeTableId"], **_arguments(call.inputs, ROUTE_DESTINATIONS | ROUTE_TARGETS)
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
        state = call.state
        wanted = _arguments(state, ROUTE_DESTINATIONS)
        tables = call.client("ec2").describe_route_tables(RouteTableIds=[state["routeTableId"]])["RouteTables"]
        for route in tables[0].get("Routes") or []:
            if all(route.get(argument) == value for argument, value in wanted.items()):
                return {
                    **dict.fromkeys(("instanceId", "instanceOwnerId", "networkInterfaceId"), ""),
                    **{name: route.get(argument) for name, argument in ROUTE_DESTINATIONS.items()},
                    **dict.fromkeys(ROUTE_TARGETS),
                    "networkInterfaceId": "",
                    **_named(route, ROUTE_TARGETS),
                    "instanceId": route.get("InstanceId", ""),
                    "origin": route.get("Origin", ""),
                    "routeTableId": state["routeTableId"],
                    "state": route.get("State", "active"),
                }
        return None

    def update(self, call: Call, id: str) -> None:
        """Another target for the same destination."""
        call.client("ec2").replace_route(
            RouteTableId=call.inputs["routeTableId"], **_arguments(call.inputs, ROUTE_DESTINATIONS | ROUTE_TARGETS)
        )

    def delete(self, call: Call, id: str) -> None:
        """Delete by destination."""
        state = call.state
        call.client("ec2").delete_route(RouteTableId=state["routeTableId"], **_arguments(state, ROUTE_DESTINATIONS))

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
    service = "ec2"
    deletion = "disassociate_route_table"
    id_arguments = ("AssociationId",)
    force_new = frozenset({"subnetId", "gatewayId"})
    one_of = (("subnetId", "gatewayId"),)

    def create(self, call: Call) -> str:
        """Associate, replacing nothing: a subnet with another explicit association is AWS's error."""
        arguments = call.given("routeTableId", "subnetId", "gatewayId")
        ec2 = call.client("ec2")
        for table in ec2.describe_route_tables(RouteTableIds=[arguments["RouteTableId"]])["RouteTables"]:
            for association in table.get("Associations") or []:
                if all(association.get(k) == v for k, v in arguments.items()):
                    return association["RouteTableAssociationId"]  # the very same one, made by a run that was killed
        return ec2.associate_route_table(**arguments)["AssociationId"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The association among those of all tables."""
        wanted = filters(association__route_table_association_id=id)
        found = call.client("ec2").describe_route_tables(Filters=wanted)["RouteTables"]
        for table in found:
            for association in table.get("Associations") or []:
                if association["RouteTableAssociationId"] == id:
                    return present(
                        routeTableId=table["RouteTableId"],
                        subnetId=association.get("SubnetId"),
                        gatewayId=association.get("GatewayId"),
                    )
        return None

    def update(self, call: Call, id: str) -> None:
        """Another table for the same subnet. The association gets a new id at AWS: the real provider keeps the old one until refreshed."""
        call.client("ec2").replace_route_table_association(AssociationId=id, RouteTableId=call.inputs["routeTableId"])
