"""An isolated environment: its network and its key."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
import pulumi_aws as aws

from .errors import ArgsError
from .subnet_plan import ZoneSubnets, plan_subnets


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
    zones: Sequence[str]
    """Availability zones, two to eight; a zone's subnets keep their addresses when others are added behind it."""
    nat_gateways: NatGateways = NatGateways.SINGLE
    """Way out for private subnets: `none`, `single` (one zone's outage cuts all) or `per-zone` (costs one gateway each)."""
    protect: bool = False
    """Refuse to delete the encryption key: without it every snapshot is lost."""

    def __post_init__(self) -> None:
        plan_subnets(self.cidr, self.zones)
        if self.nat_gateways not in tuple(NatGateways):
            raise ArgsError("nat_gateways", got=self.nat_gateways, want="none, single or per-zone")


class Environment(pulumi.ComponentResource):
    """A VPC over several zones with public and private subnets, and a KMS key for what is stored in it.

    Creates: VPC, subnets, internet and NAT gateways (each NAT gateway costs about 33 USD a month before traffic), KMS key.
    Not: VPN, peering, flow logs; security groups, which belong to what they protect (the default one is emptied).
    Outputs: vpc_id, public_subnet_ids, private_subnet_ids, key_arn - known after apply.
    Errors: ArgsError on cidr, zones or nat_gateways, before any resource.
    Promises: children are named by zone; subnets keep their blocks when a zone is added at the end.
    """

    vpc_id: pulumi.Output[str]
    public_subnet_ids: pulumi.Output[Sequence[str]]
    private_subnet_ids: pulumi.Output[Sequence[str]]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Environment", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
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
        plan = plan_subnets(args.cidr, args.zones)
        public = self._public_subnets(vpc, gateway, plan)
        private = self._private_subnets(vpc, plan)
        self._ways_out(args.nat_gateways, vpc, public, private)
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Data at rest of the environment {name}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(f"{name}-key-alias", name=f"alias/{name}", target_key_id=key.key_id, opts=self._child)
        self.vpc_id = vpc.id
        self.public_subnet_ids = pulumi.Output.all(*[subnet.id for subnet in public.values()])
        self.private_subnet_ids = pulumi.Output.all(*[subnet.id for subnet in private.values()])
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
    ) -> dict[str, aws.ec2.Subnet]:
        table = aws.ec2.RouteTable(
            f"{self._name}-public", vpc_id=vpc.id, tags={"Name": f"{self._name}-public"}, opts=self._child
        )
        aws.ec2.Route(
            f"{self._name}-public-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        subnets: dict[str, aws.ec2.Subnet] = {}
        for zone, blocks in plan.items():
            subnets[zone] = self._subnet("public", vpc, zone, str(blocks.public), {"kubernetes.io/role/elb": "1"})
            aws.ec2.RouteTableAssociation(
                f"{self._name}-public-{zone}",
                subnet_id=subnets[zone].id,
                route_table_id=table.id,
                opts=self._child,
            )
        return subnets

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

    def _ways_out(
        self,
        nat_gateways: NatGateways,
        vpc: aws.ec2.Vpc,
        public: dict[str, aws.ec2.Subnet],
        private: dict[str, aws.ec2.Subnet],
    ) -> None:
        gateways: dict[str, aws.ec2.NatGateway] = {}
        zones = {NatGateways.NONE: [], NatGateways.SINGLE: list(public)[:1], NatGateways.PER_ZONE: list(public)}[
            nat_gateways
        ]
        for zone in zones:
            address = aws.ec2.Eip(f"{self._name}-nat-{zone}", domain="vpc", opts=self._child)
            gateways[zone] = aws.ec2.NatGateway(
                f"{self._name}-nat-{zone}", subnet_id=public[zone].id, allocation_id=address.id, opts=self._child
            )
        for zone, subnet in private.items():
            name = f"{self._name}-private-{zone}"
            table = aws.ec2.RouteTable(name, vpc_id=vpc.id, tags={"Name": name}, opts=self._child)
            aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
            gateway = gateways.get(zone) or next(iter(gateways.values()), None)
            if gateway is not None:
                aws.ec2.Route(
                    f"{name}-internet",
                    route_table_id=table.id,
                    destination_cidr_block="0.0.0.0/0",
                    nat_gateway_id=gateway.id,
                    opts=self._child,
                )
