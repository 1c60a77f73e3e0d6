"""What tells people that something is wrong, and shows them where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pulumi
import pulumi_aws as aws

from .dashboard import render_dashboard
from .errors import ArgsError
from .load_balancer import COLOURS


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is watched and who is told."""

    service: str
    """The service's name, for the dashboard's titles."""
    region: str
    """Whose metrics the dashboard shows."""
    load_balancer_arn: pulumi.Input[str]
    """The load balancer whose metrics are watched."""
    target_group_arns: Mapping[str, pulumi.Input[str]]
    """Target groups by colour."""
    database_identifier: pulumi.Input[str]
    """The RDS instance whose metrics are watched."""
    key_arn: pulumi.Input[str]
    """KMS key of notifications. Its policy must admit CloudWatch, or alarms are never delivered."""
    alarms: bool = False
    """Create the alarms. Needs a subscriber."""
    running_colours: Sequence[str] = COLOURS
    """Colours that have pods. The alarm on healthy pods of another colour exists, and notifies of nothing."""
    subscriber_emails: Sequence[str] = ()
    """Who gets the alarms by mail; each has to confirm once."""
    subscriber_urls: Sequence[str] = ()
    """Where SNS posts the alarms, over HTTPS; each endpoint has to confirm once."""
    maximum_server_errors: int = 10
    """Alarm above so many 5xx answers in a minute, of the pods or of the load balancer itself, two minutes in a row."""
    maximum_p99_seconds: float = 1.0
    """Alarm when one in a hundred requests takes longer, three minutes in a row."""
    minimum_free_storage_gib: int = 2
    """Alarm when the database has less free storage, in GiB. RDS grows storage once 10 percent or less is free."""
    minimum_free_memory_mib: int = 64
    """Alarm when the database has less freeable memory, in MiB, five minutes in a row."""
    maximum_connections: int = 70
    """Alarm above so many connections to the database, five minutes in a row. A db.t4g.micro takes about 80."""

    def __post_init__(self) -> None:
        if self.alarms and not (self.subscriber_emails or self.subscriber_urls):
            raise ArgsError("alarms", got=True, want="a subscriber beside it, or nobody hears of an alarm")
        for url in self.subscriber_urls:
            if not url.startswith("https://"):
                raise ArgsError("subscriber_urls", got=url, want="URLs that begin with https://")


