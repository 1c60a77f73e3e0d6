"""What one resource type says about itself, and the call in which it acts.

A type is a subclass of `Resource` with a token, a few property sets, the names of its service's operations, and what is particular to it
as methods over boto3. Everything else (checks, defaults, names, tags, diffs, refresh, adoption, waiting) is done once for all of them.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from slipway.providers.provider import CallContext, ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.faults import error_code, is_not_found
from slipway.sandbox.providers.framework.schema import empty_value, resource_schema
from slipway.sandbox.providers.framework.session import Session
from slipway.sandbox.providers.framework.tags import MARKER_TAG, Tagging, listed, marker_value, tag_pairs
from slipway.sandbox.providers.framework.wire import plain_answers

T = TypeVar("T")


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

    def given_prefix(self) -> str:
        """The input that gives the beginning of a name alone, where a type has one."""
        return f"{self.property}Prefix"


@dataclass(frozen=True)
class Lookup:
    """The operation that answers one resource as AWS has it."""

    operation: str
    argument: str
    """What the operation calls the id; a plural takes a list of them. A part of an id is named in `Resource.id_arguments`."""
    member: str
    """Where the answer holds it, alone or in a list."""


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
        return tag_pairs(self.tags)

    @property
    def state(self) -> PropertyMap:
        """The inputs, and the outputs under them."""
        return {**self.outputs, **self.inputs}

    def given(self, *names: str, **renamed: str) -> dict[str, Any]:
        """Arguments for boto3, only of the inputs that were given: `given("cidrBlock", Ip="privateIp")` has CidrBlock and Ip."""
        arguments = {capital(name): name for name in names} | renamed
        return {
            argument: self.inputs[name] for argument, name in arguments.items() if self.inputs.get(name) is not None
        }

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


def capital(name: str) -> str:
    """A property's name as most services write it: `cidrBlock` as `CidrBlock`."""
    return name[0].upper() + name[1:]


def prefixed_name(prefix: str) -> str:
    """A unique name for `namePrefix`, made at creation, as Terraform makes it: the prefix, a time and a counter."""
    return prefix + secrets.token_hex(13)


