"""`docker:index/image:Image`: an image built from a context and pushed, as pulumi-docker 5.2 does it."""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable
from typing import Any, cast

from slipway.engine.provider import CheckFailure, CheckResult, DiffChanges, DiffKind, DiffResult, PropertyDiff
from slipway.engine.values import UNKNOWN, PropertyMap, Secret, contains_unknown, unwrap_secrets
from slipway.sandbox.providers.docker.context import BuildContext, ContextError
from slipway.sandbox.providers.docker.engine import BuildOrder, DockerEngine, RegistryLogin

INPUTS_KEY = "__inputs"
_BUILD_KEYS = {
    "addHosts", "args", "builderVersion", "cacheFrom", "context", "contextDigest", "dockerfile", "network", "platform", "target"
}  # fmt: skip
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def check_image(news: PropertyMap) -> CheckResult:
    """Fill in context, Dockerfile and platform, and the hash that makes a change of any file a change of the resource."""
    inputs = copy.deepcopy(news)
    inputs["buildOnPreview"] = (
        bool(unwrap_secrets(news.get("buildOnPreview") or False))
        if news.get("buildOnPreview") is not UNKNOWN
        else False
    )
    build_value = inputs.get("build")
    if build_value is UNKNOWN:
        return CheckResult(inputs=inputs)
    build = cast("PropertyMap", unwrap_secrets(build_value) or {})
    failures = [
        CheckFailure(
            property=f"build.{key}", reason=f"{key!r} is not supported; known are {', '.join(sorted(_BUILD_KEYS))}"
        )
        for key in build
        if key not in _BUILD_KEYS
    ]
    if build.get("builderVersion") == "BuilderBuildKit":
        reason = (
            "BuildKit builds are not supported here: the engine's API builds with BuilderV1; leave builderVersion out"
        )
        failures.append(CheckFailure(property="build.builderVersion", reason=reason))
    filled = cast("PropertyMap", build_value.value if isinstance(build_value, Secret) else build_value or {})
    if not contains_unknown([build.get("context"), build.get("dockerfile")]):
        try:
            context = BuildContext.of(str(build.get("context") or "."), str(build.get("dockerfile") or ""))
            filled["context"], filled["dockerfile"] = str(context.folder), str(context.dockerfile)
            filled["contextDigest"] = context.digest()
        except ContextError as error:
            failures.append(CheckFailure(property="build", reason=str(error)))
        except OSError as error:
            failures.append(CheckFailure(property="build.context", reason=f"cannot read the build context: {error}"))
    filled.setdefault("platform", f"linux/{_MACHINES.get(platform.machine(), platform.machine())}")
    inputs["build"] = Secret(filled) if isinstance(build_value, Secret) else filled
    if not news.get("imageName") and news.get("imageName") is not UNKNOWN:
        failures.append(CheckFailure(property="imageName", reason="missing required property 'imageName'"))
    return CheckResult(inputs=inputs, failures=tuple(failures))


def diff_image(old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap) -> DiffResult:
    """Any change builds and pushes again, in place; new registry credentials alone change nothing, for they are new every time."""
    kept = old_outputs.get(INPUTS_KEY)
    olds = _comparable(cast("PropertyMap", kept) if isinstance(kept, dict) else old_inputs)
    fresh = _comparable(news)
    detailed: dict[str, PropertyDiff] = {}
    for key in sorted({*olds, *fresh}):
        if olds.get(key) != fresh.get(key):
            kind = DiffKind.ADD if key not in olds else DiffKind.DELETE if key not in fresh else DiffKind.UPDATE
            detailed[key] = PropertyDiff(kind=kind)
    return DiffResult(
        changes=DiffChanges.SOME if detailed else DiffChanges.NONE, diffs=tuple(detailed), detailed=detailed
    )


def _comparable(inputs: PropertyMap) -> PropertyMap:
    plain = cast("PropertyMap", copy.deepcopy(unwrap_secrets(inputs)))
    registry = plain.get("registry")
    if isinstance(registry, dict):
        plain["registry"] = {"server": cast("PropertyMap", registry).get("server")}
    plain.pop(INPUTS_KEY, None)
    return {
        key: value
        for key, value in plain.items()
        if value is not None and not (key == "buildOnPreview" and value is False)
    }


def known_outputs(inputs: PropertyMap) -> PropertyMap:
    """What a preview can say without building."""
    build = cast("PropertyMap", unwrap_secrets(inputs.get("build")) if inputs.get("build") is not UNKNOWN else {})
    name = inputs.get("imageName", UNKNOWN)
    registry = unwrap_secrets(inputs.get("registry"))
    server: Any = cast("PropertyMap", registry).get("server", "") if isinstance(registry, dict) else registry or ""
    return {
        "baseImageName": name,
        "imageName": name,
        "context": build.get("context", UNKNOWN),
        "dockerfile": build.get("dockerfile", UNKNOWN),
        "platform": build.get("platform", UNKNOWN),
        "registryServer": server,
        "repoDigest": UNKNOWN,
    }


def build_image(engine: DockerEngine, inputs: PropertyMap, *, preview: bool, say: Callable[[str], None]) -> PropertyMap:
    """Build, and push unless it is a preview or pushing is off; the outputs."""
    plain = cast("dict[str, Any]", unwrap_secrets(inputs))
    build = cast("dict[str, Any]", plain["build"])
    context = BuildContext.of(str(build.get("context") or ""), str(build.get("dockerfile") or ""))
    name = str(plain["imageName"])
    registry = cast("dict[str, Any]", plain.get("registry") or {})
    login = RegistryLogin(*(str(registry.get(key) or "") for key in ("server", "username", "password")))
    cache = cast("dict[str, Any]", build.get("cacheFrom") or {})
    with context.archive() as archive:
        image_id = engine.build(
            BuildOrder(
                tag=name,
                archive=archive,
                dockerfile=context.dockerfile_in_archive,
                arguments={key: str(value) for key, value in cast("dict[str, Any]", build.get("args") or {}).items()},
                target=str(build.get("target") or ""),
                platform=str(build.get("platform") or ""),
                network=str(build.get("network") or ""),
                cache_from=tuple(str(item) for item in cast("list[Any]", cache.get("images") or [])),
                extra_hosts=tuple(str(item) for item in cast("list[Any]", build.get("addHosts") or [])),
            ),
            say,
        )
    pushed = not preview and not plain.get("skipPush")
    outputs = known_outputs(inputs)
    outputs["repoDigest"] = engine.push(name, login, say) if pushed else image_id
    return outputs


def checkpoint(inputs: PropertyMap, outputs: PropertyMap) -> PropertyMap:
    """Outputs and inputs as pulumi-docker keeps them, less the registry's credentials: nobody needs them in the state."""
    kept = copy.deepcopy(inputs)
    registry = kept.get("registry")
    if registry is not None:
        server = cast("PropertyMap", unwrap_secrets(registry)).get("server")
        kept["registry"] = {"server": server}
    return {**outputs, INPUTS_KEY: kept}
