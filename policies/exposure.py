"""Nothing is reachable from the internet but the live ports of load balancers."""

from collections.abc import Iterator

from policies.rule import Properties, build_policy

ANYWHERE = {"0.0.0.0/0", "::/0"}
PUBLIC_PORTS = {80, 443}


def exposed(resource_type: str, properties: Properties) -> Iterator[str]:
    """Doors that are open to everybody."""
    if resource_type == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
        cidr = properties.get("cidrIpv4") or properties.get("cidrIpv6")
        yield from _open_ports(cidr, properties.get("fromPort"), properties.get("toPort"))
    elif resource_type == "aws:ec2/securityGroupRule:SecurityGroupRule" and properties.get("type") == "ingress":
        for cidr in [*(properties.get("cidrBlocks") or []), *(properties.get("ipv6CidrBlocks") or [])]:
            yield from _open_ports(cidr, properties.get("fromPort"), properties.get("toPort"))
    elif resource_type == "aws:ec2/securityGroup:SecurityGroup":
        for rule in properties.get("ingress") or []:
            for cidr in [*(rule.get("cidrBlocks") or []), *(rule.get("ipv6CidrBlocks") or [])]:
                yield from _open_ports(cidr, rule.get("fromPort"), rule.get("toPort"))
    elif resource_type in {"aws:rds/instance:Instance", "aws:rds/clusterInstance:ClusterInstance"}:
        if properties.get("publiclyAccessible"):
            yield "the database is reachable from the internet; set publiclyAccessible to false"
    elif resource_type == "aws:ec2/subnet:Subnet":
        if properties.get("mapPublicIpOnLaunch"):
            yield "whatever starts in this subnet gets a public address; set mapPublicIpOnLaunch to false"
    elif resource_type == "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":
        for switch in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
            if properties.get(switch) is not True:
                yield f"the bucket may become public; set {switch} to true"


def _open_ports(cidr: object, from_port: float | None, to_port: float | None) -> Iterator[str]:
    if cidr not in ANYWHERE:
        return
    if from_port != to_port or from_port not in PUBLIC_PORTS:
        ports = (
            "every port" if from_port is None or from_port == -1 else f"ports {from_port:g} to {to_port or from_port:g}"
        )
        yield f"{ports} open to {cidr}; name the networks that need it (only ports 80 and 443 may be public)"


NO_PUBLIC_ACCESS = build_policy(
    "no-public-access", "Only ports 80 and 443 are open to everybody; databases, subnets and buckets are not.", exposed
)
