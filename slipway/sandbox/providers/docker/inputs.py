"""The Image resource's inputs: which are taken, what they mean, and what makes one image differ from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from slipway.providers.provider import Caller, CheckFailure
from slipway.providers.values import UNKNOWN, PropertyMap, Secret, Value, unwrap_secrets, walk
from slipway.sandbox.providers.docker.context import BuildContext, ContextError
from slipway.sandbox.providers.docker.rules import match_tag

IMAGE_TYPE = "docker:index/image:Image"
CONTEXT_DIGEST = "contextDigest"
DOCKER_HUB = "docker.io"
SHORTEST_SECRET = 3
"""Texts below this length are not blanked out of messages: they would blank out half of every line."""

_TOP = frozenset({"build", "buildOnPreview", "imageName", "registry", "skipPush", "version"})
_BUILD = frozenset(
    {"addHosts", "args", "builderVersion", "cacheFrom", "context", "dockerfile", "network", "platform", "target"}
)
_REGISTRY = frozenset({"server", "username", "password"})
_NO_CHANGE = frozenset({"context", "dockerfile", "builderVersion"})
"""Where the context lies says nothing about the image; its digest does, and that covers the Dockerfile."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where an image is pushed, and as whom. No username: as the Docker configuration of this machine says."""

    server: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """One image to build, all of it known."""

    name: str
    context: BuildContext
    registry: Registry
    skip_push: bool = False
    args: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    add_hosts: Mapping[str, str] = field(default_factory=dict[str, str])
    cache_from: tuple[str, ...] = ()
    target: str = ""
    platform: str = ""
    network: str = ""

    @property
    def repository(self) -> str:
        """The name without its tag."""
        return split_name(self.name)[0]


def split_name(name: str) -> tuple[str, str]:
    """`127.0.0.1:5000/orders:one` -> (`127.0.0.1:5000/orders`, `one`); the tag is `latest` by default."""
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def server_of(text: str) -> str:
    """The host (and port) of a registry's address or an image's name's first part."""
    bare = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    host = bare.split("/", 1)[0]
    return DOCKER_HUB if host.endswith((".docker.io", ".docker.com")) else host


def server_of_image(name: str) -> str:
    """The registry an image's name leads to."""
    first, slash, _ = name.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return server_of(first) if named else DOCKER_HUB


def build_of(inputs: PropertyMap) -> PropertyMap:
    """The build's settings, without secret markers."""
    return cast("PropertyMap", unwrap_secrets(inputs.get("build")) or {})


def read_image(inputs: PropertyMap, context: BuildContext) -> ImageSpec:
    """The image that checked inputs describe; nothing in them may be unknown."""
    plain = cast("PropertyMap", unwrap_secrets(inputs))
    build, registry = build_of(plain), cast("PropertyMap", plain.get("registry") or {})
    name = str(plain["imageName"])
    hosts: list[tuple[str, str, str]] = [
        str(each).partition(":") for each in cast("list[Value]", build.get("addHosts") or [])
    ]
    cache = cast("PropertyMap", build.get("cacheFrom") or {})
    return ImageSpec(
        name=name,
        context=context,
        registry=Registry(
            server=server_of(str(registry.get("server") or "")) or server_of_image(name),
            username=str(registry.get("username") or ""),
            password=str(registry.get("password") or ""),
        ),
        skip_push=bool(plain.get("skipPush")),
        args={key: str(value) for key, value in cast("PropertyMap", build.get("args") or {}).items()},
        add_hosts={host: address for host, _, address in hosts},
        cache_from=tuple(str(each) for each in cast("list[Value]", cache.get("images") or [])),
        target=str(build.get("target") or ""),
        platform=str(build.get("platform") or ""),
        network=str(build.get("network") or ""),
    )


def check_inputs(news: PropertyMap) -> list[CheckFailure]:
    """What cannot be accepted, each by its name."""
    plain = cast("PropertyMap", unwrap_secrets(news))
    failures = [_refused(key) for key in sorted(plain) if key not in _TOP and not key.startswith("__")]
    for group, known in (("build", _BUILD), ("registry", _REGISTRY)):
        value = plain.get(group)
        if isinstance(value, dict):
            names = cast("PropertyMap", value)
            failures += [_refused(f"{group}.{key}") for key in sorted(names) if key not in known | {CONTEXT_DIGEST}]
        elif value is not None and value is not UNKNOWN:
            failures.append(CheckFailure(property=group, reason="want an object"))
    if failures:
        return failures
    build = plain.get("build")
    if isinstance(build, dict) and cast("PropertyMap", build).get("builderVersion") == "BuilderBuildKit":
        failures.append(CheckFailure(property="build.builderVersion", reason="only the classic BuilderV1 is there"))
    return failures + _check_name(plain)