class Monitoring(pulumi.ComponentResource):
    """A topic for alarms and releases, a dashboard, and alarms on errors, latency, healthy pods and the database.

    Creates: CloudWatch dashboard and alarms (0.10 USD each a month), encrypted SNS topic.
    Not: tracing, log shipping from pods.
    Outputs: topic_arn - known after apply.
    Errors: ArgsError on alarms (without a subscriber) and subscriber_urls, before any resource.
    """

    topic_arn: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Monitoring", name, None, opts)
        self._name = name
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(f"{name}-events", kms_master_key_id=args.key_arn, opts=child)
        subscribers = {email: ("email", email) for email in args.subscriber_emails}
        # An address may hold a key: it must not be in a resource's name.
        subscribers |= {sha256(url.encode()).hexdigest()[:8]: ("https", url) for url in args.subscriber_urls}
        for key, (protocol, endpoint) in subscribers.items():
            aws.sns.TopicSubscription(
                f"{name}-{key}", topic=topic.arn, protocol=protocol, endpoint=endpoint, opts=child
            )
        self._balancer = pulumi.Output.from_input(args.load_balancer_arn).apply(_load_balancer_dimension)
        self._groups = {
            colour: pulumi.Output.from_input(arn).apply(lambda text: text.rsplit(":", 1)[-1])
            for colour, arn in args.target_group_arns.items()
        }
        aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=name,
            dashboard_body=render_dashboard(
                service=args.service,
                region=args.region,
                load_balancer=self._balancer,
                target_groups=self._groups,
                database=args.database_identifier,
            ),
            opts=child,
        )
        if args.alarms:
            self._alarms(topic)
        self.topic_arn = topic.arn
        self.register_outputs({"topicArn": self.topic_arn})

    def _alarms(self, topic: aws.sns.Topic) -> None:
        args = self._args
        for colour, group in self._groups.items():
            dimensions = {"LoadBalancer": self._balancer, "TargetGroup": group}
            self._alarm(
                f"{colour}-errors",
                topic,
                description=f"More than {args.maximum_server_errors} server errors a minute from {colour}",
                metric=("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum"),
                dimensions=dimensions,
                above=args.maximum_server_errors,
                periods=2,
            )
            self._alarm(
                f"{colour}-latency",
                topic,
                description=f"One in a hundred requests to {colour} takes over {args.maximum_p99_seconds} s",
                metric=("AWS/ApplicationELB", "TargetResponseTime", "p99"),
                dimensions=dimensions,
                above=args.maximum_p99_seconds,
                periods=3,
            )
            self._alarm(
                f"{colour}-healthy",
                topic,
                description=f"No pod of {colour} is healthy at the load balancer",
                metric=("AWS/ApplicationELB", "HealthyHostCount", "Maximum"),
                dimensions=dimensions,
                below=1,
                periods=3,
                # Pods that are not ready are deregistered, and a target group without targets has no metrics.
                missing="breaching",
                notify=colour in args.running_colours,
            )
        # What the load balancer answers itself (502, 503, 504): all there is to see of an outage of all pods.
        self._alarm(
            "load-balancer-errors",
            topic,
            description=f"The load balancer answers more than {args.maximum_server_errors} requests a minute with an error",
            metric=("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum"),
            dimensions={"LoadBalancer": self._balancer},
            above=args.maximum_server_errors,
            periods=2,
        )
        self._database_alarms(topic)

    def _database_alarms(self, topic: aws.sns.Topic) -> None:
        args = self._args
        limits: dict[str, tuple[str, str, float | None, float | None]] = {
            "cpu": ("CPUUtilization", "CPU is above 85 percent", 85, None),
            "connections": (
                "DatabaseConnections",
                f"connections are more than {args.maximum_connections}",
                args.maximum_connections,
                None,
            ),
            "memory": (
                "FreeableMemory",
                f"freeable memory is below {args.minimum_free_memory_mib} MiB",
                None,
                args.minimum_free_memory_mib * 1024**2,
            ),
            "storage": (
                "FreeStorageSpace",
                f"free storage is below {args.minimum_free_storage_gib} GiB",
                None,
                args.minimum_free_storage_gib * 1024**3,
            ),
        }
        for role, (metric_name, says, above, below) in limits.items():
            self._alarm(
                f"database-{role}",
                topic,
                description=f"The database's {says}",
                metric=("AWS/RDS", metric_name, "Average"),
                dimensions={"DBInstanceIdentifier": args.database_identifier},
                above=above,
                below=below,
                periods=5,
            )

    def _alarm(
        self,
        role: str,
        topic: aws.sns.Topic,
        *,
        description: str,
        metric: tuple[str, str, str],
        dimensions: Mapping[str, pulumi.Input[str]],
        periods: int,
        above: float | None = None,
        below: float | None = None,
        missing: str = "notBreaching",
        notify: bool = True,
    ) -> None:
        """An alarm on one limit. Missing data is good by default: an idle colour answers nothing."""
        namespace, metric_name, statistic = metric
        percentile = statistic.startswith("p")
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{role}",
            alarm_description=description,
            namespace=namespace,
            metric_name=metric_name,
            statistic=None if percentile else statistic,
            extended_statistic=statistic if percentile else None,
            dimensions=dimensions,
            comparison_operator="GreaterThanThreshold" if below is None else "LessThanThreshold",
            threshold=above if below is None else below,
            period=60,
            evaluation_periods=periods,
            treat_missing_data=missing,
            actions_enabled=notify,
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _load_balancer_dimension(arn: str) -> str:
    """`app/<name>/<id>`, as CloudWatch names a load balancer, from its ARN."""
    return arn.split(":loadbalancer/", 1)[-1]
