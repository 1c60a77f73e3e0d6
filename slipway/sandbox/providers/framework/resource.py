"""What one resource type says about itself, and the call in which it acts.

A type is a subclass of `Resource` with a token, a few property sets, and four methods over boto3. Everything else (checks, defaults,
names, tags, diffs, refresh, adoption) is done once for all of them by the provider.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from slipway.providers.provider import CallContext, ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.session import Session

MARKER_TAG = "slipway:urn"
"""Names the URN that made a resource, on the resource itself. Kept out of `tags` and `tagsAll`; see `adoption`."""


@dataclass(frozen=True)
class AutoName:
    """How a physical name is made when none is given: `<logical><separator><7 hex>`, or `<logical>` alone."""

    property: str = "name"
    max_length: int = 255
    separator: str = "-"
    prefix: str = ""
    lower: bool = False
    unique: bool = True
    """False: without separator and hex."""


@dataclass
class Call:
    """One provider call on one resource."""

    session: Session
    ctx: CallContext
    inputs: PropertyMap
    old_inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    """The outputs of the state; empty in a create and an import."""
    changed: frozenset[str] = frozenset()
    """Update only: the top-level inputs that changed."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    resuming: bool = False
    """Create only: an earlier create of this resource was interrupted, and may have made something that no state names."""
    interrupted_id: str = ""
    """What that create made, where AWS's answer came."""
    folder: Path = field(default_factory=Path.cwd)
    """Where relative paths of the program start."""

    @property
    def region(self) -> str:
        """Where the resource lives: its own `region`, else the provider's."""
        return str(self.inputs.get("region") or self.outputs.get("region") or self.session.settings.region)

    def client(self, service: str) -> Any:
        """The service's client in the resource's region."""
        return self.session.client(service, self.region)

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the resource's region."""
        return self.session.arn(service, resource, region=self.region)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of a new resource: its own, the provider's defaults, and the marker."""
        return {**(self.inputs.get("tagsAll") or {}), MARKER_TAG: marker_value(self.ctx.urn)}

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """`tags` as most services take them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def given(self, **names: str) -> dict[str, Any]:
        """Keyword arguments for boto3: `given(CidrBlock="cidrBlock")` has only the inputs that were given."""
        return {argument: self.inputs[name] for argument, name in names.items() if self.inputs.get(name) is not None}

    def changes(self, *names: str) -> bool:
        """Whether an update changes one of these inputs."""
        return not self.changed.isdisjoint(names)

    def wait(self, what: str, probe: Callable[[], bool], *, seconds: float, interval_seconds: float = 0.5) -> None:
        """Wait until `probe` holds; `customTimeouts` replace `seconds`. ProviderError when it does not, or on cancel."""
        limit = self.ctx.timeout_seconds or seconds
        deadline = time.monotonic() + limit
        pause = 0.05  # the sandbox is often ready at once; back off up to the interval
        while not probe():
            if time.monotonic() > deadline:
                raise ProviderError(f"timed out after {limit:.0f} s waiting for {what}")
            if self.cancelled.wait(pause):
                raise ProviderError(f"cancelled while waiting for {what}")
            pause = min(pause * 2, interval_seconds)


def marker_value(urn: str) -> str:
    """A tag value holds 256 characters of a smaller alphabet than a URN; `$` (nested types) is not among them."""
    return urn.replace("$", "+")[-256:]


class Resource:
    """One resource type. Subclasses set the class attributes and write the methods."""

    token: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other tokens of the same type (`aws:alb/...`)."""
    force_new: ClassVar[frozenset[str]] = frozenset()
    """Inputs whose change needs a replacement: `cidrBlock`, or a path without indexes `vpcConfig.subnetIds`."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Defaults of Terraform's schema that the provider writes into the inputs."""
    auto_name: ClassVar[AutoName | None] = None
    json_properties: ClassVar[frozenset[str]] = frozenset()
    """Inputs that hold a JSON document; compared by meaning."""
    ordered: ClassVar[frozenset[str]] = frozenset()
    """Lists whose order matters; other lists are sets to Terraform."""
    secret: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are secret whatever their inputs were."""
    nested_computed: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Parts of a given object that AWS fills in, by property: unknown in the preview of a create."""
    write_only: ClassVar[frozenset[str]] = frozenset()
    """Inputs that AWS never gives back; they stay as given."""
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of inputs of which exactly one must be given."""
    conflicts: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of inputs of which at most one may be given."""
    unsupported: ClassVar[frozenset[str]] = frozenset()
    """Inputs of the real provider that this one refuses, by name, because it would ignore them."""
    enums: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    conflict_codes: ClassVar[frozenset[str]] = frozenset()
    """Error codes of a create that mean: one with this name exists."""
    delete_before_replace: ClassVar[bool] = False

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Further refusals: (property, reason)."""
        return ()

    def create(self, call: Call) -> str:
        """Make the resource, wait until it is ready, answer its id."""
        raise NotImplementedError

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The live outputs, tags as `tagsAll`; None or a not-found error when it is gone."""
        raise NotImplementedError

    def update(self, call: Call, id: str) -> None:
        """Apply `call.changed`; tags are done by the caller through `write_tags`."""

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait until it is gone; a not-found error is fine."""
        raise NotImplementedError

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Set and remove tags of an existing resource."""
        raise ProviderError(f"{self.token}: tags cannot be changed")

    def find(self, call: Call) -> str | None:
        """The id of an existing resource with the inputs' natural key, after a conflict."""
        return None

    def find_marked(self, call: Call) -> list[str]:
        """The ids of existing resources whose marker names this URN; for types that have no natural key."""
        return []

    def import_outputs(self, call: Call, id: str) -> None:
        """Fill `call.inputs` with what `read` needs when only the id is known."""


def tag_map(tags: Iterable[Mapping[str, Any]] | None, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of tags as a map."""
    return {str(tag[key]): str(tag.get(value, "")) for tag in tags or ()}


def tag_pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """A map of tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def utc_time(moment: Any) -> str:
    """A moment as states hold it, in UTC whatever zone boto3 put it in; "" for none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(moment, datetime) else str(moment or "")


def present(**values: Any) -> PropertyMap:
    """A property map without its empty (None) values."""
    return {name: value for name, value in values.items() if value is not None}
