"""Requests that botocore's model allows, and AWS refuses by its documentation."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.sandbox.aws.documented_limits import refuse_beyond_limits

ALARM: dict[str, Any] = {"AlarmName": "a", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 2}
DATABASE: dict[str, Any] = {"DBInstanceIdentifier": "a", "Engine": "postgres", "AllocatedStorage": 20}
SUBNETS = ["subnet-1", "subnet-2"]
GOOD_TEXT = "Load balancer to pods: 8080/tcp (a, b) [c] #1 @x + = & ; {} ! $ *"


def rules(description: str) -> dict[str, Any]:
    return {
        "IpPermissions": [{"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "g", "Description": description}]}]
    }


def record(name: str) -> dict[str, Any]:
    return {"ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": {"Name": name, "Type": "A"}}]}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *(
        ("s3 CreateBucket", {"Bucket": name}, "InvalidBucketName")
        for name in (
            "Orders", "a_b", "ab..c", "192.168.5.4", "-ab", "ab-", "ab.", "xn--orders", "sthree-orders", "amzn-s3-demo-a",
            "orders-s3alias", "orders--ol-s3", "orders--x-s3", "orders--table-s3", "orders.mrap", "a" * 64, "ab",
        )
    ),
    ("elbv2 CreateTargetGroup", {"Name": "a", "Matcher": {"HttpCode": "200-599"}}, ""),
    ("elbv2 CreateTargetGroup", {"Name": "a", "Matcher": {"HttpCode": "100"}}, ""),
    ("elbv2 ModifyTargetGroup", {"Matcher": {"HttpCode": "200;301"}}, ""),
    ("elbv2 CreateTargetGroup", {"Name": "a", "HealthCheckPath": "ready"}, ""),
    ("elbv2 CreateLoadBalancer", {"Name": "internal-orders", "Subnets": SUBNETS}, ""),
    ("elbv2 CreateLoadBalancer", {"Name": "orders", "Subnets": SUBNETS[:1]}, ""),
    ("elbv2 CreateLoadBalancer", {"Name": "orders", "SubnetMappings": [{"SubnetId": "a"}, {"SubnetId": "a"}]}, ""),
    ("sqs CreateQueue", {"Attributes": {"VisibilityTimeout": "43201"}}, "InvalidAttributeValue"),
    ("sqs CreateQueue", {"Attributes": {"MessageRetentionPeriod": "59"}}, "InvalidAttributeValue"),
    ("sqs SetQueueAttributes", {"Attributes": {"DelaySeconds": "ten"}}, "InvalidAttributeValue"),
    ("sqs SetQueueAttributes", {"Attributes": {"ReceiveMessageWaitTimeSeconds": "2\u0661"}}, "InvalidAttributeValue"),
    ("ec2 CreateSecurityGroup", {"GroupName": "sg-orders", "Description": "d"}, "InvalidParameterValue"),
    ("ec2 CreateSecurityGroup", {"GroupName": "orders", "Description": "the load balancer's"}, "InvalidParameterValue"),
    ("ec2 CreateSecurityGroup", {"GroupName": "orders", "Description": "d" * 256}, "InvalidParameterValue"),
    ("ec2 AuthorizeSecurityGroupIngress", rules("from A > B"), "InvalidParameterValue"),
    ("ec2 ModifySecurityGroupRules", {"SecurityGroupRules": [{"SecurityGroupRule": {"Description": "ä"}}]}, "InvalidParameterValue"),
    ("dynamodb CreateTable", {"TableName": "ab"}, ""),
    ("dynamodb CreateTable", {"TableName": "a b c"}, ""),
    ("cloudwatch PutMetricAlarm", ALARM | {"Period": 45}, ""),
    ("cloudwatch PutMetricAlarm", ALARM | {"EvaluationPeriods": 1441}, ""),
    ("cloudwatch PutMetricAlarm", ALARM | {"Period": 3600, "EvaluationPeriods": 169}, ""),
    ("cloudwatch PutMetricAlarm", ALARM | {"DatapointsToAlarm": 3}, ""),
    ("cloudwatch PutMetricAlarm", ALARM | {"ExtendedStatistic": "p99"}, "InvalidParameterCombination"),
    ("cloudwatch PutMetricAlarm", ALARM | {"AlarmActions": ["orders-topic"]}, ""),
    (
        "cloudwatch PutMetricAlarm",
        {"EvaluationPeriods": 1, "Metrics": [{"Id": "a", "MetricStat": {"Period": 90, "Stat": "Sum"}}]},
        "",
    ),
    ("cloudwatch PutDashboard", {"DashboardName": "orders dev"}, "InvalidParameterInput"),
    ("logs PutRetentionPolicy", {"logGroupName": "a", "retentionInDays": 15}, "InvalidParameterException"),
    ("secretsmanager CreateSecret", {"Name": "orders dev"}, "ValidationException"),
    ("rds CreateDBInstance", DATABASE | {"MasterUsername": "Admin"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"MasterUsername": "1boss"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"MasterUsername": "RdsAdmin"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"MasterUsername": "pg_monitor"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"DBName": "orders-dev"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"AllocatedStorage": 19}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"StorageType": "io2", "AllocatedStorage": 99}, "InvalidParameterValue"),
    ("rds ModifyDBInstance", {"DBInstanceIdentifier": "a", "BackupRetentionPeriod": 36}, "InvalidParameterValue"),
    ("rds ModifyDBInstance", {"DBInstanceIdentifier": "a", "DBInstanceClass": "t4g.small"}, "InvalidParameterValue"),
    ("rds ModifyDBInstance", {"DBInstanceIdentifier": "a", "MonitoringInterval": 20}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"PreferredBackupWindow": "03:00-03:29"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"PreferredBackupWindow": "3am to 4am"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"PreferredMaintenanceWindow": "sun:23:50-mon:00:10"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"MasterUserPassword": "a/b/c/d/e"}, "InvalidParameterValue"),
    ("rds CreateDBInstance", DATABASE | {"MasterUserPassword": "short12"}, "InvalidParameterValue"),
    (
        "rds CreateDBInstance",
        DATABASE | {"MasterUserPassword": "long-enough", "ManageMasterUserPassword": True},
        "InvalidParameterCombination",
    ),
    ("acm RequestCertificate", {"DomainName": f"{'a' * 56}.acme.dev"}, ""),
    ("route53 CreateHostedZone", {"Name": "acme corp.dev"}, "InvalidDomainName"),
    ("route53 CreateHostedZone", {"Name": f"{'a' * 64}.dev"}, "InvalidDomainName"),
    ("route53 CreateHostedZone", {"Name": "acme..dev"}, "InvalidDomainName"),
    ("route53 ChangeResourceRecordSets", record("orders .acme.dev"), "InvalidChangeBatch"),
    ("sns Subscribe", {"Protocol": "https", "Endpoint": "http://hooks.acme.dev"}, "InvalidParameter"),
    ("sns Subscribe", {"Protocol": "email", "Endpoint": "on-call"}, "InvalidParameter"),
    ("sns Subscribe", {"Protocol": "sqs", "Endpoint": "https://queue"}, "InvalidParameter"),
]  # fmt: skip
TAKEN: list[tuple[str, dict[str, Any]]] = [
    *(("s3 CreateBucket", {"Bucket": name}) for name in ("abc", "a.b-c", "1.2.3.4.5", "a" * 63)),
    ("elbv2 CreateTargetGroup", {"Name": "a", "Matcher": {"HttpCode": "200,202-299,499"}, "HealthCheckPath": "/"}),
    ("elbv2 CreateTargetGroup", {"Name": "a", "Matcher": {"GrpcCode": "0-99"}}),
    ("elbv2 CreateLoadBalancer", {"Name": "orders-internal-1", "Subnets": SUBNETS}),
    ("elbv2 CreateLoadBalancer", {"Name": "orders", "Type": "network", "Subnets": SUBNETS[:1]}),
    ("sqs CreateQueue", {"Attributes": {"VisibilityTimeout": "0", "MessageRetentionPeriod": "1209600", "Policy": ""}}),
    ("sqs CreateQueue", {}),
    ("ec2 CreateSecurityGroup", {"GroupName": "orders sg-1", "Description": GOOD_TEXT}),
    ("ec2 AuthorizeSecurityGroupEgress", rules(GOOD_TEXT)),
    ("dynamodb CreateTable", {"TableName": "a.b-c_d"}),
    ("dynamodb CreateTable", {"TableName": "arn:aws:dynamodb:us-east-1:123456789012:table/orders"}),
    ("cloudwatch PutMetricAlarm", ALARM | {"Period": 10, "EvaluationPeriods": 8640, "DatapointsToAlarm": 8640}),
    ("cloudwatch PutMetricAlarm", ALARM | {"Period": 3600, "EvaluationPeriods": 168}),
    ("cloudwatch PutMetricAlarm", ALARM | {"OKActions": ["arn:aws:sns:a:1:orders", "arn:aws:automate:a:ec2:stop"]}),
    ("cloudwatch PutDashboard", {"DashboardName": "orders_dev-1"}),
    ("logs PutRetentionPolicy", {"logGroupName": "a", "retentionInDays": 3653}),
    ("secretsmanager CreateSecret", {"Name": "rds!db-1/a_b+c=d.e@f"}),
    ("rds CreateDBInstance", DATABASE | {"MasterUsername": "orders_admin", "DBName": "orders", "StorageType": "gp3"}),
    ("rds CreateDBInstance", DATABASE | {"PreferredBackupWindow": "23:45-00:15", "MasterUserPassword": "a!b#c$d%"}),
    ("rds ModifyDBInstance", {"DBInstanceIdentifier": "a", "DBInstanceClass": "db.r6gd.2xlarge", "BackupRetentionPeriod": 0}),
    ("rds CreateDBInstance", {"Engine": "mysql", "MasterUsername": "admin", "AllocatedStorage": 20}),
    ("rds CreateDBInstance", {"Engine": "aurora-postgresql", "DBInstanceClass": "db.serverless", "AllocatedStorage": 1}),
    ("acm RequestCertificate", {"DomainName": f"{'a' * 55}.acme.dev"}),
    ("route53 CreateHostedZone", {"Name": "_acme.dev."}),
    ("route53 ChangeResourceRecordSets", record("\\052.acme.dev")),
    ("sns Subscribe", {"Protocol": "http", "Endpoint": "http://127.0.0.1:8080/hook"}),
    ("sns Subscribe", {"Protocol": "sms", "Endpoint": "+15550100"}),
    ("iam CreateRole", {"RoleName": "a"}),
]  # fmt: skip


@pytest.mark.parametrize(("call", "parameters", "code"), REFUSED)
def test_refuses_what_the_documentation_does_not_allow(call: str, parameters: dict[str, Any], code: str) -> None:
    service, operation = call.split()
    refusal = refuse_beyond_limits(service, operation, parameters)
    assert refusal is not None
    assert refusal.code == code


@pytest.mark.parametrize(("call", "parameters"), TAKEN)
def test_takes_what_is_just_within_the_limits(call: str, parameters: dict[str, Any]) -> None:
    service, operation = call.split()
    assert refuse_beyond_limits(service, operation, parameters) is None
