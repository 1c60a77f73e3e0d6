"""What CI's deploy roles may do with the network: rows of `ci_rights`."""

from .ci_row import MADE, OWN, Row

_EC2 = ("arn:aws:ec2:{region}:{account}:*",)
_PLACES = (
    "ec2:AllocateAddress",
    "ec2:CreateInternetGateway",
    "ec2:CreateLaunchTemplate",
    "ec2:CreateVpc",
)
_PARTS = ("ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet")
_GATEWAYS = ("ec2:CreateNatGateway", "ec2:CreateVpcEndpoint")
_RULES = ("ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress")
_CREATES = (*_PLACES, *_PARTS, *_GATEWAYS, *_RULES)


def _kinds(*kinds: str) -> tuple[str, ...]:
    return tuple(f"arn:aws:ec2:{{region}}:{{account}}:{kind}/*" for kind in kinds)


NETWORK: dict[str, Row] = {
    # What is made has the environment's tag; where it is made must be the environment's own already (Own). Were the tag of the request
    # enough for both, it would open the security groups of other environments.
    "Make": Row(_PLACES, _kinds("elastic-ip", "internet-gateway", "launch-template", "vpc"), MADE),
    "MakeParts": Row(_PARTS, _kinds("route-table", "security-group", "subnet"), MADE),
    "MakeGateways": Row(_GATEWAYS, _kinds("natgateway", "vpc-endpoint"), MADE),
    "MakeRules": Row(_RULES, _kinds("security-group-rule"), MADE),
    "Own": Row(
        (
            *_PARTS,
            *_GATEWAYS,
            *_RULES,
            "ec2:AssociateRouteTable",
            "ec2:AttachInternetGateway",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:CreateRoute",
            "ec2:CreateTags",
            "ec2:DeleteInternetGateway",
            "ec2:DeleteLaunchTemplate",
            "ec2:DeleteLaunchTemplateVersions",
            "ec2:DeleteNatGateway",
            "ec2:DeleteRoute",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DeleteVpcEndpoints",
            "ec2:DetachInternetGateway",
            "ec2:DisassociateAddress",
            "ec2:DisassociateRouteTable",
            "ec2:ModifyLaunchTemplate",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:ReleaseAddress",
            "ec2:ReplaceRoute",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:RunInstances",
        ),
        _EC2,
        OWN,
    ),
    "Tag": Row(
        ("ec2:CreateTags",),
        _EC2,
        {
            "StringEquals": {
                "aws:RequestTag/environment": "{environment}",
                "ec2:CreateAction": [action.removeprefix("ec2:") for action in _CREATES],
            }
        },
    ),
    # A VPC's default group comes without tags; the program empties it. The group that EKS makes has none of the environment's either.
    "DefaultGroup": Row(
        ("ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"),
        ("arn:aws:ec2:{region}:{account}:security-group/*",),
        {"Null": {"aws:ResourceTag/environment": "true", "aws:ResourceTag/aws:eks:cluster-name": "true"}},
    ),
    # EKS makes the cluster's group, with tags of its own; the load balancer gets a rule in it.
    # Source: EKS user guide, "Amazon EKS security group requirements", 2026.
    "ClusterGroup": Row(
        ("ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupIngress"),
        ("arn:aws:ec2:{region}:{account}:security-group/*",),
        {"StringLike": {"aws:ResourceTag/aws:eks:cluster-name": "*-{environment}"}},
    ),
    # EKS tries, in the caller's name, whether a node group could start what the launch template says.
    "Nodes": Row(
        ("ec2:RunInstances",),
        ("arn:aws:ec2:{region}::image/*", *_EC2),
        {"ArnLike": {"ec2:LaunchTemplate": "arn:aws:ec2:{region}:{account}:launch-template/*"}},
    ),
    "NodeTags": Row(("ec2:CreateTags",), _EC2, {"StringEquals": {"ec2:CreateAction": "RunInstances"}}),
}
