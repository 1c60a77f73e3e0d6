"""Tokens for a cluster's API."""

from __future__ import annotations

import base64
from typing import Any

from slipway.providers.values import PropertyMap, Secret
from slipway.sandbox.providers.framework.functions import FunctionCall, function

_TOKEN_SECONDS = 60  # of the URL itself; EKS takes the token for 15 minutes; source: aws-cli, eks get-token


_TOKEN_PREFIX = "k8s-aws-v1."


_CLUSTER_HEADER = "x-k8s-aws-id"


@function("aws:eks/getClusterAuth:getClusterAuth")
def get_cluster_auth(call: FunctionCall) -> PropertyMap:
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
