"""What AWS refuses by its documentation alone: limits that botocore's model does not have, and moto does not know.

Source of each, where none is named: the documentation of the parameter in the service's API reference, which botocore's model carries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from slipway.sandbox.aws.refused_parameters import Refusal
from slipway.sandbox.names import is_address

Given = Mapping[str, Any]

BUCKET_NAME = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RESERVED_BUCKET_PREFIXES = ("amzn-s3-demo-", "sthree-", "xn--")
RESERVED_BUCKET_SUFFIXES = ("--ol-s3", "--table-s3", "--x-s3", "-s3alias", ".mrap")
"""Source: "General purpose bucket naming rules", Amazon S3 user guide, 2026."""
GROUP_TEXT = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
"""Names and descriptions of security groups and of their rules."""
GROUP_CHARACTERS = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
STATUS_CODES = re.compile(r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*")
QUEUE_NUMBERS: Mapping[str, tuple[int, int]] = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
"""Source: "Naming rules", Amazon DynamoDB developer guide, 2026."""
SHORT_PERIODS = (10, 20, 30)
MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 604_800
DASHBOARD_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
ARN = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400),
    *(545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
SECRET_NAME = re.compile(r"[a-zA-Z0-9/_+=.@!-]+")
INSTANCE_CLASS = re.compile(r"db\.(serverless|[a-z0-9-]+\.[a-z0-9-]+)")
INSTANCE_NAMES = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}")
RESERVED_MASTER_NAMES = re.compile(r"admin|(pg_|rds).*", re.IGNORECASE)
"""By RDS for PostgreSQL and by PostgreSQL itself; moto knows those of all engines.
Source: the error itself, aws/aws-cdk#5076, aws-cloudformation/cfn-lint#4425."""
PASSWORD = re.compile(r"[!#-.0-?A-~]{8,128}")
"""Printable, without `/`, `"`, `@` and space."""
STORAGE_GIB: Mapping[str, tuple[int, int]] = {
    "gp2": (20, 65_536),
    "gp3": (20, 65_536),
    "io1": (100, 65_536),
    "io2": (100, 65_536),
    "standard": (5, 3_072),
}
LONGEST_BACKUP_DAYS = 35
MONITORING_SECONDS = (0, 1, 5, 10, 15, 30, 60)
WINDOW = re.compile(r"(?:[a-z]{3}:)?([01]\d|2[0-3]):([0-5]\d)-(?:[a-z]{3}:)?([01]\d|2[0-3]):([0-5]\d)", re.IGNORECASE)
SHORTEST_WINDOW_MINUTES = 30
COMMON_NAME_OCTETS = 64
DOMAIN_LABEL = re.compile(r"[!-~]{1,63}")
LONGEST_DOMAIN = 255
"""Source of both: "DNS domain name format", Amazon Route 53 developer guide, 2026."""
ENDPOINTS: Mapping[str, re.Pattern[str]] = {
    "email": re.compile(r"[^@\s]+@[^@\s]+"),
    "email-json": re.compile(r"[^@\s]+@[^@\s]+"),
    "http": re.compile(r"http://\S+"),
    "https": re.compile(r"https://\S+"),
    "lambda": ARN,
    "sqs": ARN,
}


def refuse_beyond_limits(service: str, operation: str, given: Given) -> Refusal | None:
    """The refusal of a call of botocore's `service` whose parameters its model allows; None for others."""
    check = CHECKS.get((service, operation))
    return next(check(given), None) if check else None


def _part(given: Given, name: str) -> Given:
    """A structure in it; an empty one where it is not given."""
    return given.get(name) or {}


def _parts(given: Given, name: str) -> Sequence[Given]:
    """A list of structures in it."""
    return given.get(name) or ()


def _bucket(given: Given) -> Iterator[Refusal]:
    name = str(given.get("Bucket", ""))
    reserved = name.startswith(RESERVED_BUCKET_PREFIXES) or name.endswith(RESERVED_BUCKET_SUFFIXES)
    if reserved or not BUCKET_NAME.fullmatch(name) or is_address(name):
        yield Refusal("InvalidBucketName", "The specified bucket is not valid.")


def _target_group(given: Given) -> Iterator[Refusal]:
    codes, path = _part(given, "Matcher").get("HttpCode"), given.get("HealthCheckPath")
    if codes is not None and not STATUS_CODES.fullmatch(codes):
        yield Refusal("", f"Health check matcher HTTP code '{codes}' must be within the range 200-499")
    if path is not None and not path.startswith("/"):
        yield Refusal("", f"Health check path '{path}' must begin with a '/' character")


def _load_balancer(given: Given) -> Iterator[Refusal]:
    name = str(given.get("Name", ""))
    if name.startswith("internal-"):
        yield Refusal("", f"The load balancer name '{name}' cannot begin with 'internal-'")
    subnets = given.get("Subnets") or [each.get("SubnetId") for each in _parts(given, "SubnetMappings")]
    if given.get("Type", "application") == "application" and len(set(subnets)) < 2:
        yield Refusal("", "At least two subnets in two different Availability Zones must be specified")


