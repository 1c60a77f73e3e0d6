"""The daemon's own pages under `/_slipway/`: token reviews for API servers, images for the registry's proxy, status."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from slipway.sandbox.aws.answers import Answer, Environ, json_answer, manifest_error, passed_on
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.callers import caller_of
from slipway.sandbox.aws.ecr.referrers import DIGEST, referrers
from slipway.sandbox.aws.eks.access import same_principal
from slipway.sandbox.aws.eks.models import find_cluster
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.token_review import Identity, decode_request, review
from slipway.sandbox.aws.world import world
from slipway.sandbox.images.source import ImageSource
from slipway.sandbox.registry_access import PUSH

MAXIMUM_REVIEW_BYTES = 1 << 20
MAXIMUM_MANIFEST_BYTES = 4 << 20
"""The registry's own limit."""
COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
REFERENCE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}|{DIGEST.pattern}")
"""Source: OCI distribution specification, "Pulling manifests". Other texts would lead elsewhere in the registry."""


def token_review_route(environ: Environ) -> Answer:
    """POST /_slipway/token-review/<cluster>: a TokenReview."""
    if environ["REQUEST_METHOD"] != "POST":
        return json_answer({"error": "send a TokenReview by POST"}, "405 Method Not Allowed")
    cluster = str(environ["PATH_INFO"]).rpartition("/")[2]
    body = read_body(environ, MAXIMUM_REVIEW_BYTES)
    with API_LOCK:
        answer = review(
            decode_request(body or b""),
            cluster,
            caller_of=caller_of,
            identity_of=cluster_identity,
            now=datetime.now(UTC),
        )
    return json_answer(answer)


def cluster_identity(cluster_name: str, caller: str) -> Identity | None:
    """The Kubernetes user that a cluster's access entries make of a caller; None when no entry lets it in."""
    found = find_cluster(cluster_name)
    if found is None:
        return None
    backend, _ = found
    for entry in backend.extras_of(cluster_name).access_entries.values():
        if same_principal(entry.principal_arn, caller):
            username, groups = entry.identity(caller)
            return Identity(username=username, groups=tuple(groups), arn=caller)
    return None


def registry_route(
    source: ImageSource,
    write: Callable[[str, str, bytes, str], Answer | None],
    right_of: Callable[[str], str | None],
) -> Callable[[Environ], Answer]:
    """/_slipway/registry/v2/<repository>/manifests/<reference> and …/referrers/<digest>, as the registry's proxy sends them here.

    Reading may make a stand-in. `write` gets repository, reference, content and media type, and answers None for a path it refuses.
    `right_of` says what a header `Authorization` is good for: this page can be asked without the proxy, too.
    """

    def route(environ: Environ) -> Answer:
        path = str(environ["PATH_INFO"]).partition("/v2/")[2]
        kind = "/manifests/" if "/manifests/" in path else "/referrers/"
        repository, _, reference = path.rpartition(kind)
        method = environ["REQUEST_METHOD"]
        right = right_of(str(environ.get("HTTP_AUTHORIZATION", "")))
        if refused := _refusal(right, repository, reference):
            return refused
        registry = world().registry
        if kind == "/referrers/" and registry is not None and method == "GET" and DIGEST.fullmatch(reference):
            return referrers(registry, repository, reference)
        if method == "PUT":
            if right != PUSH:
                return manifest_error("403 Forbidden", "DENIED", "These credentials may pull only.")
            content = read_body(environ, MAXIMUM_MANIFEST_BYTES)
            media_type = str(environ.get("CONTENT_TYPE", ""))
            answer = None if content is None else write(repository, reference, content, media_type)
            return answer or manifest_error(
                "404 Not Found", "NAME_UNKNOWN", f"no repository {repository}, or no manifest"
            )
        found = source.manifest(repository, reference)
        if found is None:
            return manifest_error("404 Not Found", "MANIFEST_UNKNOWN", f"no image {repository}:{reference}")
        return passed_on(found, with_body=method != "HEAD")

    return route


def _refusal(right: str | None, repository: str, reference: str) -> Answer | None:
    if right is None:
        return manifest_error("401 Unauthorized", "UNAUTHORIZED", "Not Authorized")
    if not REPOSITORY.fullmatch(repository) or not REFERENCE.fullmatch(reference):
        return manifest_error("404 Not Found", "NAME_INVALID", "no repository or image can have this name")
    return None