class Resource:
    """One resource type. Subclasses set the class attributes and write the methods."""

    token: ClassVar[str]
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
    service: ClassVar[str] = ""
    """The service, as boto3 names it."""
    lookup: ClassVar[Lookup]
    tells_all: ClassVar[bool] = True
    """False: what `lookup` leaves out of its answer is not known, and stays as given."""
    deletion: ClassVar[str]
    """The operation that deletes it."""
    id_arguments: ClassVar[tuple[str, ...]] = ()
    """What `deletion` calls the id, or each of its parts; a plural takes a list."""
    id_separator: ClassVar[str] = ":"
    busy_codes: ClassVar[frozenset[str]] = frozenset()
    """Error codes of a deletion that mean: something that is going away still needs it."""
    delete_seconds: ClassVar[float] = 0
    """How long a deletion may take; 0: it is done when AWS answers."""
    kept_by: ClassVar[str] = "skipDestroy"
    """The input that lets AWS's resource outlive ours, where there is one."""
    found_by_name: ClassVar[bool] = False
    """The given name is the id, and the natural key."""
    tagging: ClassVar[Tagging | None] = None

    def check(self, inputs: PropertyMap) -> Iterable[tuple[str, str]]:
        """Further refusals: (property, reason)."""
        return ()

    def create(self, call: Call) -> str:
        """Make the resource, wait until it is ready, answer its id."""
        raise NotImplementedError

    def new_name(self, call: Call) -> str:
        """The name to create it under: the given or generated one, else a unique one with the given prefix."""
        rule = self.auto_name or AutoName()
        return str(call.inputs.get(rule.property) or prefixed_name(call.inputs[rule.given_prefix()]))

    def named(self, id: str) -> dict[str, Any]:
        """The arguments that name one resource."""
        names, parts = self.id_arguments, id.split(self.id_separator, len(self.id_arguments) - 1)
        if len(parts) != len(names):
            expected = self.id_separator.join(names)
            raise ProviderError(f"{self.token}: unexpected id {id!r}; expected {expected.upper()}")
        return {name: listed(name, part) for name, part in zip(names, parts, strict=True)}

    def live(self, call: Call, id: str) -> dict[str, Any] | None:
        """The resource as AWS has it; None or a not-found error when it is gone."""
        lookup = self.lookup
        which = {lookup.argument: listed(lookup.argument, id)} if lookup.argument else self.named(id)
        found = getattr(call.client(self.service), lookup.operation)(**which)[lookup.member]
        return next(iter(found), None) if isinstance(found, list) else found

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap | None:
        """The outputs that are not simply `mirrored`; None when the answer means that it is gone."""
        raise NotImplementedError

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The live outputs, tags as `tagsAll`; None or a not-found error when it is gone.

        The provider adds the region, and an empty prefix of the name.
        """
        live = self.live(call, id)
        return None if live is None else self.outputs(call, id, live)

    def outputs(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap | None:
        """What is mirrored, and what is shown otherwise."""
        shown = self.shown(call, id, live)
        return None if shown is None else {**self.mirrored(call, live), **shown}

    def mirrored(self, call: Call, live: dict[str, Any]) -> PropertyMap:
        """The outputs that AWS answers under the same name, but for capitals; what it leaves out is empty, or the default."""
        schema = resource_schema(self.token)
        keys = plain_answers(call.client(self.service), self.lookup.operation, self.lookup.member)
        found: PropertyMap = {}
        for name, kind in schema.outputs.items():
            key = keys.get(name.lower())
            if key is None or name in self.unsupported or kind.startswith(("#", "list<#")):
                continue
            value = live.get(key)
            if value not in (None, "", []):
                found[name] = value
            elif self.tells_all:
                found[name] = self.defaults.get(name, empty_value(kind) if name in schema.always else None)
        return found

    def is_ready(self, id: str, live: dict[str, Any]) -> bool:
        """Whether it can be used; ProviderError when it never will."""
        raise NotImplementedError

    def wait_ready(self, call: Call, id: str, seconds: float) -> None:
        """Wait until it can be used."""
        call.wait(
            f"{self.token}: {id} to become ready",
            lambda: self.is_ready(id, self.live(call, id) or {}),
            seconds=seconds,
            interval_seconds=1,
        )

    def update(self, call: Call, id: str) -> None:
        """Apply `call.changed`; tags are done by the caller through `write_tags`."""

    def delete(self, call: Call, id: str) -> None:
        """Delete and wait until it is gone; a not-found error is fine."""
        if not call.state.get(self.kept_by):
            self.delete_when_free(call, id)
        if self.delete_seconds and not self.busy_codes:
            self.wait_gone(call, id)

    def wait_gone(self, call: Call, id: str) -> None:
        """Wait until AWS does not know it any more."""
        call.wait(
            f"{self.token}: {id} to be deleted",
            lambda: unless_missing(lambda: self.live(call, id)) is None,
            seconds=self.delete_seconds,
            interval_seconds=1,
        )

    def delete_when_free(self, call: Call, id: str, **arguments: Any) -> None:
        """Delete; while something that is going away still needs it, try again."""

        def attempt() -> bool:
            try:
                getattr(call.client(self.service), self.deletion)(**self.named(id), **arguments)
            except Exception as error:
                if error_code(error) not in self.busy_codes:
                    raise
                return False
            return True

        call.wait(f"{self.token}: {id} to be free", attempt, seconds=self.delete_seconds, interval_seconds=2)

    def write_tags(self, call: Call, id: str, add: Mapping[str, str], remove: list[str]) -> None:
        """Set and remove tags of an existing resource."""
        if self.tagging is None:
            raise ProviderError(f"{self.token}: tags cannot be changed")
        name = str((call.outputs.get(self.tagging.by) if self.tagging.by else "") or id)
        self.tagging.write(call.client(self.service), name, add, remove)

    def find(self, call: Call) -> str | None:
        """The id of an existing resource with the inputs' natural key, after a conflict."""
        return call.inputs.get((self.auto_name or AutoName()).property) if self.found_by_name else None

    def find_marked(self, call: Call) -> list[str]:
        """The ids of existing resources whose marker names this URN; for types that have no natural key."""
        return []

    def import_outputs(self, call: Call, id: str) -> None:
        """Fill `call.inputs` with what `read` needs when only the id is known."""


def unless_missing(call: Callable[[], T]) -> T | None:
    """What `call` answers; None when AWS says that there is no such thing."""
    try:
        return call()
    except Exception as error:
        if is_not_found(error):
            return None
        raise


def utc_time(moment: Any) -> str:
    """A moment as states hold it, in UTC whatever zone boto3 put it in; "" for none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(moment, datetime) else str(moment or "")


def present(**values: Any) -> PropertyMap:
    """A property map without its empty (None) values."""
    return {name: value for name, value in values.items() if value is not None}
