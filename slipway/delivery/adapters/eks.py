"""An API client of an EKS cluster from AWS credentials alone: endpoint and CA from EKS, token from STS. No kubectl, no kubeconfig.

The token is what `aws eks get-token` prints: `k8s-aws-v1.` and the URL of a presigned GetCallerIdentity that names the cluster in a header.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false
# The Kubernetes client has no types.

from __future__ import annotations

import base64
import time
from typing import Any

import boto3
from botocore.signers import RequestSigner
from kubernetes import client as kubernetes

from slipway.delivery.adapters.aws import CONFIG, aws_errors, session

TOKEN_SECONDS = 600
"""A token is good for 15 minutes after it was made; a long migration outlives it, so it is made anew in time."""
URL_SECONDS = 60
CALL_TIMEOUT_SECONDS = (5, 20)
"""Connect and read, for each call."""


def build_api_client(cluster_name: str, region: str) -> Any:
    """A client of the cluster that renews its token by itself. OperationError when the cluster cannot be described."""
    aws = session(region)
    with aws_errors(f"describe the cluster {cluster_name}"):
        cluster = aws.client("eks", config=CONFIG).describe_cluster(name=cluster_name)["cluster"]
        configuration: Any = kubernetes.Configuration()
        configuration.host = cluster.get("endpoint", "")
        configuration.ca_cert_data = base64.b64decode(cluster.get("certificateAuthority", {}).get("data", "")).decode()
        tokens = _Tokens(aws, cluster_name, region)
        configuration.refresh_api_key_hook = tokens.renew
        tokens.renew(configuration)
    return kubernetes.ApiClient(configuration)


def build_token(aws: boto3.Session, cluster_name: str, region: str) -> str:
    """One token, good for 15 minutes from now."""
    sts = aws.client("sts", region_name=region, config=CONFIG)
    signer = RequestSigner(sts.meta.service_model.service_id, region, "sts", "v4", aws.get_credentials(), aws.events)  # pyright: ignore[reportArgumentType] - resolved on use
    request = {
        "method": "GET",
        "url": f"{sts.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster_name},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name=region, expires_in=URL_SECONDS, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


class _Tokens:
    def __init__(self, aws: boto3.Session, cluster_name: str, region: str) -> None:
        self._aws, self._cluster_name, self._region = aws, cluster_name, region
        self._made_at = float("-inf")

    def renew(self, configuration: Any) -> None:
        if time.monotonic() - self._made_at < TOKEN_SECONDS:
            return
        configuration.api_key = {"authorization": f"Bearer {build_token(self._aws, self._cluster_name, self._region)}"}
        self._made_at = time.monotonic()
