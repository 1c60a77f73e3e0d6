"""The daemon's own pages under `/_slipway/`: token reviews for API servers, images for the registry's proxy, status."""

# moto is not typed strictly, and offers no public way to some things.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeArgument=false
# pyright: reportPrivateUsage=false, reportGeneralTypeIssues=false, reportPrivateImportUsage=false

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from slipway.sandbox.aws.answers import Answer, Environ, json_answer, manifest_error, passed_on
from slipway.sandbox.aws.bodies import read_body
from slipway.sandbox.aws.callers import caller_of
from slipway.sandbox.aws.ecr.access import LIST, READ, READ_LAYERS, UPLOAD, WRITE, refuse_use
from slipway.sandbox.aws.ecr.referrers import DIGEST, referrers
from slipway.sandbox.aws.eks.access import same_principal
from slipway.sandbox.aws.eks.models import find_cluster
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.token_review import Identity, decode_request, review
from slipway.sandbox.aws.world import world
from slipway.sandbox.images.source import ImageSource
from slipway.sandbox.registry_access import PUSH, Right

MAXIMUM_REVIEW_BYTES = 1 << 20
MAXIMUM_MANIFEST_BYTES = 4 << 20
"""The registry's own limit."""
COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
REFERENCE = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}|{DIGEST.pattern}")
"""Source: OCI distribution specification, "Pulling manifests". Other texts would lead elsewhere in the registry."""

Refuse = Callable[[str, str, tuple[str, ...]], str]
"""Why the owner of an access key may not do something with a repository; empty where it may."""


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
    right_of: Callable[[str], Right | None],
    refuse: Refuse = refuse_use,
) -> Callable[[Environ], Answer]:
    """/_slipway/registry/v2/<repository>/…, as the registry's proxy sends it here: manifests, referrers, tags, and beginnings of uploads.

    Reading may make a stand-in. `write` gets repository, reference, content and media type, and answers None for a path it refuses.
    `right_of` says what a header `Authorization` is good for: this page can be asked without the proxy, too. `refuse` says why a caller
    may not use a repository.
    """

    def route(environ: Environ) -> Answer:
        asked = _Asked.of(str(environ["PATH_INFO"]).partition("/v2/")[2], str(environ["REQUEST_METHOD"]))
        right = right_of(str(environ.get("HTTP_AUTHORIZATION", "")))
        if right is None:
            return manifest_error("401 Unauthorized", "UNAUTHORIZED", "Not Authorized")
        if asked is None:
            return manifest_error("404 Not Found", "NAME_INVALID", "no repository or image can have this name")
        if why := _denial(asked, right, refuse):
            return manifest_error("403 Forbidden", "DENIED", why)
        if asked.kind != "manifests":
            return _of_registry(
                asked, environ, lambda origin: not (right.caller and refuse(right.caller, origin, READ_LAYERS))
            )
        return _written(asked, environ, write) if asked.method == "PUT" else _read(asked, source)

    return route


def _denial(asked: _Asked, right: Right, refuse: Refuse) -> str:
    if right.kind != PUSH and asked.actions in {WRITE, UPLOAD}:
        return "These credentials may pull only."
    return refuse(right.caller, asked.repository, asked.actions) if right.caller else ""


def _written(asked: _Asked, environ: Environ, write: Callable[[str, str, bytes, str], Answer | None]) -> Answer:
    content = read_body(environ, MAXIMUM_MANIFEST_BYTES)
    media_type = str(environ.get("CONTENT_TYPE", ""))
    answer = None if content is None else write(asked.repository, asked.reference, content, media_type)
    message = f"no repository {asked.repository}, or no manifest"
    return answer or manifest_error("404 Not Found", "NAME_UNKNOWN", message)


def _read(asked: _Asked, source: ImageSource) -> Answer:
    found = source.manifest(asked.repository, asked.reference)
    if found is None:
        return manifest_error("404 Not Found", "MANIFEST_UNKNOWN", f"no image {asked.repository}:{asked.reference}")
    return passed_on(found, with_body=asked.method != "HEAD")


def _of_registry(asked: _Asked, environ: Environ, may_take_from: Callable[[str], bool]) -> Answer:
    """What the registry itself answers, or its list of referrers."""
    registry = world().registry
    if registry is None:
        return manifest_error("404 Not Found", "NAME_UNKNOWN", "there is no registry")
    if asked.kind == "referrers":
        return referrers(registry, asked.repository, asked.reference)
    if asked.kind == "tags":
        return passed_on(registry.list_tags(asked.repository), with_body=asked.method != "HEAD")
    # A layer that the upload would rather take from another repository.
    query = dict(parse_qsl(str(environ.get("QUERY_STRING", ""))))
    digest, origin = query.get("mount", ""), query.get("from", "")
    if DIGEST.fullmatch(digest) and REPOSITORY.fullmatch(origin) and may_take_from(origin):
        return passed_on(registry.begin_upload(asked.repository, mount=digest, origin=origin))
    return passed_on(registry.begin_upload(asked.repository))


@dataclass(frozen=True)
class _Asked:
    """A request to the registry."""

    kind: str
    method: str
    repository: str
    reference: str
    actions: tuple[str, ...]
    """Of ECR's API."""

    @classmethod
    def of(cls, path: str, method: str) -> _Asked | None:
        """None for what the registry has no such name or page for."""
        for kind, (pattern, methods) in _PAGES.items():
            found = pattern.fullmatch(path)
            if found and method in methods and REPOSITORY.fullmatch(found[1]):
                return cls(
                    kind, method, found[1], found[2] if kind in {"manifests", "referrers"} else "", methods[method]
                )
        return None


_READING = {"GET": READ, "HEAD": READ}
_PAGES: Mapping[str, tuple[re.Pattern[str], Mapping[str, tuple[str, ...]]]] = {
    "manifests": (re.compile(rf"(.+)/manifests/({REFERENCE.pattern})"), {**_READING, "PUT": WRITE}),
    "referrers": (re.compile(rf"(.+)/referrers/({DIGEST.pattern})"), {"GET": READ}),
    "tags": (re.compile(r"(.+)/tags/list"), {"GET": LIST, "HEAD": LIST}),
    "uploads": (re.compile(r"(.+)/blobs/uploads/"), {"POST": UPLOAD}),
}
"""By kind: the path, and what a caller must be allowed for each method."""
