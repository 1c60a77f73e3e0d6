"""Create what does not exist, and adopt what a killed run of the same stack made.

A run that is killed between the API call and the saving of its state leaves a resource that no state knows. The real provider fails
then ("already exists") and asks for an import. Here the next run goes on by itself: everything this provider makes carries a hidden
tag, `slipway:urn`, with the URN that made it. When a create fails because the name (or another natural key, such as a subnet's range)
is taken, and the resource that has it carries the tag of this very URN, it is adopted and updated to the wanted inputs.

What has no natural key (a VPC, an elastic IP, a KMS key) is looked for by the id or the tag, when the journal knows that a create of this
URN was interrupted. If the program wants by now what the existing one cannot become, that one is deleted and another made.

Never adopted: a resource whose id this connection has seen in a state (the old half of a replacement), and one without the tag or with
another URN's.
"""

from __future__ import annotations

import threading

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.diff import diff_inputs
from slipway.sandbox.providers.framework.faults import AlreadyExistsError, error_code
from slipway.sandbox.providers.framework.resource import Call, Resource, unless_missing
from slipway.sandbox.providers.framework.schema import ResourceSchema
from slipway.sandbox.providers.framework.state import imported_inputs, merged_outputs
from slipway.sandbox.providers.framework.tags import MARKER_TAG, marker_value


class SeenIds:
    """The ids that states know, by type."""

    def __init__(self) -> None:
        self._ids: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, token: str, id: str) -> None:
        """Remember that a state knows this resource."""
        with self._lock:
            self._ids.add((token, id))

    def __contains__(self, key: tuple[str, str]) -> bool:
        with self._lock:
            return key in self._ids


def create_or_adopt(resource: Resource, schema: ResourceSchema, call: Call, seen: SeenIds) -> str:
    """Create; on a conflict adopt the existing resource if it is ours, else let AWS's error stand."""
    if call.resuming:
        noted = [call.interrupted_id] if call.interrupted_id else []
        for existing in dict.fromkeys([*noted, *resource.find_marked(call)]):
            live = (
                None
                if (resource.token, existing) in seen
                else unless_missing(lambda id_=existing: resource.read(call, id_))
            )
            if live is not None and adopt(resource, schema, call, existing, live):
                return existing
    try:
        return resource.create(call)
    except Exception as error:
        if not is_conflict(resource, error):
            raise
        existing = resource.find(call)
        if existing is None or (resource.token, existing) in seen:
            raise
        live = resource.read(call, existing)
        if live is None or not is_ours(live, call):
            raise
        if adopt(resource, schema, call, existing, live):
            return existing
        if not call.resuming:
            raise
    return resource.create(call)


def is_conflict(resource: Resource, error: Exception) -> bool:
    """Whether a create failed because another resource has the name."""
    return isinstance(error, AlreadyExistsError) or error_code(error) in resource.conflict_codes


def is_ours(live: PropertyMap, call: Call) -> bool:
    """Whether the marker names this URN; types without tags have no marker and are taken by their natural key alone."""
    tags = live.get("tagsAll")
    return tags is None or tags.get(MARKER_TAG) == marker_value(call.ctx.urn)


def adopt(resource: Resource, schema: ResourceSchema, call: Call, id: str, live: PropertyMap) -> bool:
    """Bring an existing resource to the wanted inputs. False: only another one could have them; where a create was interrupted, and
    the id or the tag says that it made this one, it is deleted.
    """
    outputs = merged_outputs(resource, call, live, {})
    olds = imported_inputs(resource, schema, outputs)
    olds = {name: value for name, value in olds.items() if name in call.inputs}
    call.old_inputs, call.outputs = olds, outputs
    result = diff_inputs(resource, schema, olds, call.inputs)
    if set(result.replaces) - resource.write_only:
        if call.resuming and (id == call.interrupted_id or live.get("tagsAll") is not None):
            resource.delete(call, id)
        call.old_inputs, call.outputs = {}, {}
        return False
    call.changed = frozenset(result.diffs) - resource.write_only - resource.force_new
    apply_update(resource, call, id)
    return True


def apply_update(resource: Resource, call: Call, id: str) -> None:
    """The type's own update, then tags."""
    if call.changed - {"tags", "tagsAll"}:
        resource.update(call, id)
    if call.changes("tags", "tagsAll"):
        old = call.old_inputs.get("tagsAll") or {}
        new = call.inputs.get("tagsAll") or {}
        add = {key: value for key, value in new.items() if old.get(key) != value}
        remove = sorted(old.keys() - new.keys())
        if add or remove:
            resource.write_tags(call, id, add, remove)
