"""Refresh: every record is compared with the live resource, and the state is brought in line; nothing outside the state changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from slipway.engine.deployment.compare import Change, detailed_diff, mark_secret_outputs
from slipway.engine.deployment.context import Deployment, Place, TerminatedError
from slipway.engine.deployment.execution import StepRunner
from slipway.engine.events import Op, Step
from slipway.engine.provider import InitializationError, ProviderError, ReadResult
from slipway.engine.state.model import OperationType, ResourceState
from slipway.engine.urn import is_provider_type
from slipway.errors import SlipwayError


def refresh_all(deployment: Deployment, runner: StepRunner, *, clear_pending_creates: bool = False) -> None:
    """Read every resource of the state. Providers, components and half-done replacements have nothing to read."""
    _forget_pending(deployment, clear_creates=clear_pending_creates)
    places = [place for place in deployment.remaining if _is_refreshable(deployment, place.state)]
    with ThreadPoolExecutor(max_workers=deployment.options.parallel, thread_name_prefix="refresh") as pool:
        try:
            found = pool.map(partial(_refresh_one, deployment, runner), places)
            gone = [place for place in found if place is not None]
        except KeyboardInterrupt:
            deployment.cancel()  # before the pool waits for what runs
            raise
    if gone:
        _forget_gone(deployment, gone)


def _is_refreshable(deployment: Deployment, state: ResourceState) -> bool:
    return (
        state.custom
        and not is_provider_type(state.type)
        and not state.pending_replacement
        and not state.view_of
        and (not deployment.options.targets or deployment.is_named_target(state.urn))
    )


def _forget_pending(deployment: Deployment, *, clear_creates: bool) -> None:
    for pending in deployment.writer.base.pending_operations:
        if pending.type is not OperationType.CREATING or clear_creates:
            deployment.writer.forget(pending)


def _refresh_one(deployment: Deployment, runner: StepRunner, place: Place) -> Place | None:
    """Refresh one record; returns it when the resource is gone."""
    old = place.state
    try:
        deployment.ensure_running()
    except TerminatedError:
        return None
    begin = Step(op=Op.REFRESH, urn=old.urn, old=old, new=old, logical=False)
    deployment.began(begin)
    init_errors: tuple[str, ...] = ()
    try:
        calls = runner.require_calls(old)
        with deployment.slots:
            answer = calls.read(runner.context(old, "read"), old.id, old.inputs, old.outputs)
    except InitializationError as error:
        answer = ReadResult(id=error.id, inputs=error.inputs, outputs=error.outputs)
        init_errors = error.reasons
    except (ProviderError, SlipwayError) as error:
        deployment.broke(begin)
        deployment.fail(f"refresh failed: {error}", urn=old.urn)
        return None
    if not answer.id:
        deployment.ended(replace(begin, new=None), counted_as=Op.DELETE)
        return place
    _settle(deployment, begin, place, answer, init_errors)
    return None


def _settle(
    deployment: Deployment, begin: Step, place: Place, answer: ReadResult, init_errors: tuple[str, ...]
) -> None:
    old = place.state
    outputs = mark_secret_outputs(answer.outputs, old.inputs, old.additional_secret_outputs)
    inputs = old.inputs if answer.inputs is None or old.external else answer.inputs
    found = detailed_diff(old.outputs, outputs)
    changed = (
        bool(found) or bool(detailed_diff(old.inputs, inputs)) or answer.id != old.id or init_errors != old.init_errors
    )
    if not changed:
        deployment.ended(begin, counted_as=Op.SAME)
        return
    new = replace(
        old, id=answer.id, inputs=inputs, outputs=outputs, init_errors=init_errors, modified=datetime.now(UTC)
    )
    deployment.record(None, amend=(place, new))
    change = Change(changed=True, detailed={path: replace(one, input_diff=False) for path, one in found.items()})
    deployment.ended(replace(begin, new=new, change=change), counted_as=Op.UPDATE)


def _forget_gone(deployment: Deployment, gone: list[Place]) -> None:
    """Take the gone records out, and every mention of them, so that the rest stays consistent."""
    with deployment.lock:
        for place in gone:
            deployment.record(None, retire=place)
            if deployment.olds.get(place.state.urn) is place:
                del deployment.olds[place.state.urn]
        living = {place.state.urn for place in deployment.remaining}
        missing = {place.state.urn: place.state for place in gone if place.state.urn not in living}
        for place in list(deployment.remaining):
            mended = _without(place.state, missing)
            if mended is not place.state:
                deployment.record(None, amend=(place, mended))


def _without(state: ResourceState, missing: dict[str, ResourceState]) -> ResourceState:
    by_property = {
        key: tuple(urn for urn in urns if urn not in missing) for key, urns in state.property_dependencies.items()
    }
    parent = state.parent
    while parent in missing:
        parent = missing[parent].parent
    mended = replace(
        state,
        parent=parent,
        dependencies=tuple(urn for urn in state.dependencies if urn not in missing),
        property_dependencies=by_property,
        deleted_with="" if state.deleted_with in missing else state.deleted_with,
        replace_with=tuple(urn for urn in state.replace_with if urn not in missing),
    )
    return state if mended == state else mended
