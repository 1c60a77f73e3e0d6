"""What an account may cost a month, and who hears that it costs more."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from .encryption_key import build_key
from .policy_document import Conditions, allow, render

BUDGETS = {"Service": "budgets.amazonaws.com"}
LIMITS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""What is told, in percent of the budget."""


@dataclass(frozen=True, kw_only=True)
class BudgetAlarmArgs:
    """An account's budget."""

    account_id: str
    """The account. AWS Budgets tells topics of the same account only."""
    usd_per_month: int
    """What it may cost a month, in USD."""
    subscriber_emails: Sequence[str]
    """Who is told. Each has to confirm a message of SNS once."""

    def __post_init__(self) -> None:
        if self.usd_per_month < 1:
            raise ArgsError("usd_per_month", got=self.usd_per_month, want="1 or more")
        if not self.subscriber_emails:
            raise ArgsError("subscriber_emails", got=[], want="one address or more")


class BudgetAlarm(pulumi.ComponentResource):
    """A monthly budget whose alarms go to an encrypted topic: at 80 and 100 percent, and when 100 percent are foreseen.

    Creates: budget (nothing for the first two of an account), SNS topic with its subscriptions, KMS key.
    Not: a limit. Nothing is stopped.
    Outputs: topic_arn - known after apply.
    Errors: ArgsError on usd_per_month and subscriber_emails, before any resource.
    """

    topic_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BudgetAlarmArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:BudgetAlarm", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        here: Conditions = {"StringEquals": {"aws:SourceAccount": args.account_id}}
        key = build_key(
            name,
            purpose="Messages about costs",
            account_id=args.account_id,
            statements=[allow("Budgets", ["kms:Decrypt", "kms:GenerateDataKey*"], principal=BUDGETS, conditions=here)],
            opts=child,
        )
        topic = aws.sns.Topic(f"{name}-alarms", kms_master_key_id=key.arn, opts=child)
        policy = aws.sns.TopicPolicy(
            f"{name}-access",
            arn=topic.arn,
            policy=topic.arn.apply(
                lambda arn: render([allow("Budgets", ["sns:Publish"], [arn], principal=BUDGETS, conditions=here)])
            ),
            opts=child,
        )
        for email in args.subscriber_emails:
            aws.sns.TopicSubscription(f"{name}-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=child)
        aws.budgets.Budget(
            f"{name}-budget",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.usd_per_month),
            limit_unit="USD",
            notifications=[
                aws.budgets.BudgetNotificationArgs(
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    comparison_operator="GREATER_THAN",
                    subscriber_sns_topic_arns=[topic.arn],
                )
                for kind, percent in LIMITS
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.topic_arn = topic.arn
        self.register_outputs({"topicArn": self.topic_arn})
