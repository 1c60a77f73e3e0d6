"""Who may use an environment's KMS key."""

import json

import pulumi
import pulumi_aws as aws


def render_key_policy(opts: pulumi.InvokeOptions) -> str:
    """The account decides by IAM; beside it CloudWatch (alarms to encrypted topics) and Logs, each for this account only.

    A policy of IAM cannot let a service in: without these statements alarms never arrive and log groups cannot be encrypted.
    Sources: SNS developer guide, "Key management"; CloudWatch Logs user guide, "Encrypt log data", 2026.
    """
    account = aws.get_caller_identity(opts=opts).account_id
    region = aws.get_region(opts=opts).region
    statements = [
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
            "Resource": "*",
            "Condition": {
                "ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:log-group:*"}
            },
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
