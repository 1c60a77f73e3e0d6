"""Who may use an environment's KMS key. Pure: no Pulumi, no AWS."""

import json


def render_key_policy(account: str, region: str) -> str:
    """The account decides by IAM; beside it CloudWatch (alarms to encrypted topics) and Logs, each for this account only.

    A policy of IAM cannot let a service in: without these statements alarms never arrive and log groups cannot be encrypted.
    Sources: SNS developer guide, "Key management"; CloudWatch Logs user guide, "Encrypt log data", 2026.
    """
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
