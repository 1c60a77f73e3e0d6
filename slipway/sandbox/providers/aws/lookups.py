"""Functions that look an existing resource up: most read it as its resource type does, and rename what is named otherwise."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from slipway.engine.provider import CallContext, ProviderError
from slipway.engine.values import PropertyMap, Secret
from slipway.sandbox.providers.aws import (
    acm,
    cloudwatch,
    dynamodb,
    ec2_security_groups,
    ec2_vpc,
    ecr,
    eks_cluster,
    elbv2_listeners,
    elbv2_load_balancers,
    iam_roles,
    kms,
    route53,
    s3_buckets,
    secretsmanager,
)
from slipway.sandbox.providers.aws.functions import Function, FunctionCall
from slipway.sandbox.providers.aws.resource import Call, Resource
from slipway.sandbox.providers.aws.schema import function_schema
from slipway.sandbox.providers.aws.state import split_tags

_TOKEN_SECONDS = 60  # of the URL itself; EKS takes the token for 15 minutes; source: aws-cli, eks get-token
_TOKEN_PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"


def _looked_up(
    token: str, resource: Resource, find: Callable[[FunctionCall], str], renamed: Mapping[str, str] | None = None
) -> Function:
    """A function that reads `resource` by the id that `find` answers; `renamed`: the function's name by the type's."""

    def function(call: FunctionCall) -> PropertyMap:
        id_ = find(call)
        context = CallContext(urn="", type=resource.token, name=id_)
        read = Call(session=call.session, ctx=context, inputs={"region": call.region})
        live = resource.read(read, id_)
        if live is None:
            raise ProviderError(f"{token}: couldn't find resource: {id_}")
        outputs = split_tags(live, read)
        outputs["tags"] = outputs.get("tagsAll", {})
        return {**call.args, **_shaped(token, {**outputs, "region": call.region}, renamed or {}), "id": id_}

    return function


def _shaped(token: str, outputs: PropertyMap, renamed: Mapping[str, str]) -> PropertyMap:
    """Only what the function answers; objects become lists of one where the function has lists."""
    kinds = function_schema(token).outputs
    named = {renamed.get(name, name): value for name, value in outputs.items() if value is not None}
    return {
        name: [value] if kinds[name].startswith("list<") and isinstance(value, dict) else value
        for name, value in named.items()
        if name in kinds
    }


def _argument(name: str) -> Callable[[FunctionCall], str]:
    return lambda call: str(call.required(name))


def _filters(call: FunctionCall) -> list[dict[str, Any]]:
    """The given filters and tags, as EC2 takes them."""
    entries: list[PropertyMap] = call.args.get("filters") or []
    tags: dict[str, str] = call.args.get("tags") or {}
    given = [{"Name": entry["name"], "Values": entry["values"]} for entry in entries]
    return [*given, *({"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items())]


def _one(what: str, found: list[str]) -> str:
    if len(found) != 1:
        problem = "no matching" if not found else f"{len(found)} matching"
        raise ProviderError(f"{problem} {what} found; change the search criteria to match exactly one")
    return found[0]


def _vpc_id(call: FunctionCall) -> str:
    args = call.args
    filters = _filters(call)
    for name, key in {"cidrBlock": "cidr", "dhcpOptionsId": "dhcp-options-id", "state": "state"}.items():
        if args.get(name):
            filters.append({"Name": key, "Values": [args[name]]})
    if args.get("default"):
        filters.append({"Name": "is-default", "Values": ["true"]})
    which = {"VpcIds": [args["id"]]} if args.get("id") else {}
    return _one("EC2 VPC", [vpc["VpcId"] for vpc in call.client("ec2").describe_vpcs(Filters=filters, **which)["Vpcs"]])


def _get_subnets(call: FunctionCall) -> PropertyMap:
    found = call.client("ec2").get_paginator("describe_subnets").paginate(Filters=_filters(call))
    ids = sorted(subnet["SubnetId"] for page in found for subnet in page["Subnets"])
    return {**call.args, "id": call.region, "ids": ids, "region": call.region}


def _group_id(call: FunctionCall) -> str:
    args = call.args
    filters = _filters(call)
    for name, key in {"name": "group-name", "vpcId": "vpc-id"}.items():
        if args.get(name):
            filters.append({"Name": key, "Values": [args[name]]})
    which = {"GroupIds": [args["id"]]} if args.get("id") else {}
    found = call.client("ec2").describe_security_groups(Filters=filters, **which)["SecurityGroups"]
    return _one("EC2 Security Group", [group["GroupId"] for group in found])


def _balancer_arn(call: FunctionCall) -> str:
    if call.args.get("arn"):
        return str(call.args["arn"])
    found = call.client("elbv2").describe_load_balancers(Names=[call.required("name")])["LoadBalancers"]
    return _one("ELBv2 Load Balancer", [item["LoadBalancerArn"] for item in found])


def _group_arn(call: FunctionCall) -> str:
    if call.args.get("arn"):
        return str(call.args["arn"])
    found = call.client("elbv2").describe_target_groups(Names=[call.required("name")])["TargetGroups"]
    return _one("ELBv2 Target Group", [item["TargetGroupArn"] for item in found])


def _listener_arn(call: FunctionCall) -> str:
    if call.args.get("arn"):
        return str(call.args["arn"])
    port = call.required("port")
    found = call.client("elbv2").describe_listeners(LoadBalancerArn=call.required("loadBalancerArn"))["Listeners"]
    return _one("ELBv2 Listener", [item["ListenerArn"] for item in found if item.get("Port") == port])


def _zone_id(call: FunctionCall) -> str:
    args = call.args
    if args.get("zoneId"):
        return str(args["zoneId"])
    name, private = str(call.required("name")).rstrip(".").lower(), bool(args.get("privateZone"))
    pages = call.client("route53").get_paginator("list_hosted_zones").paginate()
    zones = [zone for page in pages for zone in page["HostedZones"]]
    return _one(
        f"Route 53 Hosted Zone {name}",
        [
            route53.zone_id(zone["Id"])
            for zone in zones
            if str(zone["Name"]).rstrip(".").lower() == name and bool(zone["Config"].get("PrivateZone")) is private
        ],
    )


def _certificate_arn(call: FunctionCall) -> str:
    """The one of this domain; with mostRecent the newest of several."""
    client, domain = call.client("acm"), str(call.required("domain"))
    pages = client.get_paginator("list_certificates").paginate(
        CertificateStatuses=call.args.get("statuses") or ["ISSUED"]
    )
    found = [each for page in pages for each in page["CertificateSummaryList"] if each["DomainName"] == domain]
    if types := call.args.get("types"):
        found = [each for each in found if each.get("Type") in types]
    if call.args.get("mostRecent"):
        found = sorted(found, key=lambda each: each["NotBefore"])[-1:]
    return _one(f"ACM Certificate of {domain}", [each["CertificateArn"] for each in found])


def _secret_arn(call: FunctionCall) -> str:
    wanted = call.args.get("arn") or call.required("name")
    return str(call.client("secretsmanager").describe_secret(SecretId=wanted)["ARN"])


def _get_cluster_auth(call: FunctionCall) -> PropertyMap:
    """The token that `aws eks get-token` makes: a presigned GetCallerIdentity that names the cluster in a header."""
    name = str(call.required("name"))
    sts = call.client("sts")

    def take(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if "ClusterName" in params:
            context[_CLUSTER_HEADER] = params.pop("ClusterName")

    def put(request: Any, **_: Any) -> None:
        if _CLUSTER_HEADER in request.context:
            request.headers[_CLUSTER_HEADER] = request.context[_CLUSTER_HEADER]

    events = sts.meta.events
    events.register("provide-client-params.sts.GetCallerIdentity", take, unique_id="slipway-eks-take")
    events.register("before-sign.sts.GetCallerIdentity", put, unique_id="slipway-eks-put")
    url = sts.generate_presigned_url(
        "get_caller_identity", Params={"ClusterName": name}, ExpiresIn=_TOKEN_SECONDS, HttpMethod="GET"
    )
    text = _TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return {"id": name, "name": name, "region": call.region, "token": Secret(text)}


def _get_random_password(call: FunctionCall) -> PropertyMap:
    names = {
        "excludeCharacters": "ExcludeCharacters",
        "excludeLowercase": "ExcludeLowercase",
        "excludeNumbers": "ExcludeNumbers",
        "excludePunctuation": "ExcludePunctuation",
        "excludeUppercase": "ExcludeUppercase",
        "includeSpace": "IncludeSpace",
        "passwordLength": "PasswordLength",
        "requireEachIncludedType": "RequireEachIncludedType",
    }
    arguments = {key: call.args[name] for name, key in names.items() if name in call.args}
    password = call.client("secretsmanager").get_random_password(**arguments)["RandomPassword"]
    return {**call.args, "id": call.region, "randomPassword": Secret(password), "region": call.region}


def _get_default_tags(call: FunctionCall) -> PropertyMap:
    return {"id": "tags", "tags": dict(call.session.settings.default_tags)}


def _get_image(call: FunctionCall) -> PropertyMap:
    client, name = call.client("ecr"), str(call.required("repositoryName"))
    which = {
        key: call.args[arg]
        for arg, key in {"imageDigest": "imageDigest", "imageTag": "imageTag"}.items()
        if arg in call.args
    }
    registry = {"registryId": call.args["registryId"]} if call.args.get("registryId") else {}
    found = client.describe_images(repositoryName=name, **registry, **({"imageIds": [which]} if which else {}))[
        "imageDetails"
    ]
    if not found:
        raise ProviderError(f"no images found in ECR repository {name}")
    if len(found) > 1 and not call.args.get("mostRecent"):
        raise ProviderError(f"{len(found)} images found in ECR repository {name}; set mostRecent to take the newest")
    image = max(found, key=lambda item: item["imagePushedAt"])
    uri = client.describe_repositories(repositoryNames=[name], **registry)["repositories"][0]["repositoryUri"]
    return {
        **call.args,
        "id": image["imageDigest"],
        "imageDigest": image["imageDigest"],
        "imagePushedAt": int(image["imagePushedAt"].timestamp()),
        "imageSizeInBytes": int(image.get("imageSizeInBytes") or 0),
        "imageTags": image.get("imageTags") or [],
        "imageUri": f"{uri}@{image['imageDigest']}",
        "region": call.region,
        "registryId": image.get("registryId") or call.session.account_id,
    }


def _listed(*names: str) -> dict[str, str]:
    return {name: f"{name}s" for name in names}


_CLUSTER_LISTS = {
    **_listed("accessConfig", "kubernetesNetworkConfig"),
    "certificateAuthority": "certificateAuthorities",
    "upgradePolicy": "upgradePolicies",
}


def _table() -> dict[str, Function]:
    reads: dict[str, tuple[Resource, Callable[[FunctionCall], str], Mapping[str, str]]] = {
        "aws:acm/getCertificate:getCertificate": (acm.Certificate(), _certificate_arn, {"domainName": "domain"}),
        "aws:cloudwatch/getLogGroup:getLogGroup": (cloudwatch.LogGroup(), _argument("name"), {}),
        "aws:dynamodb/getTable:getTable": (dynamodb.Table(), _argument("name"), {}),
        "aws:ec2/getSecurityGroup:getSecurityGroup": (ec2_security_groups.SecurityGroup(), _group_id, {}),
        "aws:ec2/getVpc:getVpc": (ec2_vpc.Vpc(), _vpc_id, {}),
        "aws:ecr/getRepository:getRepository": (
            ecr.Repository(),
            _argument("name"),
            _listed("imageScanningConfiguration"),
        ),
        "aws:eks/getCluster:getCluster": (eks_cluster.Cluster(), _argument("name"), _CLUSTER_LISTS),
        "aws:iam/getRole:getRole": (iam_roles.Role(), _argument("name"), {}),
        "aws:kms/getAlias:getAlias": (kms.Alias(), _argument("name"), {}),
        "aws:route53/getZone:getZone": (route53.Zone(), _zone_id, {}),
        "aws:s3/getBucket:getBucket": (s3_buckets.Bucket(), _argument("bucket"), {}),
        "aws:secretsmanager/getSecret:getSecret": (secretsmanager.Secret(), _secret_arn, {}),
    }
    for module in ("lb", "alb"):
        balancer, group = elbv2_load_balancers.LoadBalancer(), elbv2_load_balancers.TargetGroup()
        reads[f"aws:{module}/getLoadBalancer:getLoadBalancer"] = (balancer, _balancer_arn, {})
        reads[f"aws:{module}/getTargetGroup:getTargetGroup"] = (group, _group_arn, {})
        reads[f"aws:{module}/getListener:getListener"] = (elbv2_listeners.Listener(), _listener_arn, {})
    return {token: _looked_up(token, *parts) for token, parts in reads.items()}


FUNCTIONS: Mapping[str, Function] = {
    **_table(),
    "aws:ec2/getSubnets:getSubnets": _get_subnets,
    "aws:ecr/getImage:getImage": _get_image,
    "aws:eks/getClusterAuth:getClusterAuth": _get_cluster_auth,
    "aws:index/getDefaultTags:getDefaultTags": _get_default_tags,
    "aws:secretsmanager/getRandomPassword:getRandomPassword": _get_random_password,
}
