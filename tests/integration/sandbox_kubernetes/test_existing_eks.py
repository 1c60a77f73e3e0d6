"""EKS on an existing cluster, through AWS's own API and tokens, from creation to deletion."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from cluster_kit import FakeCluster
from endpoint_kit import WAIT_SECONDS, free_port, signed_token

from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable

NAME = "orders-dev-1a2b3c4"
ROLE = "arn:aws:iam::123456789012:role/cluster"
PATIENCE = {"Delay": 1, "MaxAttempts": 60}
VARIABLE = "SLIPWAY_SANDBOX_KUBECONFIG"


@pytest.fixture
def eks(cluster: FakeCluster, tmp_path: Path) -> Iterator[Any]:
    """A client of an AWS API whose EKS has the fake cluster for an existing one."""
    home, port = tmp_path / "home", free_port()
    argv = [sys.executable, str(Path(__file__).with_name("existing_daemon.py")), str(port), str(free_port())]
    environment = {**os.environ, "SLIPWAY_HOME": str(home), VARIABLE: str(tmp_path / "config")}
    environment |= {"MOTO_PORT": str(port), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    daemon = subprocess.Popen(argv, env=environment)
    deadline = time.monotonic() + 3 * WAIT_SECONDS
    while True:
        assert daemon.poll() is None, "the daemon ended"
        try:
            httpx.get(f"http://127.0.0.1:{port}/_slipway/none", timeout=1, trust_env=False)
            break
        except httpx.HTTPError:
            assert time.monotonic() < deadline, "the daemon did not come up"
            time.sleep(0.1)
    yield boto3.client(
        "eks",
        "us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(proxies={}),
    )
    daemon.terminate()
    daemon.wait(WAIT_SECONDS)
    processes = ProcessTable(SandboxPaths(home))
    for record in list(processes.records()):
        processes.stop(record.name)


def test_cluster_is_told_entered_and_let_go(eks: Any, cluster: FakeCluster) -> None:
    eks.create_cluster(name=NAME, roleArn=ROLE, resourcesVpcConfig={})
    eks.get_waiter("cluster_active").wait(name=NAME, WaiterConfig=PATIENCE)
    eks.create_nodegroup(clusterName=NAME, nodegroupName="workers", subnets=["subnet-1"], nodeRole=ROLE)
    eks.get_waiter("nodegroup_active").wait(clusterName=NAME, nodegroupName="workers", WaiterConfig=PATIENCE)

    told = eks.describe_cluster(name=NAME)["cluster"]
    trust = ssl.create_default_context(cadata=base64.b64decode(told["certificateAuthority"]["data"]).decode())
    token = signed_token(NAME, "test", access_key="test")
    with httpx.Client(base_url=told["endpoint"], verify=trust, timeout=WAIT_SECONDS, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        assert client.get("/version").json()["major"] == "1"
        asked = dict(cluster.asked[-1])
        assert asked["impersonate-user"] == "arn:aws:iam::123456789012:user/moto"
        assert asked["impersonate-group"] == "eks:access:cluster-admin"

        eks.delete_access_entry(clusterName=NAME, principalArn="arn:aws:iam::123456789012:user/moto")
        time.sleep(2.1)  # what a review answered is believed for two seconds
        refused = client.get("/version")
        assert "has no access entry in cluster orders-dev-1a2b3c4" in refused.json()["message"]

    eks.delete_nodegroup(clusterName=NAME, nodegroupName="workers")
    eks.get_waiter("nodegroup_deleted").wait(clusterName=NAME, nodegroupName="workers", WaiterConfig=PATIENCE)
    cluster.written.clear()
    eks.delete_cluster(name=NAME)
    eks.get_waiter("cluster_deleted").wait(name=NAME, WaiterConfig=PATIENCE)
    assert {method for method, _ in cluster.written} == {"DELETE"}


def test_second_cluster_fails_with_the_reason_in_its_health(eks: Any) -> None:
    eks.create_cluster(name=NAME, roleArn=ROLE, resourcesVpcConfig={})
    eks.get_waiter("cluster_active").wait(name=NAME, WaiterConfig=PATIENCE)
    eks.create_cluster(name="orders-prod-5d6e7f8", roleArn=ROLE, resourcesVpcConfig={})

    deadline = time.monotonic() + WAIT_SECONDS
    while (seen := eks.describe_cluster(name="orders-prod-5d6e7f8")["cluster"])["status"] == "CREATING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert seen["status"] == "FAILED"
    (issue,) = seen["health"]["issues"]
    assert "make one cluster for each environment" in issue["message"]
