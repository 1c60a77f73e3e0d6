"""The environment variables that point Pulumi, the AWS CLI and Docker at the sandbox."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path

from slipway.sandbox.docker_host import engine_host
from slipway.sandbox.paths import SandboxPaths, ensure_secret, private_folder
from slipway.sandbox.ports import AWS_PORT, PROVIDER_PORTS, debug_providers

REGION = "us-east-1"
ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"
AWS_VARIABLE = "SLIPWAY_SANDBOX_AWS"
"""`plugin`: use the real AWS provider, where it is installed, against the sandbox's API. Untried: it is in no package registry."""


def sandbox_environment(paths: SandboxPaths) -> dict[str, str]:
    """What a user of the sandbox sets; the passphrase file and the state folder are made when they are not there."""
    state = private_folder(paths.sandbox / "pulumi") / "state"
    state.mkdir(exist_ok=True)
    # First, so that the kubeconfig's `aws eks get-token` is the sandbox's.
    folders = [str(paths.programs), str(Path(sys.executable).parent)]
    path = [*folders, *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return {
        "AWS_ENDPOINT_URL": ENDPOINT,
        **aws_credentials(paths),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        # Made by the daemon. What the program gives pods, since no database of the sandbox has a certificate of Amazon's.
        "SLIPWAY_DATABASE_CA_BUNDLE": str(paths.database_ca_bundle),
        # Likewise, for clients of load balancers: the smoke test reads it, and `curl --cacert` takes it.
        "SLIPWAY_CA_BUNDLE": str(paths.domain_ca_bundle),
        **_pulumi_settings(paths, state),
        # Where Python is told to write no bytecode, too: compiling the SDKs takes longer than everything else.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(paths.cache / "bytecode"),
        "DOCKER_HOST": engine_host(paths),
        "SLIPWAY_SANDBOX": "1",
        "PATH": os.pathsep.join(dict.fromkeys(path)),
    }


def _pulumi_settings(paths: SandboxPaths, state: Path) -> dict[str, str]:
    settings = {
        "PULUMI_BACKEND_URL": f"file://{state}?metadata=skip",  # no `.attrs` that a killed CLI leaves torn
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(ensure_passphrase(paths)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A stack file without a salt, as committed: the CLI would make a new one beside the state's, and encrypt everything again.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
    }
    if os.environ.get(AWS_VARIABLE) == "plugin":
        # The real AWS provider, installed by the user, talks to the sandbox's API by AWS_ENDPOINT_URL.
        return {**settings, "PULUMI_DEBUG_PROVIDERS": debug_providers({"docker": PROVIDER_PORTS["docker"]})}
    return {
        **settings,
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DEBUG_PROVIDERS": debug_providers(),
    }


def aws_credentials(paths: SandboxPaths) -> dict[str, str]:
    """The variables with the credentials of the sandbox's own AWS user. A reset keeps them: open shells have them."""

    def make() -> str:
        # AWS's own form: 20 characters of base32, 40 of base64.
        key, secret = base64.b32encode(secrets.token_bytes(10)).decode(), secrets.token_urlsafe(30)
        # An empty session token, since one of a person's may be set.
        return json.dumps({"AWS_ACCESS_KEY_ID": f"AKIA{key}", "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": ""})

    found: dict[str, str] = json.loads(
        ensure_secret(private_folder(paths.home / "private") / "aws-credentials.json", make).read_text()
    )
    return found


def ensure_passphrase(paths: SandboxPaths) -> Path:
    """The file with the passphrase of the sandbox's stacks.

    Outside of what a reset removes: the CLI writes a salt that fits it into stack files, and those stay.
    """
    return ensure_secret(paths.home / "passphrase", lambda: secrets.token_urlsafe(32))
