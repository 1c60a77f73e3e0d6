"""What CI's roles may do, by verb: the one table. Pure: no Pulumi, no AWS.

Each row is a statement. In resources and conditions `{environment}`, `{account}`, `{region}`, `{organisation}` (the foundation's account)
and `{state_bucket}` are filled in. What the program makes is called `<service>-<environment>…`; where AWS has no names (EC2, KMS), the
tag `environment` decides, which the program's provider puts on everything.
"""

from .ci_network_rights import NETWORK
from .ci_row import MADE, NEW, OWN, Row
from .ledger_access import LEDGER_KEY, LEDGER_READ, LEDGER_WRITE, read_partitions, write_partitions
from .policy_document import Statement, deny

PASSED_TO = ("ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com")
PODS_BOUNDARY = "slipway-pods"
"""Permissions boundary of pods' roles whose policies CI writes."""
SIGNING_ALIAS = "alias/slipway-attestations"
SIGN = ("kms:Sign",)
VERIFY = ("kms:DescribeKey", "kms:GetPublicKey")

_LEDGER = ("arn:aws:dynamodb:{region}:{organisation}:table/slipway-ledger",)
_LEDGER_KEY = ("arn:aws:kms:{region}:{organisation}:key/*",)
_VIA_LEDGER = {"StringEquals": {"kms:ViaService": "dynamodb.{region}.amazonaws.com"}}
_STATE = "arn:aws:s3:::{state_bucket}/.pulumi"
_STATE_KEY = ("arn:aws:kms:{region}:{account}:key/*",)
_BY_STATE_ALIAS = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/slipway-state"}}
_SIGNING_KEY = _LEDGER_KEY
_BY_SIGNING_ALIAS = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": SIGNING_ALIAS}}
_OF_OWN_DATABASE = {
    "aws:ResourceTag/aws:rds:primaryDBInstanceArn": "arn:aws:rds:{region}:{account}:db:*-{environment}-*"
}
_IMAGES = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer")

