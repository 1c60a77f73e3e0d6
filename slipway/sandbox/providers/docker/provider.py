"""The Docker provider: builds images and pushes them, as pulumi-docker's Image does. All its other types are refused by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from slipway.providers.provider import (
    CallContext,
    Caller,
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffChanges,
    DiffKind,
    DiffResult,
    InvokeResult,
    NotImplementedByProviderError,
    PropertyDiff,
    Provider,
    ProviderError,
    ReadResult,
)
from slipway.providers.values import (
    UNKNOWN,
    PropertyMap,
    Secret,
    Value,
    contains_secret,
    contains_unknown,
    unwrap_secrets,
)
from slipway.sandbox.providers.docker.context import ContextError
from slipway.sandbox.providers.docker.inputs import (
    IMAGE_TYPE,
    ImageSpec,
    check_inputs,
    complete_inputs,
    differences,
    find_context,
    read_image,
    secret_texts,
    server_of,
    server_of_image,
)

if TYPE_CHECKING:
    from slipway.sandbox.providers.docker.engine import Engine


def _docker_engine(host: str, environ: Mapping[str, str]) -> Engine:
    # The SDK and what it stands on take 0.2 s to import.
    from slipway.sandbox.providers.docker.engine import Engine  # noqa: PLC0415

    return Engine(host, environ)


class DockerProvider(Provider):
    """One provider resource's worth of Docker: one engine."""

    name = "docker"
    version = "5.2.0"
    accepts_secrets = True

    def __init__(
        self, caller: Caller | None = None, make_engine: Callable[[str, Mapping[str, str]], Engine] | None = None
    ) -> None:
        """`make_engine` is given the configured host, empty for DOCKER_HOST's, and the caller's environment."""
        super().__init__(caller)
        self._make_engine = make_engine or _docker_engine
        self._host = ""
        self._lock = threading.Lock()
        self._running: Engine | None = None
        self._is_cancelled = False

    @property
    def _engine(self) -> Engine:
        """Made when first needed: an image that has not changed needs none."""
        with self._lock:
            if self._running is None:
                self._running = self._make_engine(self._host, self.caller.environ)
                if self._is_cancelled:
                    self._running.cancel()
            return self._running

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Take `host`; refuse all other settings by name."""
        unknown = sorted(key for key in news if key not in {"host", "version"} and not key.startswith("__"))
        reason = "is not supported by Slipway's Docker provider; it takes `host`, else DOCKER_HOST"
        return CheckResult(
            inputs=news, failures=tuple(CheckFailure(property=key, reason=f"{key} {reason}") for key in unknown)
        )

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Another engine builds the same images: nothing is replaced."""
        changed = unwrap_secrets(old_inputs.get("host")) != unwrap_secrets(news.get("host"))
        if not changed:
            return DiffResult(changes=DiffChanges.NONE)
        return DiffResult(changes=DiffChanges.SOME, diffs=("host",))

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        """Take the settings. The engine is not asked yet: where nothing is to be built, none is needed."""
        with self._lock:
            self._host, self._running = str(unwrap_secrets(inputs.get("host")) or ""), None

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Validate, and fill in the digest of the build context."""
        _refuse_other_types(ctx)
        failures = check_inputs(news)
        if failures:
            return CheckResult(inputs=news, failures=tuple(failures))
        try:
            inputs = complete_inputs(news, self.caller)
        except ContextError as error:
            return CheckResult(inputs=news, failures=(CheckFailure(property=error.property, reason=str(error)),))
        return CheckResult(inputs=inputs)

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Compare content and name, never credentials. Every change is an update: another build and push."""
        found = {
            path: pair
            for path, pair in differences(old_inputs, news).items()
            if path not in ctx.ignore_changes and path.partition(".")[0] not in ctx.ignore_changes
        }
        if not found:
            return DiffResult(changes=DiffChanges.NONE)
        detailed = {
            path: PropertyDiff(
                kind=DiffKind.ADD if before is None else DiffKind.DELETE if after is None else DiffKind.UPDATE
            )
            for path, (before, after) in found.items()
        }
        changed = tuple(sorted({path.partition(".")[0] for path in found}))
        return DiffResult(changes=DiffChanges.SOME, diffs=changed, detailed=detailed)

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Build the image and push it."""
        outputs = self._made(ctx, inputs)
        return CreateResult(id="" if ctx.preview else str(unwrap_secrets(inputs["imageName"])), outputs=outputs)

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """Build the image anew and push it; the old one stays in its registry."""
        return self._made(ctx, news)

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """What was built last: as upstream, neither engine nor registry is asked, and nothing can be imported."""
        _refuse_other_types(ctx)
        if not outputs:
            raise ProviderError(f"{IMAGE_TYPE} cannot be imported: {id}")
        return ReadResult(id=id, outputs=outputs, inputs=inputs)

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Forget the image; as upstream, it stays in its registry and in the engine."""
        _refuse_other_types(ctx)

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """Refuse all functions."""
        raise NotImplementedByProviderError(f"docker: {token} is not supported by Slipway's Docker provider")

    def cancel(self) -> None:
        """End running builds and pushes."""
        with self._lock:
            self._is_cancelled = True
            if self._running is not None:
                self._running.cancel()

    def _made(self, ctx: CallContext, inputs: PropertyMap) -> PropertyMap:
        _refuse_other_types(ctx)
        build_now = not ctx.preview or unwrap_secrets(inputs.get("buildOnPreview")) is True
        if not build_now or contains_unknown(inputs):
            return _outputs(inputs, UNKNOWN)
        with _without_secrets(inputs):
            try:
                image = read_image(inputs, find_context(inputs, self.caller))
            except ContextError as error:
                raise ProviderError(str(error)) from error
            return _outputs(inputs, self._built(ctx, image, secret_texts(inputs)))

    def _built(self, ctx: CallContext, image: ImageSpec, secrets: tuple[str, ...]) -> Value:
        """The digest to refer to the image by; UNKNOWN in a preview, where nothing is pushed."""

        def say(text: str) -> None:
            if self.on_message is not None:
                self.on_message(ctx.urn, _blanked(text, secrets))

        built = self._engine.build(image, timeout_seconds=ctx.timeout_seconds, say=say)
        if image.skip_push:
            return built
        return UNKNOWN if ctx.preview else f"{image.repository}@{self._engine.push(image, say=say)}"


