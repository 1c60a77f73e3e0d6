"""RemoteImage, RegistryImage and their functions, as the Terraform provider behind pulumi-docker defines them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from docker.utils import parse_repository_tag

from slipway.engine.provider import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffKind,
    DiffResult,
    NotImplementedByProviderError,
    PropertyDiff,
    ProviderError,
)
from slipway.engine.values import UNKNOWN, PropertyMap, unwrap_secrets
from slipway.sandbox.providers.docker.engine import DockerEngine, EngineError, RegistryLogin

REMOTE_IMAGE = "docker:index/remoteImage:RemoteImage"
REGISTRY_IMAGE = "docker:index/registryImage:RegistryImage"

_INPUTS = {
    REMOTE_IMAGE: {"name", "keepLocally", "forceRemove", "platform", "pullTriggers", "triggers"},
    REGISTRY_IMAGE: {"name", "keepRemotely", "insecureSkipVerify", "triggers", "authConfig"},
}
# Changing these makes another image; the rest only says how it is to be removed.
_REPLACING = {"name", "platform", "pullTriggers", "triggers"}


def check(type_token: str, news: PropertyMap) -> CheckResult:
    """Refuse what is not supported, by its name."""
    known = _INPUTS.get(type_token)
    if known is None:
        raise NotImplementedByProviderError(
            f"docker: {type_token} is not supported here; supported are Image, RegistryImage and RemoteImage"
        )
    hints = {"build": "is not supported here; build with docker.Image"}
    failures = [
        CheckFailure(property=key, reason=f"{key!r} {hints.get(key, 'is unknown')}")
        for key, value in news.items()
        if key not in known and value is not None
    ]
    if not news.get("name") and news.get("name") is not UNKNOWN:
        failures.append(CheckFailure(property="name", reason="missing required property 'name'"))
    if type_token == REGISTRY_IMAGE and unwrap_secrets(news.get("keepRemotely")) is False:
        reason = "images are never deleted from a registry here; set keepRemotely to true or leave it out"
        failures.append(CheckFailure(property="keepRemotely", reason=reason))
    return CheckResult(inputs=news, failures=tuple(failures))


def diff(old_inputs: PropertyMap, news: PropertyMap) -> DiffResult:
    """Another name, platform or trigger is another image."""
    olds, fresh = cast("PropertyMap", unwrap_secrets(old_inputs)), cast("PropertyMap", unwrap_secrets(news))
    changed = sorted(key for key in {*olds, *fresh} if olds.get(key) != fresh.get(key) and key != "authConfig")
    replaces = tuple(key for key in changed if key in _REPLACING)
    kinds = {True: DiffKind.UPDATE_REPLACE, False: DiffKind.UPDATE}
    return DiffResult(
        changes=DiffChanges.SOME if changed else DiffChanges.NONE,
        diffs=tuple(changed),
        replaces=replaces,
        detailed={key: PropertyDiff(kind=kinds[key in _REPLACING]) for key in changed},
    )


def create(engine: DockerEngine, type_token: str, inputs: PropertyMap, say: Callable[[str], None]) -> CreateResult:
    """Pull, or push what the engine has under the name."""
    plain = cast("dict[str, Any]", unwrap_secrets(inputs))
    name = str(plain["name"])
    if type_token == REMOTE_IMAGE:
        found = engine.pull(name, RegistryLogin(), platform=str(plain.get("platform") or ""), say=say)
        image_id = str(found["Id"])
        digests = cast("list[str]", found.get("RepoDigests") or [])
        return CreateResult(
            id=f"{image_id}{name}", outputs={**inputs, "imageId": image_id, "repoDigest": digests[0] if digests else ""}
        )
    auth = cast("dict[str, Any]", plain.get("authConfig") or {})
    login = RegistryLogin(*(str(auth.get(key) or "") for key in ("address", "username", "password")))
    if engine.inspect(name) is None:
        raise ProviderError(
            f"the Docker engine has no image {name!r} to push; build it with docker.Image or pull it first"
        )
    digest = engine.push(name, login, say).rpartition("@")[2]
    return CreateResult(id=digest, outputs={**inputs, "sha256Digest": digest})


def delete(engine: DockerEngine, type_token: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
    """Remove a pulled image from the engine unless it is to be kept; pushed ones stay."""
    plain = cast("dict[str, Any]", unwrap_secrets(inputs))
    if type_token == REMOTE_IMAGE and not plain.get("keepLocally"):
        engine.remove(str(plain.get("name") or outputs.get("name")), force=bool(plain.get("forceRemove")))


def invoke(engine: DockerEngine, token: str, args: dict[str, Any]) -> PropertyMap | None:
    """The functions; None for one that is not known."""
    name = str(args.get("name") or "")
    if token == "docker:index/getRegistryImage:getRegistryImage":  # noqa: S105 - the name of a function
        digest = engine.distribution_digest(name, RegistryLogin())
        if digest is None:
            raise EngineError(f"the registry has no image {name!r}")
        return {
            "id": digest,
            "name": name,
            "sha256Digest": digest,
            "insecureSkipVerify": args.get("insecureSkipVerify"),
        }
    if token == "docker:index/getRemoteImage:getRemoteImage":  # noqa: S105 - the name of a function
        found = engine.inspect(name)
        if found is None:
            raise EngineError(f"the Docker engine has no image {name!r}")
        repository = parse_repository_tag(name)[0]
        digests = [
            item for item in cast("list[str]", found.get("RepoDigests") or []) if item.startswith(f"{repository}@")
        ]
        return {"id": str(found["Id"]), "name": name, "repoDigest": digests[0] if digests else ""}
    return None
