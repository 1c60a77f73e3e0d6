"""Evaluates moto's metric alarms, which moto only stores, and publishes what changed to SNS."""
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# moto is not typed strictly.

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.sns.models import sns_backends

from slipway.log import get_logger
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.service_access import CLOUDWATCH, may_publish
from slipway.sandbox.aws.world import world
from slipway.sandbox.traffic.alarms import COMPARISONS, AlarmRule, Verdict, judge, last_periods
from slipway.sandbox.traffic.metrics import Metrics, by_period
from slipway.sandbox.traffic.moto_hooks.cloudwatch import points_of, series_of
from slipway.sandbox.traffic.moto_hooks.patching import Method, Patches

log = get_logger(__name__)


@dataclass(frozen=True)
class Notice:
    """A message to a topic."""

    alarm_arn: str
    topic_arn: str
    subject: str
    message: str


def install(patches: Patches) -> None:
    """Refuse alarms that nobody would evaluate, and begin as AWS does."""
    patches.replace(CloudWatchBackend, "put_metric_alarm", _put_metric_alarm)


def evaluate_alarms(metrics: Metrics) -> None:
    """One round over all accounts and regions."""
    notices: list[Notice] = []
    with API_LOCK:
        backends: list[Any] = [backend for _, _, backend in list(cloudwatch_backends.iter_backends())]
        for backend in backends:
            alarms: list[Any] = list(backend.alarms.values())
            for alarm in alarms:
                if alarm.metric_name and not alarm.rule:
                    notices += _evaluate(backend, alarm, metrics)
        if notices:
            world().save("cloudwatch")
    # Without the lock: a subscription over HTTP may take its time, or call this API.
    for notice in notices:
        _publish(notice)


def _put_metric_alarm(original: Method, self: Any, *args: Any, **kwargs: Any) -> Alarm:
    if kwargs.get("rule"):
        raise ValidationError("The sandbox does not support composite alarms (AlarmRule).")
    if kwargs.get("metric_data_queries"):
        raise ValidationError("The sandbox does not support alarms on metric math (Metrics).")
    if kwargs.get("comparison_operator") not in COMPARISONS:
        raise ValidationError(f"The sandbox does not support '{kwargs.get('comparison_operator')}'.")
    before = self.alarms.get(kwargs.get("name"))
    alarm: Any = original(self, *args, **kwargs)
    alarm.state_value = "INSUFFICIENT_DATA"
    if before is not None:
        # AWS: an update of an alarm leaves its state as it is.
        for name in ("history", "state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
            setattr(alarm, name, getattr(before, name))
    return alarm


def _evaluate(backend: Any, alarm: Any, metrics: Metrics) -> list[Notice]:
    """Change the alarm's state when its data says so; what is to be published then."""
    if alarm.comparison_operator not in COMPARISONS:
        return []
    count, period = int(alarm.evaluation_periods), int(alarm.period)
    rule = AlarmRule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=count,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or count),
        treat_missing_data=alarm.treat_missing_data or "missing",
    )
    # CloudWatch looks back for the latest data that there is.
    start, end = last_periods(time.time() - metrics.delay_seconds(str(alarm.namespace)), period, count)
    named = [{"Name": row.name, "Value": row.value} for row in alarm.dimensions]
    wanted = series_of(backend, alarm.namespace, alarm.metric_name, named)
    found = by_period(points_of(backend, metrics, wanted, (start, end), alarm.unit), start, period)
    statistic = alarm.extended_statistic or alarm.statistic
    values = [
        found[begin].statistic(statistic) if begin in found else None for begin in range(start, end, period)
    ]  # fmt: skip
    verdict = judge(rule, values, alarm.state_value)
    if verdict.state == alarm.state_value:
        return []
    before = alarm.state_value
    data = {
        "version": "1.0",
        "period": period,
        "statistic": statistic,
        "recentDatapoints": values,
        "threshold": rule.threshold,
    }
    alarm.update_state(verdict.reason, json.dumps(data), verdict.state)
    log.info("alarm", name=alarm.name, before=before, now=verdict.state)
    actions = {
        "ALARM": alarm.alarm_actions,
        "OK": alarm.ok_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }[verdict.state]
    message = json.dumps(_message(backend, alarm, verdict, before, statistic))
    subject = f'{verdict.state}: "{alarm.name}" in {backend.region_name}'[:100]
    for arn in actions if alarm.actions_enabled else ():
        if ":sns:" not in arn:
            log.warning("alarm action is not supported; only SNS topics are", alarm=alarm.name, action=arn)
    if not alarm.actions_enabled:
        actions = []
    # Without actions there is nothing to send, but a change to save: a notice to no topic.
    own = str(alarm.alarm_arn)
    return [Notice(own, arn, subject, message) for arn in actions if ":sns:" in arn] or [
        Notice(own, "", subject, message)
    ]


def _message(backend: Any, alarm: Any, verdict: Verdict, before: str, statistic: str) -> dict[str, Any]:
    """As CloudWatch writes it to a topic."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "NewStateValue": verdict.state,
        "NewStateReason": verdict.reason,
        "StateChangeTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        "Region": backend.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": statistic,
            "Dimensions": [{"name": row.name, "value": row.value} for row in alarm.dimensions],
            "Period": int(alarm.period),
            "EvaluationPeriods": int(alarm.evaluation_periods),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": float(alarm.threshold),
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }


def _publish(notice: Notice) -> None:
    if not notice.topic_arn:
        return
    parts = notice.topic_arn.split(":")
    try:
        with API_LOCK:
            allowed = may_publish(CLOUDWATCH, notice.topic_arn, notice.alarm_arn)
        if not allowed:
            return
        sns_backends[parts[4]][parts[3]].publish(notice.message, notice.topic_arn, subject=notice.subject)
        world().save("sns")
        world().save("sqs")
    except Exception:
        # A topic that is gone must not keep the other notices back.
        log.exception("an alarm could not be published", topic=notice.topic_arn)
