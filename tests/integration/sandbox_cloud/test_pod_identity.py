"""AssumeRoleForPodIdentity: which token gets which role's session. The cluster's review of the token is played by the test.

Not proven here: that a cluster reviews a token so, nor the agent on a node; a pod tries both in the tests of the whole sandbox.
"""

from __future__ import annotations

import base64
import json
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.integration.sandbox_cloud.conftest import ApiDaemon

AUDIENCE = "pods.eks.amazonaws.com"
REGION = "us-east-1"
PROGRAM = """
import base64, json
from types import SimpleNamespace
from slipway.errors import OperationError
from slipway.sandbox.aws.world import World, use_world
from slipway.sandbox.daemon import DaemonOptions, run
from slipway.sandbox.paths import SandboxPaths

class Clusters:
    def create(self, name, *, token_webhook_url):
        return SimpleNamespace(endpoint="https://127.0.0.1:1", ca_pem="", service_cidr="10.110.0.0/16", version="1.35")

    def review_token(self, name, token, audience):
        status = json.loads(base64.urlsafe_b64decode(token.split(".")[1]))
        if not status:
            raise OperationError("the API server does not answer")
        return status if name == "shop" else {"authenticated": False}

use_world(World(clusters=Clusters()))
run(SandboxPaths.from_environment(), DaemonOptions(port=0, api_only=True))
"""


def token(account: str = "orders", **changes: Any) -> str:
    """A token of which a cluster would say this."""
    extra = {"authentication.kubernetes.io/pod-name": ["orders-1"], "authentication.kubernetes.io/pod-uid": ["u-1"]}
    user = {"username": f"system:serviceaccount:shop:{account}", "extra": extra}
    status = {"authenticated": True, "audiences": [AUDIENCE], "user": user} | changes
    return f"e30.{base64.urlsafe_b64encode(json.dumps(status).encode()).decode()}.c2ln"


def trust(service: str = AUDIENCE, account: str = "orders") -> str:
    condition = {"StringEquals": {"aws:RequestTag/kubernetes-service-account": account}}
    actions = ["sts:AssumeRole", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions, "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDaemon]:
    home: Path = tmp_path_factory.mktemp("home")
    made = ApiDaemon(home, ("-c", textwrap.dedent(PROGRAM)))
    made.start()
    eks, iam = made.client("eks"), made.client("iam")
    for name in ("shop", "other"):
        eks.create_cluster(name=name, roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig={})
    for account, document in [
        ("orders", trust()),
        ("billing", trust(account="orders")),
        ("mailer", trust("ec2.amazonaws.com", "mailer")),
    ]:
        role = iam.create_role(RoleName=f"{account}-pods", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        eks.create_pod_identity_association(clusterName="shop", namespace="shop", serviceAccount=account, roleArn=role)
    yield made
    made.end(signal.SIGTERM)


def test_pod_gets_a_session_of_its_accounts_role_and_signs_with_it(api: ApiDaemon) -> None:
    answer = api.client("eks-auth").assume_role_for_pod_identity(clusterName="shop", token=token())

    assert answer["subject"] == {"namespace": "shop", "serviceAccount": "orders"}
    assert answer["audience"] == AUDIENCE
    arn: str = answer["assumedRoleUser"]["arn"]
    assert arn.startswith("arn:aws:sts::123456789012:assumed-role/orders-pods/eks-shop-orders-1-")
    made = answer["credentials"]
    sts = boto3.client(
        "sts",
        REGION,
        endpoint_url=api.url,
        aws_access_key_id=made["accessKeyId"],
        aws_secret_access_key=made["secretAccessKey"],
        aws_session_token=made["sessionToken"],
    )
    assert sts.get_caller_identity()["Arn"] == arn


@pytest.mark.parametrize(
    ("given", "cluster", "code"),
    [
        (token(authenticated=False, error="it has expired"), "shop", "ExpiredTokenException"),
        (token(authenticated=False), "shop", "InvalidTokenException"),
        (token(audiences=["https://kubernetes.default.svc"]), "shop", "InvalidTokenException"),
        (token(audiences=None), "shop", "InvalidTokenException"),
        (token(user={"username": "system:serviceaccount:shop:orders"}), "shop", "InvalidTokenException"),
        (token(user={"username": "system:node:a"}), "shop", "InvalidTokenException"),
        (token(), "other", "InvalidTokenException"),
        (token(), "unknown", "ResourceNotFoundException"),
        (token("nobody"), "shop", "ResourceNotFoundException"),
        (token("billing"), "shop", "AccessDeniedException"),  # its role trusts another account
        (token("mailer"), "shop", "AccessDeniedException"),  # its role trusts another service
        (f"e30.{base64.urlsafe_b64encode(b'{}').decode()}.c2ln", "shop", "ServiceUnavailableException"),
    ],
)
def test_refuses_other_tokens_accounts_and_roles(api: ApiDaemon, given: str, cluster: str, code: str) -> None:
    with pytest.raises(ClientError) as refusal:
        api.client("eks-auth").assume_role_for_pod_identity(clusterName=cluster, token=given)

    assert refusal.value.response["Error"]["Code"] == code


def test_session_survives_a_restart(api: ApiDaemon) -> None:
    made = api.client("eks-auth").assume_role_for_pod_identity(clusterName="shop", token=token())["credentials"]
    session: Any = boto3.Session(made["accessKeyId"], made["secretAccessKey"], made["sessionToken"], REGION)

    api.end(signal.SIGKILL)
    api.start()

    identity = session.client("sts", endpoint_url=api.url).get_caller_identity()
    assert ":assumed-role/orders-pods/" in identity["Arn"]
