"""The environment variables that point Pulumi, the AWS CLI and Docker at the sandbox."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from slipway.sandbox.docker import DockerEngine
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.paths import AWS_PORT, SandboxPaths
from slipway.sandbox.processes import ProcessTable

REGION = "us-east-1"
ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"


def sandbox_environment(paths: SandboxPaths) -> dict[str, str]:
    """What a user of the sandbox sets; the passphrase file and the state folder are made when they are not there."""
    processes = ProcessTable(paths)
    state = paths.sandbox / "pulumi"
    state.mkdir(parents=True, exist_ok=True)
    folders = [Path(sys.executable).parent, ClusterManager(paths, processes).kubectl().parent]
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    # First, so that the kubeconfig's `aws eks get-token` is this environment's.
    path = [str(folder) for folder in folders if str(folder) not in path[: len(folders)]] + path
    return {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(ensure_passphrase(paths)),
        "DOCKER_HOST": DockerEngine(paths, processes).host,
        "SLIPWAY_SANDBOX": "1",
        "PATH": os.pathsep.join(dict.fromkeys(path)),
    }


def ensure_passphrase(paths: SandboxPaths) -> Path:
    """The file with the passphrase of the sandbox's stacks: random, readable by its owner only, made once."""
    path = paths.sandbox / "passphrase"
    if not path.exists():
        paths.sandbox.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(32))
        temporary.replace(path)
    return path
