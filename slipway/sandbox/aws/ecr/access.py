"""What a caller may do with a repository of the registry when it shows its token: what IAM says at that moment, as of ECR's API."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

from typing import Any

from moto.ecr.models import ecr_backends

from slipway.sandbox.aws.callers import find_caller
from slipway.sandbox.aws.lock import API_LOCK

READ = ("BatchGetImage",)
READ_LAYERS = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer")
LIST = ("ListImages",)
UPLOAD = ("InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload")
"""Asked for when an upload begins. The registry takes its parts from nobody who did not begin it."""
WRITE = ("PutImage",)
PUBLIC = "library/"
"""Beginning of what stands for public images, which are in no repository of ECR's."""


def refuse_use(access_key: str, repository_name: str, actions: tuple[str, ...]) -> str:
    """Why the owner of the access key may not do all of these actions on the repository; empty where it may.

    Repositories of the same name, in all accounts and regions, share their images here: the caller needs the right on each.
    """
    from slipway.sandbox.aws.iam.enforcement import may  # noqa: PLC0415 - slow to import, and for callers other than the owner

    with API_LOCK:
        caller = find_caller(access_key)
        if caller is None:
            return "The identity that this token was made for is gone."
        if caller.is_owner:
            return ""
        backends: list[Any] = [backend for _, _, backend in list(ecr_backends.iter_backends())]
        found = [each.repositories[repository_name] for each in backends if repository_name in each.repositories]
        if not found and actions == READ and repository_name.startswith(PUBLIC):
            return ""
        if not found:
            return f"The repository with name '{repository_name}' does not exist"
        for repository in found:
            for action in actions:
                if not may(caller, "ecr", action, str(repository.arn), str(repository.region_name)):
                    return (
                        f"User: {caller.arn} is not authorized to perform: ecr:{action} on resource: {repository.arn}"
                    )
    return ""
