"""What tells people that something is wrong, and shows them where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .dashboard import render_dashboard
from .errors import ArgsError

RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""What CloudWatch Logs accepts; source: PutRetentionPolicy API page, 2026."""


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
    """KMS key of logs and notifications."""
    alarms: bool = False
    """Create the alarms. Off where nobody is to be woken."""
    log_retention_days: int = 30
    """Days for which logs are kept; one of the values that CloudWatch accepts."""
    subscriber_emails: Sequence[str] = ()
    """Who gets the alarms by mail; each has to confirm once."""
    maximum_server_errors: int = 10
    """Alarm above so many 5xx answers of the pods in a minute, two minutes in a row."""
    maximum_p99_seconds: float = 1.0
    """Alarm when one in a hundred requests takes longer, three minutes in a row."""

    def __post_init__(self) -> None:
        if self.log_retention_days not in RETENTION_DAYS:
            raise ArgsError("log_retention_days", got=self.log_retention_days, want=f"one of {RETENTION_DAYS}")


class Monitoring(pulumi.ComponentResource):
    """A log group, a topic for alarms and releases, a dashboard, and alarms on errors, latency, health and the database.

    Creates: CloudWatch log group, dashboard and alarms (0.10 USD each a month), SNS topic.
    Not: tracing, log shipping from pods.
    Outputs: topic_arn, log_group_name - known after apply.
    Errors: ArgsError on log_retention_days, before any resource.
    """

    topic_arn: pulumi.Output[str]
    log_group_name: pulumi.Output[str]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Monitoring", name, None, opts)
        self._name = name
        self._args = args
        child = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-logs", name=f"/slipway/{name}", retention_in_days=args.log_retention_days, opts=child
        )
        topic = aws.sns.Topic(f"{name}-events", kms_master_key_id=args.key_arn, opts=child)
        for email in args.subscriber_emails:
            aws.sns.TopicSubscription(f"{name}-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=child)
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
        self.log_group_name = logs.name
        self.register_outputs({"topicArn": self.topic_arn, "logGroupName": self.log_group_name})

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
                threshold=args.maximum_server_errors,
                periods=2,
            )
            self._alarm(
                f"{colour}-latency",
                topic,
                description=f"One in a hundred requests to {colour} takes over {args.maximum_p99_seconds} s",
                metric=("AWS/ApplicationELB", "TargetResponseTime", "p99"),
                dimensions=dimensions,
                threshold=args.maximum_p99_seconds,
                periods=3,
            )
            self._alarm(
                f"{colour}-unhealthy",
                topic,
                description=f"A pod of {colour} fails its health checks",
                metric=("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum"),
                dimensions=dimensions,
                threshold=0,
                periods=3,
            )
        self._alarm(
            "database-cpu",
            topic,
            description="The database's CPU is above 85 percent",
            metric=("AWS/RDS", "CPUUtilization", "Average"),
            dimensions={"DBInstanceIdentifier": args.database_identifier},
            threshold=85,
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
        threshold: float,
        periods: int,
    ) -> None:
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
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            period=60,
            evaluation_periods=periods,
            # An idle colour answers nothing: silence is its normal state. Whether a release had enough traffic is judged elsewhere.
            treat_missing_data="notBreaching",
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _load_balancer_dimension(arn: str) -> str:
    """`app/<name>/<id>`, as CloudWatch names a load balancer, from its ARN."""
    return arn.split(":loadbalancer/", 1)[-1]
