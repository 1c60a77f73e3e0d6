"""An isolated environment: its network and its key."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from .errors import ArgsError
from .key_policy import render_key_policy
from .subnet_plan import ZoneSubnets, plan_subnets
from .zones import choose_zones


class NatGateways(StrEnum):
    """Way out to the internet for private subnets."""

    NONE = "none"
    """No way out: nodes reach AWS and registries only through endpoints of your own."""
    SINGLE = "single"
    """One gateway for all zones; its zone's outage cuts all of them off."""
    PER_ZONE = "per-zone"
    """One gateway in each zone, each at its price."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentArgs:
    """What an environment is made from."""

    cidr: str
    """The VPC's address range, /16 to /22. Ranges of environments must not overlap if they are ever to be peered."""
    zone_count: int = 2
    """Number of availability zones, 2 to 8: the first ones, by name, that the account offers and EKS accepts. Grow it later at will."""
    zones: Sequence[str] = ()
    """Names of zones, instead of a number; new ones only at the end. A name means another place in each account."""
    nat_gateways: NatGateways = NatGateways.SINGLE
    """Way out for private subnets: `none`, `single` (one zone's outage cuts all) or `per-zone` (costs one gateway each)."""
    protect: bool = False
    """Refuse to delete the encryption key: without it every snapshot is lost."""

    def __post_init__(self) -> None:
        if not 2 <= self.zone_count <= 8:
            raise ArgsError("zone_count", got=self.zone_count, want="2 to 8")
        plan_subnets(self.cidr, self.zones or ("first", "second"))
        if self.nat_gateways not in tuple(NatGateways):
            raise ArgsError("nat_gateways", got=self.nat_gateways, want="none, single or per-zone")


