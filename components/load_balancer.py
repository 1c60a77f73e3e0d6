"""A load balancer that divides requests between two colours, and gives those with a secret header to the colour that is tried."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .cidrs import check_cidrs
from .domain import check_domain, issue_certificate, point_domain
from .errors import ArgsError

COLOURS = ("blue", "green")
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
MAXIMUM_WEIGHT = 999  # source: ELB API reference, TargetGroupTuple, 2026
LARGEST_PRIORITY = 50_000  # source: ELB API reference, CreateRule, 2026
MAXIMUM_NAME = 32  # of a load balancer and of a target group; source: ELB API reference, 2026
GENERATED_SUFFIX = 8  # what Pulumi adds to a load balancer's name
LONGEST_NAME = MAXIMUM_NAME - GENERATED_SUFFIX
DEREGISTRATION_DELAY_SECONDS = 15
TEST_HEADER = "X-Slipway-Test"
TEST_SECRET_BYTES = 32
CLUSTER_TAG = "eks:eks-cluster-name"  # source: policy AmazonEKSLoadBalancingPolicy; EKS user guide, 2026


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """What a load balancer is made from."""

    vpc_id: pulumi.Input[str]
    """The VPC of the subnets."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """Public subnets (private ones when `internal`) in at least two zones."""
    weights: Mapping[str, int]
    """Share of live requests by colour when the live listener is made. Later changes of it are ignored: the weights of a listener
    that exists belong to whoever moves the traffic, so no `up` sets them."""
    test_colour: str
    """The colour that gets the requests with the test header."""
    pods_security_group_id: pulumi.Input[str]
    """Security group of the pods, such as the cluster's. It gets a rule that admits the load balancer, on `target_port` only: EKS's own
    admits its members and nobody else."""
    cluster_name: pulumi.Input[str] | None = None
    """The EKS cluster in Auto Mode whose pods are the targets; target groups get its name as the tag `eks:eks-cluster-name`, by which
    AWS's policy for Auto Mode recognised (until February 2026 at least) those that it may register pods in. None: no tag."""
    target_port: int = 8080
    """Port of the pods. Target groups keep the one they were made with: pods are registered with their own."""
    other_ports: Sequence[int] = ()
    """Ports of pods that have another one, such as those of a colour that was released before `target_port` changed. The rules span them
    all while there are any."""
    health_check_path: str = "/readyz"
    """Asked every 5 s of every pod; two answers of 200 in a row make it healthy, two others unhealthy."""
    live_cidrs: Sequence[str] = ("0.0.0.0/0",)
    """Who reaches the live listener."""
    test_priority: int = 1
    """Of the listener rule for the test header, 1 to 50,000. Rules of yours with a lower number take requests away from it."""
    domain: str | None = None
    """Name of the service in DNS, such as `orders.example.com`: `url` has it. None: the load balancer's own name, which no
    certificate fits."""
    zone_id: pulumi.Input[str] | None = None
    """Route 53 hosted zone that gets the domain's alias record and what validates its certificate. None: DNS is served elsewhere;
    then the domain needs a `certificate_arn`, and a record of yours that leads to `dns_name`."""
    certificate_arn: str | None = None
    """ACM certificate: the live listener speaks HTTPS on 443 and port 80 redirects to it. None: with a domain, one is requested
    and validated in its zone; without, HTTP on 80."""
    internal: bool = False
    """Give it private addresses only."""
    deregistration_delay_seconds: int = DEREGISTRATION_DELAY_SECONDS
    """Seconds for which a removed target may finish its requests, 0 to 3600. Above the slowest request; the pods' grace period
    contains it."""
    protect: bool = False
    """Refuse to delete the load balancer: its DNS name cannot be had back. Needs a certificate or a domain."""
    allow_http: bool = False
    """Protect a load balancer that has no certificate: its users' requests can be read and changed on the way."""

    def __post_init__(self) -> None:
        if set(self.weights) != set(COLOURS) or not all(
            0 <= weight <= MAXIMUM_WEIGHT for weight in self.weights.values()
        ):
            raise ArgsError("weights", got=dict(self.weights), want=f"blue and green, each 0 to {MAXIMUM_WEIGHT}")
        if self.test_colour not in COLOURS:
            raise ArgsError("test_colour", got=self.test_colour, want="blue or green")
        if not 0 <= self.deregistration_delay_seconds <= 3600:
            raise ArgsError("deregistration_delay_seconds", got=self.deregistration_delay_seconds, want="0 to 3600")
        if self.domain is not None:
            check_domain(self.domain)
        if self.domain is None and self.zone_id is not None:
            raise ArgsError("domain", got=None, want="the name whose records zone_id gets")
        if self.domain is not None and self.zone_id is None and self.certificate_arn is None:
            raise ArgsError("zone_id", got=None, want="the domain's hosted zone, or a certificate_arn")
        if self.protect and not self.has_certificate and not self.allow_http:
            want = "a certificate, or a domain for which one is made, where protect is true; or allow_http"
            raise ArgsError("certificate_arn", got=None, want=want)
        if not 1 <= self.test_priority <= LARGEST_PRIORITY:
            raise ArgsError("test_priority", got=self.test_priority, want=f"1 to {LARGEST_PRIORITY}")
        check_cidrs("live_cidrs", self.live_cidrs)

    @property
    def has_certificate(self) -> bool:
        """Whether the live listener speaks HTTPS."""
        return self.certificate_arn is not None or self.domain is not None


