"""What `up`, `destroy`, `release` and the other verbs call: the permissions that an account's deploying role needs."""

from __future__ import annotations

from typing import NamedTuple


class Rights(NamedTuple):
    """Actions of one service on one kind of resource."""

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


GLOBAL = ("iam:", "cloudwatch:dashboard/")
"""Services, and kinds of resources, without a region in their ARNs."""
WITHOUT_ACCOUNT = frozenset({"route53", "s3"})
"""Services with neither a region nor an account in their ARNs."""

RIGHTS = (
    Rights(
        "network",
        "ec2",
        "*",
        "DescribeAddresses DescribeAddressesAttribute DescribeAvailabilityZones DescribeInternetGateways DescribeNatGateways"
        " DescribeNetworkAcls DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules"
        " DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs",
    ),
    Rights("network", "ec2", "elastic-ip/eipalloc-00000000", "AllocateAddress DisassociateAddress ReleaseAddress"),
    Rights(
        "network",
        "ec2",
        "internet-gateway/igw-00000000",
        "AttachInternetGateway CreateInternetGateway DeleteInternetGateway DetachInternetGateway",
    ),
    Rights("network", "ec2", "natgateway/nat-00000000", "CreateNatGateway DeleteNatGateway"),
    Rights(
        "network",
        "ec2",
        "route-table/rtb-00000000",
        "AssociateRouteTable CreateRoute CreateRouteTable DeleteRoute DeleteRouteTable DisassociateRouteTable ReplaceRoute",
    ),
    Rights(
        "network",
        "ec2",
        "security-group/sg-00000000",
        "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateSecurityGroup DeleteSecurityGroup"
        " ModifySecurityGroupRules RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
    ),
    Rights("network", "ec2", "subnet/subnet-00000000", "CreateSubnet DeleteSubnet ModifySubnetAttribute"),
    Rights(
        "network",
        "ec2",
        "vpc/vpc-00000000",
        "CreateTags CreateVpc DeleteTags DeleteVpc DescribeVpcAttribute ModifyVpcAttribute",
    ),
    Rights("network", "ec2", "vpc-endpoint/vpce-00000000", "CreateVpcEndpoint DeleteVpcEndpoints ModifyVpcEndpoint"),
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
        "CreateAccessEntry CreateAddon CreateNodegroup CreatePodIdentityAssociation"
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
        "AssociateAccessPolicy DeleteAccessEntry DescribeAccessEntry DisassociateAccessPolicy ListAssociatedAccessPolicies TagResource"
        " UpdateAccessEntry",
    ),
    Rights(
        "cluster",
        "eks",
        "podidentityassociation/{name}/a-00000000000000000",
        "DeletePodIdentityAssociation DescribePodIdentityAssociation TagResource UntagResource UpdatePodIdentityAssociation",
    ),
    Rights("cluster", "eks", "*", "CreateCluster DescribeAddonVersions"),
    Rights(
        "cluster",
        "ec2",
        "launch-template/lt-00000000",
        "CreateLaunchTemplate CreateLaunchTemplateVersion DeleteLaunchTemplate ModifyLaunchTemplate RunInstances",
    ),
    Rights("cluster", "ec2", "*", "DescribeLaunchTemplateVersions DescribeLaunchTemplates"),
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
        "CreateRole DeleteRole GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies PassRole TagRole"
        " UntagRole UpdateAssumeRolePolicy",
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
        "AddTags CreateListener CreateLoadBalancer DeleteLoadBalancer ModifyLoadBalancerAttributes RemoveTags SetSecurityGroups"
        " SetSubnets",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "*",
        "DescribeListenerAttributes DescribeListeners DescribeLoadBalancerAttributes DescribeLoadBalancers DescribeRules DescribeTags"
        " DescribeTargetGroupAttributes DescribeTargetGroups DescribeTargetHealth",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "listener/app/{name}-0000000/0000000000000000/0000000000000000",
        "AddTags CreateRule DeleteListener ModifyListener ModifyListenerAttributes RemoveTags",
    ),
    Rights(
        "load balancer",
        "elasticloadbalancing",
        "listener-rule/app/{name}-0000000/0000000000000000/0000000000000000/0000000000000000",
        "AddTags DeleteRule ModifyRule RemoveTags SetRulePriorities",
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
    Rights("monitoring", "cloudwatch", "dashboard/{name}", "DeleteDashboards GetDashboard PutDashboard"),
    Rights("monitoring", "cloudwatch", "*", "GetMetricData"),
    Rights(
        "monitoring",
        "logs",
        "log-group:/aws/eks/{name}/cluster",
        "AssociateKmsKey CreateLogGroup DeleteLogGroup ListTagsForResource PutRetentionPolicy TagResource"
        " UntagResource",
    ),
    Rights(
        "monitoring",
        "sns",
        "{name}-events-0000000",
        "CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource Publish SetTopicAttributes Subscribe TagResource"
        " UntagResource",
    ),
    Rights("monitoring", "sns", "*", "GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe"),
    Rights("monitoring", "logs", "*", "DescribeLogGroups"),
    Rights("images", "ecr", "{repository}", "DescribeImages DescribeRepositories ListImages"),
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
    Rights("state", "s3", "{bucket}/.pulumi/stacks/slipway/{stack}.json", "DeleteObject GetObject PutObject"),
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
    place = "" if f"{rights.service}:{resource}".startswith(GLOBAL) else region
    return f"arn:{partition}:{rights.service}:{place}:{account}:{resource}"