class Environment(pulumi.ComponentResource):
    """A VPC over several zones with public and private subnets, and a KMS key for what is stored in it.

    Creates: VPC, subnets, internet and NAT gateways (each NAT gateway costs about 33 USD a month before traffic), KMS key, gateway
    endpoints of S3 and DynamoDB (free; traffic to both bypasses the NAT gateways).
    Not: VPN, peering, flow logs; security groups, which belong to what they protect (the default one is emptied).
    Outputs: vpc_id, public_subnet_ids, private_subnet_ids, key_arn - known after apply. What takes subnets waits for their routes,
    and is deleted before them.
    Errors: ArgsError on cidr, zones, zone_count or nat_gateways, before any resource.
    Promises: children are named by zone; subnets keep their blocks when a zone is added at the end. The key's policy admits
    CloudWatch and CloudWatch Logs of this account.
    """

    vpc_id: pulumi.Output[str]
    public_subnet_ids: pulumi.Output[Sequence[str]]
    private_subnet_ids: pulumi.Output[Sequence[str]]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Environment", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        lookup = pulumi.InvokeOptions(parent=self)
        plan = plan_subnets(args.cidr, args.zones or choose_zones(args.zone_count, lookup))
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": name},
            opts=self._child,
        )
        # The default group lets everything in it talk to everything: adopted and emptied, so that nothing can hide in it.
        aws.ec2.DefaultSecurityGroup(f"{name}-default-group", vpc_id=vpc.id, opts=self._child)
        gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=vpc.id, tags={"Name": name}, opts=self._child)
        public, public_routes, public_table = self._public_subnets(vpc, gateway, plan)
        private = self._private_subnets(vpc, plan)
        nat = self._nat_gateways(args.nat_gateways, gateway, public)
        private_routes, private_tables = self._private_routes(vpc, nat, private)
        region = aws.get_region(opts=lookup).region
        self._gateway_endpoints(vpc, [public_table, *private_tables], region)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Data at rest of the environment {name}",
            enable_key_rotation=True,
            policy=render_key_policy(aws.get_caller_identity(opts=lookup).account_id, region),
            deletion_window_in_days=30,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(f"{name}-key-alias", name=f"alias/{name}", target_key_id=key.key_id, opts=self._child)
        self.vpc_id = vpc.id
        self.public_subnet_ids = _ids_after(public, public_routes)
        self.private_subnet_ids = _ids_after(private, private_routes)
        self.key_arn = key.arn
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "publicSubnetIds": self.public_subnet_ids,
                "privateSubnetIds": self.private_subnet_ids,
                "keyArn": self.key_arn,
            }
        )

    def _public_subnets(
        self, vpc: aws.ec2.Vpc, gateway: aws.ec2.InternetGateway, plan: dict[str, ZoneSubnets]
    ) -> tuple[dict[str, aws.ec2.Subnet], list[pulumi.CustomResource], aws.ec2.RouteTable]:
        table = aws.ec2.RouteTable(
            f"{self._name}-public", vpc_id=vpc.id, tags={"Name": f"{self._name}-public"}, opts=self._child
        )
        routes: list[pulumi.CustomResource] = [
            aws.ec2.Route(
                f"{self._name}-public-internet",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                gateway_id=gateway.id,
                opts=self._child,
            )
        ]
        tags = {"kubernetes.io/role/elb": "1"}
        subnets = {zone: self._subnet("public", vpc, zone, str(blocks.public), tags) for zone, blocks in plan.items()}
        for zone, subnet in subnets.items():
            name = f"{self._name}-public-{zone}"
            routes.append(
                aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
            )
        return subnets, routes, table

    def _private_subnets(self, vpc: aws.ec2.Vpc, plan: dict[str, ZoneSubnets]) -> dict[str, aws.ec2.Subnet]:
        tags = {"kubernetes.io/role/internal-elb": "1"}
        return {zone: self._subnet("private", vpc, zone, str(blocks.private), tags) for zone, blocks in plan.items()}

    def _subnet(self, role: str, vpc: aws.ec2.Vpc, zone: str, cidr_block: str, tags: dict[str, str]) -> aws.ec2.Subnet:
        name = f"{self._name}-{role}-{zone}"
        return aws.ec2.Subnet(
            name,
            vpc_id=vpc.id,
            availability_zone=zone,
            cidr_block=cidr_block,
            map_public_ip_on_launch=False,
            tags={"Name": name, **tags},
            opts=self._child,
        )

    def _nat_gateways(
        self, wanted: NatGateways, internet: aws.ec2.InternetGateway, public: dict[str, aws.ec2.Subnet]
    ) -> dict[str, aws.ec2.NatGateway]:
        number = {NatGateways.NONE: 0, NatGateways.SINGLE: 1, NatGateways.PER_ZONE: len(public)}[wanted]
        # Neither an address nor a NAT gateway works before the VPC has its internet gateway; nothing in their inputs says so.
        after = pulumi.ResourceOptions(parent=self, depends_on=[internet])
        gateways: dict[str, aws.ec2.NatGateway] = {}
        for zone, subnet in list(public.items())[:number]:
            name = f"{self._name}-nat-{zone}"
            address = aws.ec2.Eip(name, domain="vpc", opts=after)
            gateways[zone] = aws.ec2.NatGateway(name, subnet_id=subnet.id, allocation_id=address.id, opts=after)
        return gateways

    def _private_routes(
        self, vpc: aws.ec2.Vpc, gateways: dict[str, aws.ec2.NatGateway], private: dict[str, aws.ec2.Subnet]
    ) -> tuple[list[pulumi.CustomResource], list[aws.ec2.RouteTable]]:
        routes: list[pulumi.CustomResource] = []
        tables: list[aws.ec2.RouteTable] = []
        for zone, subnet in private.items():
            name = f"{self._name}-private-{zone}"
            table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags={"Name": name}, opts=self._child)
            tables.append(table)
            routes.append(
                aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
            )
            gateway = gateways.get(zone) or next(iter(gateways.values()), None)
            if gateway is not None:
                routes.append(
                    aws.ec2.Route(
                        f"{name}-internet",
                        route_table_id=table.id,
                        destination_cidr_block="0.0.0.0/0",
                        nat_gateway_id=gateway.id,
                        opts=self._child,
                    )
                )
        return routes, tables

    def _gateway_endpoints(self, vpc: aws.ec2.Vpc, tables: Sequence[aws.ec2.RouteTable], region: str) -> None:
        for service in ("s3", "dynamodb"):
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                tags={"Name": f"{self._name}-{service}"},
                opts=self._child,
            )


def _ids_after(
    subnets: dict[str, aws.ec2.Subnet], routes: Sequence[pulumi.CustomResource]
) -> pulumi.Output[Sequence[str]]:
    """The subnets' IDs, once the routes exist. On destroy, what needs a route to clean up after itself goes before the route."""
    ids = [subnet.id for subnet in subnets.values()]
    return pulumi.Output.all(*ids, *[route.id for route in routes]).apply(lambda known: known[: len(ids)])
