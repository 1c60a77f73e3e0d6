"""The environment variables that point Pulumi, the AWS CLI and Docker at the sandbox."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import tempfile
from pathlib import Path

from slipway.sandbox.docker_host import engine_host
from slipway.sandbox.paths import AWS_PORT, SandboxPaths
from slipway.sandbox.providers import PROVIDERS

REGION = "us-east-1"
ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"


def sandbox_environment(paths: SandboxPaths) -> dict[str, str]:
    """What a user of the sandbox sets; the passphrase file, the state folder and the plugins are made when they are not there."""
    state = paths.sandbox / "pulumi"
    state.mkdir(parents=True, exist_ok=True)
    write_plugins(paths)
    # First, so that the kubeconfig's `aws eks get-token` is this environment's.
    folders = [str(Path(sys.executable).parent), str(programs_folder(paths))]
    path = [*folders, *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(ensure_passphrase(paths)),
        # The Pulumi CLI must neither fetch the providers that the sandbox stands in for nor ask for news of itself.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A stack file without a salt, as committed: the CLI would make a new one beside the state's, and encrypt all anew.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "DOCKER_HOST": engine_host(paths),
        "SLIPWAY_SANDBOX": "1",
        "PATH": os.pathsep.join(dict.fromkeys(path)),
    }


def programs_folder(paths: SandboxPaths) -> Path:
    """Where `kubectl` of the clusters' version is found; goes on PATH."""
    return paths.programs


def link_programs(paths: SandboxPaths, *programs: Path) -> None:
    """Put programs into that folder, by their own names."""
    folder = programs_folder(paths)
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        link = folder / program.name
        temporary = link.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(program)
        temporary.replace(link)


def write_plugins(paths: SandboxPaths) -> None:
    """Put a `pulumi-resource-*` of each of the sandbox's providers into that folder, where the Pulumi CLI looks for plugins first.

    There only, and not among the environment's scripts: a shell that does not use the sandbox must never meet one.
    """
    folder = programs_folder(paths)
    for package in PROVIDERS:
        serve = [sys.executable, "-P", "-m", "slipway.sandbox.providers.serve", package]
        text = f'#!/bin/sh\nexec {shlex.join(serve)} "$@"\n'
        plugin = folder / f"pulumi-resource-{package}"
        if plugin.exists() and plugin.read_text() == text:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{plugin.name}-", delete=False) as file:
            file.write(text)
        temporary = Path(file.name)
        temporary.chmod(0o755)
        temporary.replace(plugin)


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
