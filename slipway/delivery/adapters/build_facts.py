"""What checkout and machine say of a build, for its provenance."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from slipway.delivery.adapters.checkout import LOCK_FILE, git_commit, git_output
from slipway.delivery.model.provenance import Build, repository_url

BASE_ARGUMENT = re.compile(r"^ARG\s+BASE_IMAGE=(\S+)", re.MULTILINE)
IMAGE_LOCK = "requirements.txt"
WORKSTATION = "urn:slipway:workstation"


def read_build(
    project: Path, app: Path, base_image: str, parameters: Mapping[str, str], environ: Mapping[str, str] = os.environ
) -> Build:
    """`base_image`: as the stack file names it; empty: the Dockerfile's default."""
    remote, root = (
        git_output(project, "remote", "get-url", "origin"),
        git_output(project, "rev-parse", "--show-toplevel"),
    )
    builder, invocation = _builder(environ)
    dockerfile = app / "Dockerfile"
    default = BASE_ARGUMENT.search(dockerfile.read_text()) if dockerfile.is_file() else None
    files = [path for path in (project / LOCK_FILE, app / IMAGE_LOCK, dockerfile) if path.is_file()]
    return Build(
        # Without a remote, the folder stands for the repository: what it builds is what it can promote.
        repository=repository_url(remote or root),
        branch=git_output(project, "symbolic-ref", "--short", "--quiet", "HEAD"),
        commit=git_commit(project),
        builder=builder,
        invocation=invocation,
        parameters=parameters,
        base_image=base_image or (default[1] if default else ""),
        files={str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    )


def _builder(environ: Mapping[str, str]) -> tuple[str, str]:
    """GitHub's workflow and run, where it is one."""
    server, workflow = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_WORKFLOW_REF", "")
    if environ.get("GITHUB_ACTIONS") != "true" or not server or not workflow:
        return WORKSTATION, ""
    run = f"{environ.get('GITHUB_RUN_ID', '')}/attempts/{environ.get('GITHUB_RUN_ATTEMPT', '1')}"
    return f"{server}/{workflow}", f"{server}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"
