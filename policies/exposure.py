"""Nothing is reachable from the internet but the live ports of load balancers, and nodes' metadata by nodes only."""

from collections.abc import Callable, Iterator

from policies.rule import Properties, block, build_policy, listing

ANYWHERE = {"0.0.0.0/0", "::/0"}
PUBLIC_PORTS = {80, 443}


def _open_ports(cidr: object, rule: Properties) -> Iterator[str]:
    from_port, to_port = rule.get("fromPort"), rule.get("toPort")
    if cidr not in ANYWHERE or (from_port == to_port and from_port in PUBLIC_PORTS):
        return
    ports = f"ports {from_port:g} to {to_port:g}" if isinstance(from_port, (int, float)) and to_port else "every port"
    yield f"{ports} open to {cidr}; name the networks that need it (only ports 80 and 443 may be public)"


def _ingress_rule(properties: Properties) -> Iterator[str]:
    yield from _open_ports(properties.get("cidrIpv4") or properties.get("cidrIpv6"), properties)


def _classic_rule(properties: Properties) -> Iterator[str]:
    if properties.get("type", "ingress") == "ingress":
        for cidr in [*listing(properties, "cidrBlocks"), *listing(properties, "ipv6CidrBlocks")]:
            yield from _open_ports(cidr, properties)


def _inline_rules(properties: Properties) -> Iterator[str]:
    for rule in listing(properties, "ingress"):
        yield from _classic_rule({**rule, "type": "ingress"})


def _database(properties: Properties) -> Iterator[str]:
    if properties.get("publiclyAccessible"):
        yield "the database is reachable from the internet; set publiclyAccessible to false"


def _subnet(properties: Properties) -> Iterator[str]:
    if properties.get("mapPublicIpOnLaunch"):
        yield "whatever starts in this subnet gets a public address; set mapPublicIpOnLaunch to false"


def _cluster(properties: Properties) -> Iterator[str]:
    vpc = block(properties, "vpcConfig")
    cidrs = listing(vpc, "publicAccessCidrs")
    # Both defaults of EKS: it answers in public, from everywhere.
    if vpc.get("endpointPublicAccess", True) is True and (not vpc.get("publicAccessCidrs") or ANYWHERE & {*cidrs}):
        yield "the Kubernetes API answers everybody; set publicAccessCidrs to the networks that need it"


def _launch_template(properties: Properties) -> Iterator[str]:
    if block(properties, "metadataOptions").get("httpTokens") != "required":
        yield "whoever makes an instance send a request gets its role; set metadataOptions.httpTokens to required"


def _bucket(properties: Properties) -> Iterator[str]:
    for switch in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        if properties.get(switch) is not True:
            yield f"the bucket may become public; set {switch} to true"


RULES: dict[str, Callable[[Properties], Iterator[str]]] = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _ingress_rule,
    "aws:ec2/securityGroupRule:SecurityGroupRule": _classic_rule,
    "aws:ec2/securityGroup:SecurityGroup": _inline_rules,
    "aws:rds/instance:Instance": _database,
    "aws:rds/clusterInstance:ClusterInstance": _database,
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/launchTemplate:LaunchTemplate": _launch_template,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _bucket,
}


def exposed(resource_type: str, properties: Properties) -> Iterator[str]:
    """Doors that are open to everybody."""
    if resource_type in RULES:
        yield from RULES[resource_type](properties)


NO_PUBLIC_ACCESS = build_policy(
    "no-public-access",
    "Only ports 80 and 443 are open to everybody; databases, subnets, buckets and Kubernetes APIs are not.",
    exposed,
)