def _queue(given: Given) -> Iterator[Refusal]:
    attributes = _part(given, "Attributes")
    for name, limits in QUEUE_NUMBERS.items():
        if name in attributes and not _is_within(attributes[name], limits):
            yield Refusal("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def _is_within(value: object, limits: tuple[int, int]) -> bool:
    """Whether a text is a whole number from the least to the most."""
    text = str(value)
    return text.isascii() and text.isdigit() and limits[0] <= int(text) <= limits[1]


def _security_group(given: Given) -> Iterator[Refusal]:
    name, text = str(given.get("GroupName", "")), str(given.get("Description", ""))
    if name.lower().startswith("sg-") or not GROUP_TEXT.fullmatch(name):
        allowed = f"strings less than 256 characters from the following set, not in the form sg-*: {GROUP_CHARACTERS}"
        yield Refusal("InvalidParameterValue", f"Value ({name}) for parameter GroupName is invalid: {allowed}")
    if not GROUP_TEXT.fullmatch(text):
        allowed = f"Valid descriptions are strings less than 256 characters from the following set: {GROUP_CHARACTERS}"
        yield Refusal("InvalidParameterValue", f"Invalid security group description. {allowed}")


def _group_rules(given: Given) -> Iterator[Refusal]:
    rules = [_part(each, "SecurityGroupRule") for each in _parts(given, "SecurityGroupRules")]
    for permission in _parts(given, "IpPermissions"):
        for peers in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
            rules += _parts(permission, peers)
    if any(not GROUP_TEXT.fullmatch(rule.get("Description") or "") for rule in rules):
        allowed = f"Valid descriptions are strings less than 256 characters from the following set: {GROUP_CHARACTERS}"
        yield Refusal("InvalidParameterValue", f"Invalid rule description. {allowed}")


def _table(given: Given) -> Iterator[Refusal]:
    if not TABLE_NAME.fullmatch(str(given.get("TableName", "")).rpartition(":table/")[2]):
        text = "between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
        yield Refusal("", f"Invalid table/index name. Table/index names must be {text}")


def _alarm(given: Given) -> Iterator[Refusal]:
    metrics: list[Given] = [given, *_parts(given, "Metrics")]
    metrics += [_part(each, "MetricStat") for each in metrics]
    periods = [int(each["Period"]) for each in metrics if each.get("Period") is not None]
    count, total = int(given.get("EvaluationPeriods") or 1), max(periods, default=0)
    if any(each not in SHORT_PERIODS and (each % MINUTE or not each) for each in periods):
        yield Refusal("", "The period of a metric must be 10, 20, 30 or a multiple of 60 seconds")
    if total * count > (WEEK if total >= HOUR else DAY):
        yield Refusal(
            "", "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)"
        )
    if int(given.get("DatapointsToAlarm") or 1) > count:
        yield Refusal("", "DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if given.get("Statistic") and given.get("ExtendedStatistic"):
        yield Refusal("InvalidParameterCombination", "Statistic and ExtendedStatistic cannot both be given")
    for name in ("AlarmActions", "InsufficientDataActions", "OKActions"):
        for action in given.get(name) or ():
            if not ARN.fullmatch(str(action)):
                yield Refusal("", f"Invalid arn syntax: {action}")


def _dashboard(given: Given) -> Iterator[Refusal]:
    name = str(given.get("DashboardName", ""))
    if not DASHBOARD_NAME.fullmatch(name):
        text = "must be up to 255 characters of A-Z, a-z, 0-9, - and _"
        yield Refusal("InvalidParameterInput", f"The value {name} for field DashboardName {text}")


def _retention(given: Given) -> Iterator[Refusal]:
    if given.get("retentionInDays") not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        text = f"failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]"
        yield Refusal(
            "InvalidParameterException", f"Value '{given.get('retentionInDays')}' at 'retentionInDays' {text}"
        )


def _secret(given: Given) -> Iterator[Refusal]:
    if not SECRET_NAME.fullmatch(str(given.get("Name", ""))):
        text = "a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"
        yield Refusal("ValidationException", f"Invalid name. Must be {text}")


def _database(given: Given) -> Iterator[Refusal]:
    wrong = "InvalidParameterValue"
    if (size := given.get("DBInstanceClass")) is not None and not INSTANCE_CLASS.fullmatch(size):
        yield Refusal(wrong, f"Invalid DB Instance class: {size}")
    engine, master = str(given.get("Engine") or "postgres"), given.get("MasterUsername")
    if master is not None and RESERVED_MASTER_NAMES.fullmatch(master) and "postgres" in engine:
        yield Refusal(wrong, f"MasterUsername {master} cannot be used as it is a reserved word used by the engine")
    for name in ("MasterUsername", "DBName"):
        if given.get(name) is not None and not INSTANCE_NAMES.fullmatch(given[name]):
            yield Refusal(
                wrong, f"{name} must begin with a letter and contain only alphanumeric characters or underscores."
            )
    storage, kind = given.get("AllocatedStorage"), given.get("StorageType") or "gp2"
    least, most = STORAGE_GIB.get(kind, (0, STORAGE_GIB["gp3"][1]))
    if storage is not None and not engine.startswith("aurora") and not least <= storage <= most:
        yield Refusal(wrong, f"Invalid storage size for engine name {engine} and storage type {kind}: {storage}")
    days = given.get("BackupRetentionPeriod")
    if days is not None and not 0 <= days <= LONGEST_BACKUP_DAYS:
        yield Refusal(wrong, f"Invalid backup retention period: {days}. Retention period must be between 0 and 35")
    if given.get("MonitoringInterval", 0) not in MONITORING_SECONDS:
        yield Refusal(wrong, f"Invalid monitoring interval: must be one of {MONITORING_SECONDS}")
    password = given.get("MasterUserPassword")
    if password is not None and given.get("ManageMasterUserPassword"):
        text = "MasterUserPassword cannot be specified when ManageMasterUserPassword is enabled"
        yield Refusal("InvalidParameterCombination", text)
    if password is not None and not PASSWORD.fullmatch(password):
        text = "Only printable ASCII characters besides '/', '@', '\"', ' ' may be used, 8 to 128 of them."
        yield Refusal(wrong, f"The parameter MasterUserPassword is not a valid password. {text}")
    for name in ("PreferredBackupWindow", "PreferredMaintenanceWindow"):
        if given.get(name) is not None and _minutes(given[name]) < SHORTEST_WINDOW_MINUTES:
            yield Refusal(wrong, f"{name} {given[name]} is no window of hours and minutes of at least 30 minutes.")


def _minutes(window: str) -> int:
    """Of a window of a day or a week; 0: it is none. Windows go past midnight, and are shorter than a day."""
    found = WINDOW.fullmatch(window)
    if not found:
        return 0
    first, last = (60 * int(found[at]) + int(found[at + 1]) for at in (1, 3))
    return (last - first) % (24 * 60)


def _certificate(given: Given) -> Iterator[Refusal]:
    if len(str(given.get("DomainName", ""))) > COMMON_NAME_OCTETS:
        text = f"The first domain name can be no longer than {COMMON_NAME_OCTETS} octets"
        yield Refusal("", f"{text}: name a longer one among the alternative names")


def _zone(given: Given) -> Iterator[Refusal]:
    yield from _domain_name(str(given.get("Name", "")), "InvalidDomainName")


def _records(given: Given) -> Iterator[Refusal]:
    for change in _parts(_part(given, "ChangeBatch"), "Changes"):
        yield from _domain_name(str(_part(change, "ResourceRecordSet").get("Name", "")), "InvalidChangeBatch")


def _domain_name(name: str, code: str) -> Iterator[Refusal]:
    labels = name.removesuffix(".").split(".")
    if len(name) > LONGEST_DOMAIN or not all(map(DOMAIN_LABEL.fullmatch, labels)):
        yield Refusal(code, f"{name} is not a valid domain name")


def _subscription(given: Given) -> Iterator[Refusal]:
    pattern = ENDPOINTS.get(str(given.get("Protocol")))
    if pattern and not pattern.fullmatch(str(given.get("Endpoint") or "")):
        yield Refusal("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")


CHECKS: Mapping[tuple[str, str], Callable[[Given], Iterator[Refusal]]] = {
    ("acm", "RequestCertificate"): _certificate,
    ("cloudwatch", "PutDashboard"): _dashboard,
    ("cloudwatch", "PutMetricAlarm"): _alarm,
    ("dynamodb", "CreateTable"): _table,
    ("ec2", "AuthorizeSecurityGroupEgress"): _group_rules,
    ("ec2", "AuthorizeSecurityGroupIngress"): _group_rules,
    ("ec2", "CreateSecurityGroup"): _security_group,
    ("ec2", "ModifySecurityGroupRules"): _group_rules,
    ("ec2", "UpdateSecurityGroupRuleDescriptionsEgress"): _group_rules,
    ("ec2", "UpdateSecurityGroupRuleDescriptionsIngress"): _group_rules,
    ("elbv2", "CreateLoadBalancer"): _load_balancer,
    ("elbv2", "CreateTargetGroup"): _target_group,
    ("elbv2", "ModifyTargetGroup"): _target_group,
    ("logs", "PutRetentionPolicy"): _retention,
    ("rds", "CreateDBInstance"): _database,
    ("rds", "ModifyDBInstance"): _database,
    ("rds", "RestoreDBInstanceFromDBSnapshot"): _database,
    ("rds", "RestoreDBInstanceToPointInTime"): _database,
    ("route53", "ChangeResourceRecordSets"): _records,
    ("route53", "CreateHostedZone"): _zone,
    ("s3", "CreateBucket"): _bucket,
    ("secretsmanager", "CreateSecret"): _secret,
    ("sns", "Subscribe"): _subscription,
    ("sqs", "CreateQueue"): _queue,
    ("sqs", "SetQueueAttributes"): _queue,
}