def _refuse_other_types(ctx: CallContext) -> None:
    if ctx.type != IMAGE_TYPE:
        raise NotImplementedByProviderError(
            f"docker: {ctx.type} is not supported by Slipway's Docker provider, only {IMAGE_TYPE}"
        )


def _outputs(inputs: PropertyMap, digest: Value) -> PropertyMap:
    plain = cast("PropertyMap", unwrap_secrets(inputs))
    name, build = plain["imageName"], plain.get("build")
    registry = plain.get("registry")
    server = cast("PropertyMap", registry).get("server") if isinstance(registry, dict) else registry
    if name is not UNKNOWN and not server and server is not UNKNOWN:
        server = server_of_image(str(name))
    outputs: PropertyMap = {
        "imageName": name,
        "baseImageName": name,
        "repoDigest": digest,
        "registryServer": server if server is UNKNOWN else server_of(str(server)) if server else UNKNOWN,
    }
    if contains_secret(inputs["imageName"]):
        outputs = {key: value if value is UNKNOWN else Secret(value) for key, value in outputs.items()}
    settings = cast("PropertyMap", build) if isinstance(build, dict) else {}
    outputs["context"] = settings.get("context") or "."
    outputs["dockerfile"] = settings.get("dockerfile") or "Dockerfile"
    if settings.get("platform"):
        outputs["platform"] = settings["platform"]
    return outputs


@contextmanager
def _without_secrets(inputs: PropertyMap) -> Generator[None]:
    """Blank out in errors what the inputs mark secret: a build's log repeats its arguments."""
    try:
        yield
    except ProviderError as error:
        texts = secret_texts(inputs)
        if not any(text in str(error) for text in texts):
            raise
        raise type(error)(_blanked(str(error), texts)) from None


def _blanked(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text
