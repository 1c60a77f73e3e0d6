"""What the program of `infra/` needs to run with fake providers: what the ledger, AWS and Docker answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@sha256:" + "a" * 64
WANTED = {
    "live": "blue",
    "test": "green",
    "colours": {"blue": {"release": "r1", "version": "1.0.0", "image": IMAGE}, "green": None},
    "weights": {"blue": 100, "green": 0},
}


@pytest.fixture
def stack_options(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of `deploy` and `upgrade_from`. The engine runs the program in `infra/`; the image's context is relative to it."""
    monkeypatch.chdir(ROOT / "infra")
    return {
        "project": ROOT,
        "answers": {
            "aws:ecr/repository:Repository": {"repositoryUrl": "123456789012.dkr.ecr.us-east-1.amazonaws.com/orders"},
            "aws:eks/cluster:Cluster": {"vpcConfig": {"clusterSecurityGroupId": "sg-cluster"}},
            "docker:index/image:Image": {"repoDigest": IMAGE},
        },
        "invokes": {
            "aws:dynamodb/getTableItem:getTableItem": {"item": json.dumps({"document": {"S": json.dumps(WANTED)}})},
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "token"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": ["us-east-1a", "us-east-1b", "us-east-1c"]
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012"},
            "aws:index/getRegion:getRegion": {"region": "us-east-1"},
            "aws:secretsmanager/getSecretVersion:getSecretVersion": {"secretString": '{"password": "hunter2"}'},
        },
    }