def _check_name(plain: PropertyMap) -> list[CheckFailure]:
    name, registry = plain.get("imageName"), plain.get("registry")
    if name is UNKNOWN:
        return []
    if not isinstance(name, str) or not match_tag(name):
        return [CheckFailure(property="imageName", reason=f"{name!r}: want repository[:tag]")]
    server: Any = cast("PropertyMap", registry).get("server") if isinstance(registry, dict) else None
    if server and server is not UNKNOWN and server_of(str(server)) != server_of_image(name):
        # Never hand one registry's password to another.
        reason = f"{name} does not lie in the registry {server_of(str(server))}"
        return [CheckFailure(property="registry.server", reason=reason)]
    return []


def _refused(name: str) -> CheckFailure:
    return CheckFailure(property=name, reason=f"{name} is not supported by Slipway's Docker provider")


def find_context(inputs: PropertyMap, caller: Caller) -> BuildContext:
    """The build context that the inputs name. Raises ContextError."""
    build = build_of(inputs)
    return BuildContext.find(str(build.get("context") or ""), str(build.get("dockerfile") or ""), caller=caller)


def complete_inputs(news: PropertyMap, caller: Caller) -> PropertyMap:
    """Inputs with the password marked secret and the context's digest filled in. Raises ContextError."""
    inputs = dict(news)
    registry = inputs.get("registry")
    if isinstance(registry, dict):
        inputs["registry"] = {
            key: Secret(value)
            if key == "password" and not isinstance(value, Secret) and value is not UNKNOWN
            else value
            for key, value in cast("PropertyMap", registry).items()
        }
    build = build_of(inputs)
    if inputs.get("build") is UNKNOWN:
        return inputs
    if build.get("context") is UNKNOWN or build.get("dockerfile") is UNKNOWN:
        digest: Any = UNKNOWN
    else:
        try:
            digest = find_context(inputs, caller).digest()
        except OSError as error:
            raise ContextError("build.context", f"cannot read the build context: {error}") from error
    marked = inputs.get("build")
    if isinstance(marked, Secret):
        inputs["build"] = Secret({**build, CONTEXT_DIGEST: digest})
    else:
        inputs["build"] = {**cast("PropertyMap", marked or {}), CONTEXT_DIGEST: digest}
    return inputs


def differences(olds: PropertyMap, news: PropertyMap) -> dict[str, tuple[Any, Any]]:
    """By property path, old and new value of all that makes another image or puts it elsewhere."""
    before, after = _essence(olds), _essence(news)
    paths = sorted({*before, *after})
    pairs = {path: (before.get(path), after.get(path)) for path in paths}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def _essence(inputs: PropertyMap) -> dict[str, Any]:
    plain = cast("PropertyMap", unwrap_secrets(inputs))
    found: dict[str, Any] = {"imageName": plain.get("imageName"), "skipPush": plain.get("skipPush") or None}
    build: Any = plain.get("build", {})
    registry: Any = plain.get("registry")
    if isinstance(build, dict):
        items = cast("PropertyMap", build).items()
        found |= {f"build.{key}": value for key, value in items if key not in _NO_CHANGE and value is not None}
    else:
        found["build"] = build
    if isinstance(registry, dict):
        server: Any = cast("PropertyMap", registry).get("server")
        found["registry.server"] = server if server is UNKNOWN or not server else server_of(str(server))
    return {path: value for path, value in found.items() if value is UNKNOWN or value is not None}


def secret_texts(inputs: PropertyMap) -> tuple[str, ...]:
    """Every text that must not appear in a message, longest first."""
    texts = {
        str(part)
        for marked in walk(inputs)
        if isinstance(marked, Secret)
        for part in walk(unwrap_secrets(marked))
        if isinstance(part, str) and len(part) >= SHORTEST_SECRET
    }
    return tuple(sorted(texts, key=len, reverse=True))