def check_name(name: str) -> None:
    """Raises ArgsError when AWS would refuse the load balancer's name; those of its target groups are within the same limit."""
    if len(name) > LONGEST_NAME:
        limit = f"{LONGEST_NAME} characters at most: AWS allows {MAXIMUM_NAME} for a load balancer"
        raise ArgsError("name", got=name, want=f"{limit}, and Pulumi adds {GENERATED_SUFFIX}")


class LoadBalancer(pulumi.ComponentResource):
    """An ALB with a blue and a green target group, a live listener that divides requests between them, and a test route.

    The test route is a rule of the live listener: requests whose header `X-Slipway-Test` has a value that is made with the load
    balancer go to one colour, which a release is tried on before anybody else sees it. Whoever reaches the service and may read the
    rule (`elasticloadbalancing:DescribeRules`) can do so; the value is a secret in the state, and no output.

    Creates: ALB (about 16 USD a month before traffic), two target groups, one or two listeners, a listener rule, a security group,
    and a rule in that of the pods; with a domain an ACM certificate (free) and Route 53 records.
    Not: WAF, access logs, the hosted zone.
    Outputs: dns_name, url, ARNs of listener, test rule and target groups, security_group_id - known after apply.
    Errors: ArgsError on name (over 24 characters), weights, test_colour, test_priority, deregistration_delay_seconds, domain, zone_id,
    certificate_arn and CIDRs, before any resource.
    Promises: target groups are called `<name>-blue` and `<name>-green` (those made before November 2026 keep their names) and are
    never replaced for a port. What the live listener forwards to is set when it is made or replaced, and never changed by an `up`.
    A certificate can be added while requests are served; taking it away replaces the live listener, which is gone for some seconds.
    """

    arn: pulumi.Output[str]
    dns_name: pulumi.Output[str]
    url: pulumi.Output[str]
    listener_arn: pulumi.Output[str]
    test_rule_arn: pulumi.Output[str]
    target_group_arns: dict[str, pulumi.Output[str]]
    security_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check_name(name)
        super().__init__("slipway:index:LoadBalancer", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        group = self._doors(args)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            internal=args.internal,
            subnets=args.subnet_ids,
            security_groups=[group.id],
            drop_invalid_header_fields=True,
            enable_deletion_protection=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.target_groups = {colour: self._target_group(colour, args) for colour in COLOURS}
        live = self._live_listener(args, balancer)
        test = self._test_route(args, live)
        if args.domain is not None and args.zone_id is not None:
            point_domain(name, args.domain, args.zone_id, balancer, self._child)
        self.arn = balancer.arn
        self.dns_name = balancer.dns_name
        self.url = pulumi.Output.format(
            "{}://{}", "https" if args.has_certificate else "http", args.domain or balancer.dns_name
        )
        self.listener_arn = live.arn
        self.test_rule_arn = test.arn
        self.security_group_id = group.id
        self.target_group_arns = {colour: target.arn for colour, target in self.target_groups.items()}
        self.register_outputs(
            {
                "arn": self.arn,
                "dnsName": self.dns_name,
                "url": self.url,
                "listenerArn": self.listener_arn,
                "testRuleArn": self.test_rule_arn,
                "targetGroupArns": self.target_group_arns,
                "securityGroupId": self.security_group_id,
            }
        )

    def _doors(self, args: LoadBalancerArgs) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-doors", description=f"Load balancer {self._name}", vpc_id=args.vpc_id, opts=self._child
        )
        live_ports = (80, 443) if args.has_certificate else (80,)
        for port, cidr in [(port, cidr) for port in live_ports for cidr in args.live_cidrs]:
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-live-{port}-{cidr.replace('/', '_')}",
                security_group_id=group.id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description="live listener",
                opts=self._child,
            )
        ports = [args.target_port, *args.other_ports]
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-to-pods",
            security_group_id=group.id,
            referenced_security_group_id=args.pods_security_group_id,
            ip_protocol="tcp",
            from_port=min(ports),
            to_port=max(ports),
            description="requests and health checks to the pods",
            # Made before November 2026, it led everywhere; a rule does not change from a network to a group.
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(replace_on_changes=["cidrIpv4"])),
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-pods",
            security_group_id=args.pods_security_group_id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=min(ports),
            to_port=max(ports),
            description=f"requests and health checks of the load balancer {self._name}",
            opts=self._child,
        )
        return group

    def _target_group(self, colour: str, args: LoadBalancerArgs) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-{colour}",
            name=f"{self._name}-{colour}",
            vpc_id=args.vpc_id,
            port=args.target_port,
            protocol="HTTP",
            target_type="ip",
            deregistration_delay=args.deregistration_delay_seconds,
            tags=None if args.cluster_name is None else {CLUSTER_TAG: args.cluster_name},
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                path=args.health_check_path,
                matcher="200",
                interval=5,
                timeout=3,
                healthy_threshold=2,
                unhealthy_threshold=2,
            ),
            # Both replace a target group, which a listener in use does not allow.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name", "port"]),
        )

    def _live_listener(self, args: LoadBalancerArgs, balancer: aws.lb.LoadBalancer) -> aws.lb.Listener:
        shares = aws.lb.ListenerDefaultActionForwardArgs(
            target_groups=[
                aws.lb.ListenerDefaultActionForwardTargetGroupArgs(
                    arn=self.target_groups[colour].arn, weight=args.weights[colour]
                )
                for colour in COLOURS
            ]
        )
        forward = aws.lb.ListenerDefaultActionArgs(type="forward", forward=shares)
        # The whole action, not its weights alone: target groups are a set to AWS, so paths by index could mix the weights up.
        moved_by_rollouts = pulumi.ResourceOptions(parent=self, ignore_changes=["defaultActions"])
        if not args.has_certificate:
            return aws.lb.Listener(
                f"{self._name}-live",
                load_balancer_arn=balancer.arn,
                port=80,
                protocol="HTTP",
                default_actions=[forward],
                opts=pulumi.ResourceOptions.merge(
                    moved_by_rollouts,
                    # One that had HTTPS goes, and its redirect with it: an update would want port 80 while the redirect has it.
                    pulumi.ResourceOptions(replace_on_changes=["protocol"], delete_before_replace=True),
                ),
            )
        live = aws.lb.Listener(
            f"{self._name}-live",
            load_balancer_arn=balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._certificate_arn(args),
            default_actions=[forward],
            opts=moved_by_rollouts,
        )
        # A live listener that was on port 80 has to leave it first. The balancer's ARN is the live listener's: when that goes, this does.
        aws.lb.Listener(
            f"{self._name}-redirect",
            load_balancer_arn=live.load_balancer_arn,
            port=80,
            protocol="HTTP",
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="redirect",
                    redirect=aws.lb.ListenerDefaultActionRedirectArgs(
                        port="443", protocol="HTTPS", status_code="HTTP_301"
                    ),
                )
            ],
            opts=self._child,
        )
        return live

    def _test_route(self, args: LoadBalancerArgs, live: aws.lb.Listener) -> aws.lb.ListenerRule:
        header = aws.lb.ListenerRuleConditionHttpHeaderArgs(
            http_header_name=TEST_HEADER,
            values=[pulumi.Output.secret(secrets.token_urlsafe(TEST_SECRET_BYTES))],
        )
        forward = aws.lb.ListenerRuleActionArgs(
            type="forward", target_group_arn=self.target_groups[args.test_colour].arn
        )
        return aws.lb.ListenerRule(
            f"{self._name}-test",
            listener_arn=live.arn,
            priority=args.test_priority,
            conditions=[aws.lb.ListenerRuleConditionArgs(http_header=header)],
            actions=[forward],
            # Made once: the value of each later run is ignored.
            opts=pulumi.ResourceOptions(
                parent=self, ignore_changes=["conditions"], additional_secret_outputs=["conditions"]
            ),
        )

    def _certificate_arn(self, args: LoadBalancerArgs) -> pulumi.Input[str] | None:
        if args.certificate_arn is not None or args.domain is None or args.zone_id is None:
            return args.certificate_arn
        return issue_certificate(self._name, args.domain, args.zone_id, self._child)
