"""What `up`, `destroy`, `release` and the other verbs call: the permissions that an account's deploying role needs."""

from __future__ import annotations

from typing import NamedTuple


class Rights(NamedTuple):
    """Actions of one service on one kind of resource. What lists and describes is asked of any resource by most services."""

    purpose: str
    service: str
    """IAM's prefix of the actions."""
    resource: str
    """An example of what the program makes: the ARN behind the account, with the environment's names. What may belong to another account
    has its whole ARN in its name."""
    actions: str

    def names(self) -> list[str]:
        """The actions, as IAM has them."""
        return [f"{self.service}:{action}" for action in self.actions.split()]


GLOBAL = frozenset({"iam"})
"""Services without a region in their ARNs."""
WITHOUT_ACCOUNT = frozenset({"route53", "s3"})
"""Services with neither a region nor an account in their ARNs."""

RIGHTS = (
    Rights(
        "network",
        "ec2",
        "vpc/vpc-00000000",
        "AllocateAddress AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress"
        " CreateInternetGateway CreateNatGateway CreateRoute CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags"
        " CreateVpc CreateVpcEndpoint DeleteInternetGateway DeleteNatGateway DeleteRoute DeleteRouteTable DeleteSecurityGroup"
        " DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints DescribeAddresses DescribeAddressesAttribute"
        " DescribeAvailabilityZones DescribeInternetGateways DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaces"
        " DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets"
        " DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs DetachInternetGateway DisassociateAddress"
        " DisassociateRouteTable ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint"
        " ReleaseAddress ReplaceRoute RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
    ),
    Rights("key", "kms", "alias/{name}", "CreateAlias DeleteAlias UpdateAlias"),
    Rights("key", "kms", "*", "CreateKey ListAliases"),
    Rights(
        "key",
        "kms",
        "key/00000000-0000-0000-0000-000000000000",
        "CreateAlias CreateGrant Decrypt DeleteAlias DescribeKey EnableKeyRotation Encrypt GenerateDataKey GetKeyPolicy"
        " GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource",
    ),
    Rights(
        "cluster",
        "eks",
        "cluster/{name}",
        "AssociateAccessPolicy CreateAccessEntry CreateAddon CreateCluster CreateNodegroup CreatePodIdentityAssociation"
        " DeleteCluster DescribeCluster DescribeUpdate TagResource UntagResource UpdateClusterConfig UpdateClusterVersion",
    ),
    Rights(
        "cluster",
        "eks",
        "nodegroup/{name}/{name}-nodes-0000000/00000000-0000-0000-0000-000000000000",
        "DeleteNodegroup DescribeNodegroup TagResource UpdateNodegroupConfig UpdateNodegroupVersion",
    ),
    Rights(
        "cluster",
        "eks",
        "addon/{name}/coredns/00000000-0000-0000-0000-000000000000",
        "DeleteAddon DescribeAddon TagResource UpdateAddon",
    ),
    Rights(
        "cluster",
        "eks",
        "access-entry/{name}/role/{account}/deploy/00000000-0000-0000-0000-000000000000",
        "DeleteAccessEntry DescribeAccessEntry DisassociateAccessPolicy ListAssociatedAccessPolicies TagResource"
        " UpdateAccessEntry",
    ),
    Rights(
        "cluster",
        "eks",
        "podidentityassociation/{name}/a-00000000000000000",
        "DeletePodIdentityAssociation DescribePodIdentityAssociation TagResource UntagResource UpdatePodIdentityAssociation",
    ),
    Rights("cluster", "eks", "*", "DescribeAddonVersions"),
    Rights(
        "cluster",
        "ec2",
        "launch-template/lt-00000000",
        "CreateLaunchTemplate CreateLaunchTemplateVersion DeleteLaunchTemplate DescribeLaunchTemplateVersions"
        " DescribeLaunchTemplates ModifyLaunchTemplate RunInstances",
    ),
    Rights(
        "roles",
        "iam",
        "role/{name}-nodes-0000000",
        "AttachRolePolicy CreateRole DeleteRole DetachRolePolicy GetRole ListAttachedRolePolicies ListInstanceProfilesForRole"
        " ListRolePolicies PassRole TagRole UntagRole UpdateAssumeRolePolicy",
    ),
    Rights(
        "roles",
        "iam",
        "role/{name}-pods-0000000",
        "CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole"
        " ListRolePolicies PassRole PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy",
    ),
    Rights(
        "roles",
        "iam",
        "role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
        "CreateServiceLinkedRole",
    ),
    Rights(
        "database",
        "rds",
        "db:{name}-postgresql",
        "AddTagsToResource CreateDBInstance DeleteDBInstance DescribeDBInstances ListTagsForResource ModifyDBInstance"
        " RebootDBInstance RemoveTagsFromResource",
    ),
    Rights(
        "database",
        "rds",
        "subgrp:{name}-subnets-0000000",
        "AddTagsToResource CreateDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups ModifyDBSubnetGroup",
    ),
    Rights(
        "database",
        "rds",
        "pg:{name}-parameters-0000000",
        "AddTagsToResource CreateDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups DescribeDBParameters"
        " ModifyDBParameterGroup ResetDBParameterGroup",
    ),
    Rights(
        "database",
        "secretsmanager",
        "secret:rds!db-00000000",
        "CreateSecret DescribeSecret GetSecretValue TagResource",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "loadbalancer/app/{name}-0000000/0000000000000000",
        "AddTags CreateListener CreateLoadBalancer DeleteLoadBalancer DescribeListenerAttributes DescribeListeners"
        " DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeTags DescribeTargetGroupAttributes"
        " DescribeTargetGroups DescribeTargetHealth ModifyLoadBalancerAttributes RemoveTags SetSecurityGroups SetSubnets",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "listener/app/{name}-0000000/0000000000000000/0000000000000000",
        "AddTags DeleteListener ModifyListener RemoveTags",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "targetgroup/{name}-green/0000000000000000",
        "AddTags CreateTargetGroup DeleteTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes RemoveTags",
    ),
    Rights("domain", "route53", "*", "ListHostedZones ListHostedZonesByName"),
    Rights(
        "domain",
        "route53",
        "hostedzone/Z00000000000000000000",
        "ChangeResourceRecordSets GetHostedZone ListResourceRecordSets ListTagsForResource",
    ),
    Rights("domain", "route53", "change/C00000000000000000000", "GetChange"),
    Rights("certificate", "acm", "*", "RequestCertificate"),
    Rights(
        "certificate",
        "acm",
        "certificate/00000000-0000-0000-0000-000000000000",
        "AddTagsToCertificate DeleteCertificate DescribeCertificate ListTagsForCertificate RemoveTagsFromCertificate",
    ),
    Rights(
        "monitoring",
        "cloudwatch",
        "alarm:{name}-0000000",
        "DeleteAlarms DescribeAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
    ),
    Rights("monitoring", "cloudwatch", "*", "DeleteDashboards GetDashboard GetMetricData PutDashboard"),
    Rights(
        "monitoring",
        "logs",
        "log-group:/aws/eks/{name}/cluster",
        "AssociateKmsKey CreateLogGroup DeleteLogGroup DescribeLogGroups ListTagsForResource PutRetentionPolicy TagResource"
        " UntagResource",
    ),
    Rights(
        "monitoring",
        "sns",
        "{name}-events-0000000",
        "CreateTopic DeleteTopic GetSubscriptionAttributes GetTopicAttributes ListTagsForResource Publish"
        " SetSubscriptionAttributes SetTopicAttributes Subscribe TagResource Unsubscribe UntagResource",
    ),
    Rights("images", "ecr", "{repository}", "DescribeImages DescribeRepositories"),
    Rights("images", "ecr", "*", "GetAuthorizationToken"),
    Rights(
        "image build",
        "ecr",
        "{repository}",
        "BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload"
        " ListTagsForResource PutImage UploadLayerPart",
    ),
    Rights("signatures", "kms", "{signing_key}", "GetPublicKey"),
    Rights("signatures of built images", "kms", "{signing_key}", "Sign"),
    Rights(
        "ledger",
        "dynamodb",
        "{ledger}",
        "DeleteItem GetItem PutItem Query UpdateItem",
    ),
    Rights(
        "state",
        "s3",
        "{bucket}",
        "ListBucket",
    ),
    Rights("state", "s3", "{bucket}/.pulumi/stacks", "DeleteObject GetObject PutObject"),
)


def arn_of(rights: Rights, *, partition: str, region: str, account: str, names: dict[str, str]) -> str:
    """The resource's ARN, or a star where the actions know no resource."""
    if rights.resource == "*":
        return "*"
    resource = rights.resource.format(account=account, **names)
    if resource.startswith("arn:"):
        return resource
    if rights.service in WITHOUT_ACCOUNT:
        return f"arn:{partition}:{rights.service}:::{resource}"
    return f"arn:{partition}:{rights.service}:{'' if rights.service in GLOBAL else region}:{account}:{resource}"
