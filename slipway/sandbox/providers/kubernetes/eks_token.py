"""`aws eks get-token`, answered in this process by the AWS CLI's own code where the CLI that would run is the one installed beside it.

The token is the URL of a presigned request: nothing is asked of AWS for it, so that the second a CLI takes to start is all that is saved.
Whatever is not plainly this command (other options, its own environment, another `aws` on PATH, plugins) is left to the command itself.
"""

# Neither botocore nor the AWS CLI has types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportMissingTypeStubs=false, reportUnknownArgumentType=false

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_COMMAND = ("eks", "get-token")
_OPTIONS = frozenset({"--cluster-name", "--region", "--output"})


def answer_get_token(section: dict[str, Any], arguments: Sequence[str]) -> tuple[str, datetime] | None:
    """The token and its end, for the `exec` section of a kubeconfig; None: the command is to be run, for an answer or for its error."""
    options = _plain_options(section, arguments)
    if options is None or not _is_ours(str(section.get("command"))):
        return None
    import botocore.session  # noqa: PLC0415 - 0.2 s that most programs do without
    from awscli.customizations.eks import get_token  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    session = botocore.session.Session()
    try:
        if session.full_config.get("plugins"):
            return None
        client = get_token.STSClientFactory(session).get_sts_client(region_name=options.get("--region"))
        token = str(get_token.TokenGenerator(client).get_token(options["--cluster-name"]))
    except BotoCoreError:
        return None  # no credentials, no such profile: the command says it in words that users can look up
    return token, datetime.now(UTC) + timedelta(minutes=get_token.TOKEN_EXPIRATION_MINS)


def _plain_options(section: dict[str, Any], arguments: Sequence[str]) -> dict[str, str] | None:
    if tuple(arguments[:2]) != _COMMAND or section.get("env") or section.get("provideClusterInfo"):
        return None
    names, values = arguments[2::2], arguments[3::2]
    options = dict(zip(names, values, strict=False))
    is_plain = len(names) == len(values) == len(options) and options.keys() <= _OPTIONS
    is_json = options.get("--output", "json") == "json"
    return options if is_plain and is_json and options.get("--cluster-name") else None


def _is_ours(command: str) -> bool:
    found = shutil.which(command)
    return found is not None and Path(found) == Path(sys.executable).with_name("aws")