RIGHTS: dict[str, dict[str, Row]] = {
    # `slipway preview`: what the program and a refresh ask. No secret, no right to write.
    "preview": {
        "State": Row(("s3:GetObject",), (f"{_STATE}/meta.yaml", f"{_STATE}/*/slipway/{{environment}}.*")),
        "StateList": Row(("s3:GetBucketLocation", "s3:ListBucket"), ("arn:aws:s3:::{state_bucket}",)),
        "StateKey": Row(("kms:Decrypt", "kms:DescribeKey"), _STATE_KEY, _BY_STATE_ALIAS),
        "Wanted": Row(("dynamodb:GetItem",), _LEDGER, read_partitions("{environment}")),
        "WantedKey": Row(("kms:Decrypt", "kms:DescribeKey"), _LEDGER_KEY, _VIA_LEDGER),
        "Look": Row(
            (
                "acm:DescribeCertificate",
                "acm:ListTagsForCertificate",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:GetDashboard",
                "cloudwatch:ListTagsForResource",
                "ec2:Describe*",
                "ecr:DescribeRepositories",
                "ecr:GetAuthorizationToken",
                "ecr:ListImages",
                "ecr:ListTagsForResource",
                "eks:Describe*",
                "eks:List*",
                "elasticloadbalancing:Describe*",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListInstanceProfilesForRole",
                "iam:ListRolePolicies",
                "kms:DescribeKey",
                "kms:GetKeyPolicy",
                "kms:GetKeyRotationStatus",
                "kms:ListAliases",
                "kms:ListResourceTags",
                "logs:DescribeLogGroups",
                "logs:ListTagsForResource",
                "rds:Describe*",
                "rds:ListTagsForResource",
                "route53:GetChange",
                "route53:GetHostedZone",
                "route53:ListHostedZones",
                "route53:ListHostedZonesByName",
                "route53:ListResourceRecordSets",
                "route53:ListTagsForResource",
                "sns:GetSubscriptionAttributes",
                "sns:GetTopicAttributes",
                "sns:ListTagsForResource",
            )
        ),
    },
    # `slipway up`, `destroy`: what the program makes, in groups, each a policy of its own.
    "up-network": NETWORK,
    "up-cluster": {
        # A cluster that is not there yet has no name for IAM.
        "MakeCluster": Row(("eks:CreateCluster",), ("*",), MADE),
        "Cluster": Row(
            (
                "eks:AssociateAccessPolicy",
                "eks:AssociateEncryptionConfig",
                "eks:CreateAccessEntry",
                "eks:CreateAddon",
                "eks:CreateNodegroup",
                "eks:CreatePodIdentityAssociation",
                "eks:DeleteAccessEntry",
                "eks:DeleteAddon",
                "eks:DeleteCluster",
                "eks:DeleteNodegroup",
                "eks:DeletePodIdentityAssociation",
                "eks:DisassociateAccessPolicy",
                "eks:TagResource",
                "eks:UntagResource",
                "eks:UpdateAccessEntry",
                "eks:UpdateAddon",
                "eks:UpdateClusterConfig",
                "eks:UpdateClusterVersion",
                "eks:UpdateNodegroupConfig",
                "eks:UpdateNodegroupVersion",
                "eks:UpdatePodIdentityAssociation",
            ),
            (
                "arn:aws:eks:{region}:{account}:access-entry/*-{environment}/*",
                "arn:aws:eks:{region}:{account}:addon/*-{environment}/*",
                "arn:aws:eks:{region}:{account}:cluster/*-{environment}",
                "arn:aws:eks:{region}:{account}:nodegroup/*-{environment}/*",
                "arn:aws:eks:{region}:{account}:podidentityassociation/*-{environment}/*",
            ),
        ),
        "Roles": Row(
            (
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ),
            ("arn:aws:iam::{account}:role/*-{environment}-*",),
        ),
        # No other policies, and of its own writing only for pods, within their boundary: whoever could attach any could become anybody.
        "RolePolicies": Row(
            ("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
            ("arn:aws:iam::{account}:role/*-{environment}-*",),
            {
                "ArnLike": {
                    "iam:PolicyARN": [
                        "arn:aws:iam::aws:policy/AmazonEKS*",
                        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
                        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
                    ]
                }
            },
        ),
        "PodPolicies": Row(
            ("iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
            ("arn:aws:iam::{account}:role/*-{environment}-pods-*",),
            {"ArnEquals": {"iam:PermissionsBoundary": "arn:aws:iam::{account}:policy/" + PODS_BOUNDARY}},
        ),
        "PassRoles": Row(
            ("iam:PassRole",),
            ("arn:aws:iam::{account}:role/*-{environment}-*",),
            {"StringEquals": {"iam:PassedToService": [*PASSED_TO]}},
        ),
        "AwsRoles": Row(
            ("iam:CreateServiceLinkedRole",),
            ("arn:aws:iam::{account}:role/aws-service-role/*",),
            {
                "StringEquals": {
                    "iam:AWSServiceName": [
                        "eks.amazonaws.com",
                        "eks-nodegroup.amazonaws.com",
                        "elasticloadbalancing.amazonaws.com",
                        "rds.amazonaws.com",
                    ]
                }
            },
        ),
    },
    "up-data": {
        "MakeKey": Row(("kms:CreateKey", "kms:TagResource"), ("*",), NEW),
        "Key": Row(
            (
                "kms:CreateAlias",
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DeleteAlias",
                "kms:EnableKeyRotation",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:PutKeyPolicy",
                "kms:RetireGrant",
                "kms:ScheduleKeyDeletion",
                "kms:TagResource",
                "kms:UntagResource",
                "kms:UpdateAlias",
                "kms:UpdateKeyDescription",
            ),
            ("arn:aws:kms:{region}:{account}:key/*",),
            OWN,
        ),
        "KeyAlias": Row(
            ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"),
            ("arn:aws:kms:{region}:{account}:alias/*-{environment}",),
        ),
        "Database": Row(
            (
                "rds:AddTagsToResource",
                "rds:CreateDBInstance",
                "rds:CreateDBParameterGroup",
                "rds:CreateDBSnapshot",
                "rds:CreateDBSubnetGroup",
                "rds:DeleteDBInstance",
                "rds:DeleteDBParameterGroup",
                "rds:DeleteDBSubnetGroup",
                "rds:ModifyDBInstance",
                "rds:ModifyDBParameterGroup",
                "rds:ModifyDBSubnetGroup",
                "rds:RebootDBInstance",
                "rds:RemoveTagsFromResource",
                "rds:ResetDBParameterGroup",
            ),
            (
                "arn:aws:rds:{region}:{account}:db:*-{environment}-*",
                "arn:aws:rds:{region}:{account}:og:default:*",
                "arn:aws:rds:{region}:{account}:pg:*-{environment}-*",
                "arn:aws:rds:{region}:{account}:snapshot:*-{environment}-*",
                "arn:aws:rds:{region}:{account}:subgrp:*-{environment}-*",
            ),
        ),
        # RDS makes the master user's secret in the caller's name, and writes on it whose it is.
        "MakeSecret": Row(
            ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
            ("arn:aws:secretsmanager:{region}:{account}:secret:rds!db-*",),
            {"StringLikeIfExists": _OF_OWN_DATABASE},
        ),
        "Secret": Row(
            ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
            ("arn:aws:secretsmanager:{region}:{account}:secret:rds!db-*",),
            {"StringLike": _OF_OWN_DATABASE},
        ),
    },
    "up-traffic": {
        "Balancer": Row(
            (
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:DeleteListener",
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:DeleteRule",
                "elasticloadbalancing:DeleteTargetGroup",
                "elasticloadbalancing:ModifyListener",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyRule",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetRulePriorities",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ),
            (
                "arn:aws:elasticloadbalancing:{region}:{account}:listener-rule/app/*-{environment}-*/*",
                "arn:aws:elasticloadbalancing:{region}:{account}:listener/app/*-{environment}-*/*",
                "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/*-{environment}-*/*",
                "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/*-{environment}-*/*",
            ),
        ),
        "Alarms": Row(
            (
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ),
            ("arn:aws:cloudwatch:{region}:{account}:alarm:*-{environment}-*",),
        ),
        "Dashboards": Row(
            ("cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"),
            ("arn:aws:cloudwatch::{account}:dashboard/*-{environment}",),
        ),
        "Logs": Row(
            (
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:DisassociateKmsKey",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ),
            (
                "arn:aws:logs:{region}:{account}:log-group:/aws/eks/*-{environment}/*",
                "arn:aws:logs:{region}:{account}:log-group:/aws/rds/instance/*-{environment}-*",
            ),
        ),
        "Topics": Row(
            (
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:UntagResource",
            ),
            ("arn:aws:sns:{region}:{account}:*-{environment}-*",),
        ),
        # The service's domain: a certificate, and records in a zone that the environment's account has.
        "MakeCertificate": Row(("acm:RequestCertificate",), ("*",), MADE),
        "TagCertificate": Row(("acm:AddTagsToCertificate",), ("*",), NEW),
        "Certificate": Row(
            ("acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"),
            ("arn:aws:acm:{region}:{account}:certificate/*",),
            OWN,
        ),
        "Records": Row(("route53:ChangeResourceRecordSets",), ("arn:aws:route53:::hostedzone/*",)),
        # IAM knows subscriptions by no name and no tag.
        "Subscriptions": Row(("sns:SetSubscriptionAttributes", "sns:Unsubscribe")),
    },
    # `slipway release`, `promote`, `rollback` and the rest of delivery, with the state that its `up`s write.
    "release": {
        "State": Row(
            ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"),
            (
                f"{_STATE}/*/slipway/{{environment}}.*",
                f"{_STATE}/*/slipway/{{environment}}/*",
            ),
        ),
        "StateKey": Row(("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"), _STATE_KEY, _BY_STATE_ALIAS),
        "Ledger": Row(LEDGER_READ, _LEDGER),
        "LedgerWrite": Row(LEDGER_WRITE, _LEDGER, write_partitions("{environment}")),
        "LedgerKey": Row(LEDGER_KEY, _LEDGER_KEY, _VIA_LEDGER),
        "Weights": Row(
            ("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"),
            (
                "arn:aws:elasticloadbalancing:{region}:{account}:listener-rule/app/*-{environment}-*/*",
                "arn:aws:elasticloadbalancing:{region}:{account}:listener/app/*-{environment}-*/*",
            ),
        ),
        "Metrics": Row(("cloudwatch:GetMetricData",)),
        "Images": Row(_IMAGES, ("arn:aws:ecr:{region}:*:repository/*",)),
        "Signatures": Row(VERIFY, _SIGNING_KEY, _BY_SIGNING_ALIAS),
        "Events": Row(("sns:Publish",), ("arn:aws:sns:{region}:{account}:*-{environment}-*",)),
    },
    # The image, where it is built. Nobody deletes a repository, nor an image.
    "build": {
        "Push": Row(
            ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
            ("arn:aws:ecr:{region}:{organisation}:repository/*",),
        ),
        "Sign": Row(SIGN, _SIGNING_KEY, _BY_SIGNING_ALIAS),
    },
}
DEPLOY = ("preview", "up-network", "up-cluster", "up-data", "up-traffic", "release")
ROLES: dict[str, tuple[str, ...]] = {"preview": ("preview",), "deploy": DEPLOY}
"""The groups of rights of each role; an environment that builds has `build` besides."""
OWN_RIGHTS = deny(
    "NotItsOwnRights",
    ["iam:*"],
    ["arn:aws:iam::*:oidc-provider/*", "arn:aws:iam::*:policy/*", "arn:aws:iam::*:role/slipway-*"],
)
"""No role of CI changes a role of CI, whatever else it gets."""
OF_ORGANISATION = {
    "ForAnyValue:StringLike": {
        "kms:ResourceAliases": [
            SIGNING_ALIAS,
            "alias/slipway-audit",
            "alias/slipway-budget-*",
            "alias/slipway-images",
            "alias/slipway-ledger",
            "alias/slipway-state",
        ]
    }
}
"""The condition that a key is the foundation's."""
ORGANISATION_KEYS = deny(
    "NotTheOrganisationsKeys",
    [
        "kms:CreateAlias",
        "kms:CreateGrant",
        "kms:DeleteAlias",
        "kms:EnableKeyRotation",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateAlias",
        "kms:UpdateKeyDescription",
    ],
    ["arn:aws:kms:*:*:key/*"],
    conditions=OF_ORGANISATION,
)
"""The key of state has no tag `environment` where `slipway bootstrap` made it, and so could be tagged as an environment's own."""
DENIED: dict[str, Statement] = {"up-cluster": OWN_RIGHTS, "up-data": ORGANISATION_KEYS}
"""By group: what no other statement allows."""
