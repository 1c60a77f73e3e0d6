"""The interface of a provider: subclass `Provider`, and `server` serves it to Pulumi's engine.

Methods are called from several threads at once. Property maps hold the markers of `values`: inputs and outputs may contain `UNKNOWN` in
a preview, never in a real run. Secrets reach a provider unwrapped unless it says `accepts_secrets`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from slipway.providers.values import PropertyMap


class ProviderError(Exception):
    """A call that failed and left the resource as it was. The message is shown to the user as it stands."""


class StatusUnknownError(ProviderError):
    """A call that failed in a way that leaves the resource's state unknown (a lost connection in the middle of a create)."""


class NotImplementedByProviderError(ProviderError):
    """The provider does not know this type, function or method."""


class InitializationError(ProviderError):
    """The resource exists but did not become ready: its state is saved with the reasons, and the next run updates it."""

    def __init__(
        self, *, id: str, outputs: PropertyMap, reasons: Sequence[str], inputs: PropertyMap | None = None
    ) -> None:
        super().__init__("; ".join(reasons))
        self.id = id
        self.outputs = outputs
        self.inputs = inputs
        self.reasons = tuple(reasons)


@dataclass(frozen=True, kw_only=True)
class CheckFailure:
    """One input that cannot be accepted."""

    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """Inputs with the provider's defaults filled in, or why they are refused."""

    inputs: PropertyMap
    failures: tuple[CheckFailure, ...] = ()


class DiffKind(StrEnum):
    """The kind of one property's change."""

    ADD = "add"
    ADD_REPLACE = "add-replace"
    DELETE = "delete"
    DELETE_REPLACE = "delete-replace"
    UPDATE = "update"
    UPDATE_REPLACE = "update-replace"


class DiffChanges(StrEnum):
    """Whether anything changed; UNKNOWN lets the engine compare old and new inputs itself."""

    UNKNOWN = "unknown"
    NONE = "none"
    SOME = "some"


@dataclass(frozen=True, kw_only=True)
class PropertyDiff:
    """The change of one property path of the inputs."""

    kind: DiffKind


@dataclass(frozen=True, kw_only=True)
class DiffResult:
    """What an update would do."""

    changes: DiffChanges = DiffChanges.UNKNOWN
    replaces: tuple[str, ...] = ()
    """Top-level properties whose change needs a replacement."""
    diffs: tuple[str, ...] = ()
    """Top-level properties that changed."""
    delete_before_replace: bool = False
    detailed: Mapping[str, PropertyDiff] | None = None
    """By property path (`tags.team`, `ingress[0].port`); None: the provider has no detailed diff."""


@dataclass(frozen=True, kw_only=True)
class CreateResult:
    """`id` is "" only in a preview."""

    id: str
    outputs: PropertyMap


@dataclass(frozen=True, kw_only=True)
class ReadResult:
    """`id` "" means: it is gone. `inputs` None means: keep the old ones."""

    id: str
    outputs: PropertyMap
    inputs: PropertyMap | None = None


@dataclass(frozen=True, kw_only=True)
class InvokeResult:
    """A function's result, or why its arguments are refused."""

    outputs: PropertyMap
    failures: tuple[CheckFailure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CallContext:
    """What every resource call knows beside its properties."""

    urn: str
    type: str
    name: str
    timeout_seconds: float = 0
    """From the resource's customTimeouts; 0 means the provider's own default."""
    preview: bool = False
    ignore_changes: tuple[str, ...] = ()
    random_seed: bytes = field(default=b"", repr=False)
    """Check only: the seed of generated names, so that they are stable within one step."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls: the folder that relative paths start from, and the environment variables of the `pulumi` command."""

    folder: Path = field(default_factory=Path.cwd)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def path(self, text: str) -> Path:
        """An absolute path, as the program means it."""
        return (self.folder / text).resolve()


class Provider:
    """A resource provider, for one provider resource of one stack. Every method has a default."""

    name: str = ""
    """The package: `aws`, `docker`."""
    version: str = ""
    accepts_secrets: bool = False
    """False: the engine unwraps secrets on the way in and marks outputs named like secret inputs on the way out."""
    on_message: Callable[[str, str], None] | None = None
    """Set by the server; called from any thread with a URN and a text without secrets: what the resource waits for just now."""

    def __init__(self, caller: Caller | None = None) -> None:
        """`caller`: None means this process itself."""
        self.caller = caller or Caller()

    def check_config(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Check the provider's own configuration; nested values are JSON text, and stay so."""
        return CheckResult(inputs=news)

    def diff_config(
        self, ctx: CallContext, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Compare two configurations; a replace here replaces everything the provider made."""
        return DiffResult()

    def configure(self, ctx: CallContext, inputs: PropertyMap) -> None:
        """Take the configuration; called once, before any other call, never with unknowns."""

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """Validate and complete inputs. `olds` are the old INPUTS, empty at the first create and at a replacement."""
        return CheckResult(inputs=news)

    def diff(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> DiffResult:
        """Say what an update to `news` (checked inputs) would do."""
        return DiffResult()

    def create(self, ctx: CallContext, inputs: PropertyMap) -> CreateResult:
        """Make the resource and wait until it is ready. In a preview: answer the outputs that are known."""
        raise NotImplementedByProviderError(f"{self.name}: cannot create {ctx.type}")

    def read(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> ReadResult:
        """Read the live resource; empty `inputs` and `outputs` mean an import by id alone."""
        raise NotImplementedByProviderError(f"{self.name}: cannot read {ctx.type}")

    def update(
        self, ctx: CallContext, id: str, old_inputs: PropertyMap, old_outputs: PropertyMap, news: PropertyMap
    ) -> PropertyMap:
        """Change the resource in place and answer its new outputs. In a preview: answer the outputs that are known."""
        raise NotImplementedByProviderError(f"{self.name}: cannot update {ctx.type}")

    def delete(self, ctx: CallContext, id: str, inputs: PropertyMap, outputs: PropertyMap) -> None:
        """Delete the resource and wait until it is gone; one that is gone already is no error."""
        raise NotImplementedByProviderError(f"{self.name}: cannot delete {ctx.type}")

    def invoke(self, token: str, args: PropertyMap, *, preview: bool) -> InvokeResult:
        """Run a function, such as `aws:index/getCallerIdentity:getCallerIdentity`."""
        raise NotImplementedByProviderError(f"{self.name}: no function {token}")

    def cancel(self) -> None:
        """End waits as soon as possible; running calls raise `ProviderError`."""
