"""A registration from its arrival to its answer: who it is, which provider serves it, what must be done, doing it.

Called on the program's own threads, several at a time. The answer is given only when the step is recorded, so a program cannot build on
something that the state does not know.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from slipway.engine.deployment.cascade import find_dependents
from slipway.engine.deployment.compare import Change, settle_diff, should_trigger_replace, values_equal
from slipway.engine.deployment.context import (
    Deployment,
    Place,
    Registered,
    StepFailedError,
    TerminatedError,
    all_dependencies,
)
from slipway.engine.deployment.defaults import ProviderResolution
from slipway.engine.deployment.execution import ResourceCalls, StepRunner
from slipway.engine.deployment.goal import Goal
from slipway.engine.deployment.identity import claim
from slipway.engine.deployment.paths import PathSyntaxError, reset_paths
from slipway.engine.deployment.providers import with_engine_inputs
from slipway.engine.events import Op, Step
from slipway.engine.provider import CheckResult, DiffChanges, DiffResult, ProviderError
from slipway.engine.state.model import OperationType, PendingOperation, ResourceState
from slipway.engine.urn import is_provider_type, parse_provider_reference
from slipway.engine.values import PropertyMap, contains_unknown
from slipway.errors import OperationError, SlipwayError

SEED_BYTES = 32


class Policies(Protocol):
    """Judges each resource before its step."""

    def review(self, goal: Goal, state: ResourceState) -> ResourceState:
        """The record, its inputs remedied where a policy says so; raises StepFailedError when a mandatory one is violated."""
        ...


class NoPolicies:
    """No pack is in force."""

    def review(self, goal: Goal, state: ResourceState) -> ResourceState:
        """Let everything pass."""
        return state


class Registrar:
    """Handles registrations."""

    def __init__(self, deployment: Deployment, runner: StepRunner, policies: Policies) -> None:
        self.deployment = deployment
        self.runner = runner
        self.policies = policies
        self._admission = threading.BoundedSemaphore(deployment.options.parallel)
        """Registrations at work. The program may send hundreds at once; more at work than can act would only contend for locks."""
        self.resolution = ProviderResolution(deployment, self._register)

    def register(self, parent: str, type_token: str, name: str, make_goal: Callable[[], Goal]) -> Registered:
        """Register; raises TerminatedError when the operation has failed, by this registration or before it.

        `make_goal` runs the program's transforms, so it may fail too; the names are known before it, and no transform changes them.
        """
        return self.guarded(parent, type_token, name, lambda: self._register(make_goal()))

    def guarded(self, parent: str, type_token: str, name: str, work: Callable[[], Registered]) -> Registered:
        """Do `work`; report what goes wrong, and answer `failed` if the operation continues on errors."""
        deployment = self.deployment
        deployment.ensure_running()
        urn = deployment.urn_of(parent, type_token, name)
        try:
            with self._admission:
                deployment.ensure_running()
                return work()
        except StepFailedError:
            pass
        except (SlipwayError, ProviderError, PathSyntaxError) as error:
            deployment.fail(str(error), urn=urn)
        with deployment.lock:
            deployment.failed.add(urn)
        if deployment.options.continue_on_error and not deployment.is_stopping:
            return Registered(urn=urn, failed=True)
        raise TerminatedError

    def _register(self, goal: Goal) -> Registered:
        deployment = self.deployment
        goal = self.resolution.resolve(self._inherit(goal))
        urn, old = claim(deployment, goal)
        new = self._new_record(urn, goal, old)
        if self._depends_on_failure(new):
            deployment.diagnose("skipped: something it depends on has failed", urn=urn)
            raise StepFailedError(urn)
        if not deployment.is_targeted(urn):
            return self._leave_alone(new, old)
        self._refuse_skipped_dependencies(new)
        state = self._settle(goal, new, old)
        outputs = state.outputs if state.custom else {}
        return Registered(urn=urn, id=state.id, outputs=outputs)

    def _inherit(self, goal: Goal) -> Goal:
        parent = self.deployment.goals.get(goal.parent)
        if parent is None:
            return goal
        return replace(
            goal,
            protect=parent.protect if goal.protect is None else goal.protect,
            retain_on_delete=parent.retain_on_delete if goal.retain_on_delete is None else goal.retain_on_delete,
            deleted_with=goal.deleted_with or parent.deleted_with,
        )

    def _new_record(self, urn: str, goal: Goal, old: Place | None) -> ResourceState:
        by_property = goal.property_dependencies
        if not by_property and not goal.remote and goal.dependencies:
            by_property = dict.fromkeys(goal.inputs, goal.dependencies)
        claimed = self.deployment.aliases.get(urn)
        return ResourceState(
            urn=urn,
            type=goal.type,
            custom=goal.custom,
            inputs=with_engine_inputs(goal) if goal.is_provider else goal.inputs,
            parent=goal.parent,
            protect=bool(goal.protect),
            dependencies=goal.dependencies,
            provider=goal.provider if goal.custom and not goal.is_provider else "",
            property_dependencies=by_property,
            additional_secret_outputs=goal.additional_secret_outputs,
            aliases=(claimed,) if claimed else (),
            custom_timeouts=goal.custom_timeouts,
            import_id=goal.import_id,
            retain_on_delete=bool(goal.retain_on_delete),
            deleted_with=goal.deleted_with,
            replace_with=goal.replace_with,
            source_position=goal.source_position,
            stack_trace=goal.stack_trace,
            ignore_changes=goal.ignore_changes,
            hide_diff=goal.hide_diff,
            replace_on_changes=goal.replace_on_changes,
            replacement_trigger=goal.replacement_trigger,
            resource_hooks=goal.hooks,
            refresh_before_update=old.state.refresh_before_update if old else False,
            extra=old.state.extra if old else {},
        )

    def _depends_on_failure(self, new: ResourceState) -> bool:
        # Without the lock: what this depends on has been answered, so whether it failed is settled.
        failed = self.deployment.failed
        return bool(failed) and any(urn in failed for urn in all_dependencies(new))

    # ------------------------------------------------------------ targets

    def _leave_alone(self, new: ResourceState, old: Place | None) -> Registered:
        deployment = self.deployment
        if old is None:
            with deployment.lock:
                deployment.skipped_creates.add(new.urn)
            return Registered(urn=new.urn, unknown=True)
        self._keep_dependencies(old)
        kept = replace(old.state, urn=new.urn, aliases=new.aliases)
        state = self.runner.same(old, kept)
        return Registered(urn=new.urn, id=state.id, outputs=state.outputs if state.custom else {})

    def _keep_dependencies(self, old: Place) -> None:
        """Whatever an untouched record names must stand before it, also what the program no longer registers."""
        for urn in all_dependencies(old.state):
            place = self.deployment.olds.get(urn)
            if place is not None and place in self.deployment.remaining and not place.moved:
                self._keep_dependencies(place)
                self.deployment.move_to_front(place)

    def _refuse_skipped_dependencies(self, new: ResourceState) -> None:
        for urn in all_dependencies(new):
            if urn in self.deployment.skipped_creates:
                raise OperationError(
                    f"depends on {urn}, which is not created because no target names it",
                    where=new.urn,
                    remedy="add it to the targets",
                )

    # ------------------------------------------------------------ what must be done

    def _settle(self, goal: Goal, new: ResourceState, old: Place | None) -> ResourceState:
        deployment = self.deployment
        recreating = self._await_deletion(new.urn)
        calls = self.runner.calls_for(new)
        seed = os.urandom(SEED_BYTES)
        is_imported = False
        if old is not None and old.state.pending_replacement:
            recreating = True
        if goal.custom and goal.import_id and not recreating and _needs_import(goal, old):
            assert calls is not None
            old = self._import(goal, new, old, calls)
            is_imported = True
            if deployment.preview and not deployment.ok:
                raise StepFailedError(new.urn)
        fresh = recreating or old is None or old.state.external or new.urn in deployment.options.replace
        new = self._checked(goal, new, old, calls, seed, fresh=fresh)
        new = self.policies.review(goal, new)
        deployment.ensure_running()
        if old is None:
            return self._create(new, calls)
        if recreating:
            return self._recreate(new, old, calls)
        if old.state.external:
            return self._replace_create_first(new, old, calls, Change(changed=True))
        change = self._compare(goal, new, old, calls)
        if change.replaces:
            return self._replace(goal, new, old, calls, seed, change, rechecked=fresh)
        if change.changed or old.state.init_errors:
            step = Step(op=Op.UPDATE, urn=new.urn, old=old.state, new=_continuing(new, old.state), change=change)
            return self.runner.update(step, old, new, calls)
        if is_imported:
            return old.state
        return self.runner.same(old, new)

    def _await_deletion(self, urn: str) -> bool:
        """Whether this run deletes the old record before its registration arrived; waits until that is done."""
        # Without the lock: a cascade leaves alone what is registered already, and this is.
        deleted = self.deployment.deleted
        ended = deleted.get(urn) or deleted.get(self.deployment.aliases.get(urn, urn))
        if ended is None:
            return False
        ended.wait()
        self.deployment.ensure_running()
        return True

    def _checked(
        self,
        goal: Goal,
        new: ResourceState,
        old: Place | None,
        calls: ResourceCalls | None,
        seed: bytes,
        *,
        fresh: bool,
    ) -> ResourceState:
        """The record with the provider's inputs; `fresh`: as if nothing existed, so that generated names are new."""
        inputs = new.inputs
        if old is not None and not fresh:
            inputs = reset_paths(inputs, old.state.inputs, goal.ignore_changes)
        if calls is None:
            return replace(new, inputs=inputs)
        olds = old.state.inputs if old is not None and not fresh else self._resumed_inputs(new, calls)
        answer = calls.check(self.runner.context(new, random_seed=seed), olds, inputs)
        self._refuse_failures(new, answer)
        return replace(new, inputs=answer.inputs)

    def _resumed_inputs(self, new: ResourceState, calls: ResourceCalls) -> PropertyMap:
        """The inputs of a create that a crash interrupted, if the provider can take that create up again.

        Generated names then stay as they were, and the provider finds what the first attempt made instead of making another.
        """
        pending = self._interrupted_create(new.urn) if calls.resumes_creates else None
        return pending.resource.inputs if pending is not None else {}

    def _interrupted_create(self, urn: str) -> PendingOperation | None:
        for pending in self.deployment.writer.base.pending_operations:
            if pending.type is OperationType.CREATING and pending.resource.urn == urn:
                return pending
        return None

    def _refuse_failures(self, new: ResourceState, answer: CheckResult) -> None:
        if not answer.failures:
            return
        faults = "; ".join(f"{one.property}: {one.reason}" if one.property else one.reason for one in answer.failures)
        raise OperationError(f"{new.type} {new.urn.rpartition('::')[2]!r} has a problem: {faults}")

    def _compare(self, goal: Goal, new: ResourceState, old: Place, calls: ResourceCalls | None) -> Change:
        before = old.state
        forced = self._forced_replacement(new, before)
        if forced is not None:
            return forced
        if calls is None:
            is_same = values_equal(before.inputs, new.inputs)
            answer = DiffResult(changes=DiffChanges.NONE if is_same else DiffChanges.SOME)
        else:
            answer = calls.diff(self.runner.context(new), before, new.inputs)
        change = settle_diff(
            answer,
            old_inputs=before.inputs,
            new_inputs=new.inputs,
            ignore_changes=goal.ignore_changes,
            replace_on_changes=goal.replace_on_changes,
            has_init_errors=bool(before.init_errors),
        )
        if should_trigger_replace(new.replacement_trigger, before.replacement_trigger):
            return replace(change, changed=True, forced=True, replace_keys=(*change.replace_keys, "replacementTrigger"))
        return change

    def _forced_replacement(self, new: ResourceState, old: ResourceState) -> Change | None:
        """A replacement for a reason that is none of the resource's own properties."""
        deployment = self.deployment
        if not deployment.preview and contains_unknown(new.replacement_trigger):
            raise OperationError("the replacement trigger is not known in a real run", where=new.urn)
        reason = ""
        if new.urn in deployment.options.replace or old.taint:
            reason = "id"
        elif any(urn in deployment.replaced for urn in new.replace_with):
            reason = "replaceWith"
        elif new.deleted_with and new.deleted_with in deployment.replaced:
            reason = "deletedWith"
        if not reason and self._is_provider_replaced(new, old):
            reason = "provider"
        return Change(changed=True, forced=True, replace_keys=(reason,)) if reason else None

    def _is_provider_replaced(self, new: ResourceState, old: ResourceState) -> bool:
        """Whether the resource moves to a provider that cannot manage what the old one made."""
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        deployment = self.deployment
        old_urn = parse_provider_reference(old.provider).urn
        new_urn = parse_provider_reference(new.provider).urn
        if deployment.aliased.get(old_urn) == new_urn:
            return False
        known = deployment.olds.get(old_urn)
        if known is None or new_urn not in deployment.states:
            return True
        before, after = known.state, deployment.states[new_urn]
        answer = deployment.providers.diff_by_reference(new.provider, before.inputs, before.outputs, after.inputs)
        return settle_diff(answer, old_inputs=before.inputs, new_inputs=after.inputs).replaces

    # ------------------------------------------------------------ doing it

    def _create(self, new: ResourceState, calls: ResourceCalls | None) -> ResourceState:
        state = self.runner.create(Step(op=Op.CREATE, urn=new.urn, new=new), new, calls, replaces=None)
        pending = self._interrupted_create(new.urn)
        if pending is not None and calls is not None and calls.resumes_creates:
            self.deployment.writer.forget(pending)
        return state

    def _import(self, goal: Goal, new: ResourceState, old: Place | None, calls: ResourceCalls) -> Place:
        wanted = replace(new, id=goal.import_id, inputs={})
        mark_old = old is not None and not old.state.external
        op = Op.IMPORT_REPLACEMENT if mark_old else Op.IMPORT
        step = Step(op=op, urn=new.urn, old=old.state if old else None, new=wanted, logical=not mark_old)
        state = self.runner.read(step, wanted, calls, old=old, mark_old=mark_old)
        if mark_old and old is not None:
            self._mark_replaced(new.urn, old.state, state, Change(changed=True, replace_keys=("id",)))
        return Place(state)

    def _replace(
        self,
        goal: Goal,
        new: ResourceState,
        old: Place,
        calls: ResourceCalls | None,
        seed: bytes,
        change: Change,
        *,
        rechecked: bool,
    ) -> ResourceState:
        self._refuse_replacement(goal, new, old.state)
        if not rechecked:
            original = replace(new, inputs=with_engine_inputs(goal) if goal.is_provider else goal.inputs)
            new = self._checked(goal, original, old, calls, seed, fresh=True)
        with self.deployment.lock:
            self.deployment.replaced.add(new.urn)
        delete_first = (
            change.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        )
        if delete_first:
            return self._replace_delete_first(new, old, calls, change)
        return self._replace_create_first(new, old, calls, change)

    def _refuse_replacement(self, goal: Goal, new: ResourceState, old: ResourceState) -> None:
        if new.protect and old.protect:
            message = "cannot be replaced: it is protected"
            remedy = "take `protect` off it first; one update may unprotect and replace"
            if not self.deployment.preview:
                raise OperationError(message, where=new.urn, remedy=remedy)
            self.deployment.fail(f"{message}\n  → {remedy}", urn=new.urn)
            raise StepFailedError(new.urn)
        if goal.import_id:
            message = "a resource that still names an import id may not be replaced; remove `import_` from its options"
            if not self.deployment.preview:
                raise OperationError(message, where=new.urn)
            self.deployment.diagnose(message, urn=new.urn)

    def _replace_create_first(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change
    ) -> ResourceState:
        before = old.state
        step = Step(op=Op.CREATE_REPLACEMENT, urn=new.urn, old=before, new=new, change=change, logical=False)
        state = self.runner.create(step, new, calls, replaces=old)
        self._mark_replaced(new.urn, before, state, change)
        return state

    def _replace_delete_first(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change
    ) -> ResourceState:
        self._delete_dependents(old)
        before = old.state
        step = Step(op=Op.DELETE_REPLACED, urn=before.urn, old=before, change=change, logical=False)
        with self.deployment.lock:
            self.deployment.condemned.add(before.urn)
        self.runner.delete(step, old, keep_pending=True)
        return self._recreate(new, old, calls, change)

    def _recreate(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change | None = None
    ) -> ResourceState:
        """Create in place of what was deleted before, in this run or in one that was interrupted."""
        if change is None:
            keys = self.deployment.dependent_keys.get(new.urn, ())
            change = Change(changed=True, forced=True, replace_keys=keys)
        with self.deployment.lock:
            self.deployment.replaced.add(new.urn)
        before = old.state
        self._mark_replaced(new.urn, before, new, change)
        step = Step(op=Op.CREATE_REPLACEMENT, urn=new.urn, old=before, new=new, change=change, logical=False)
        return self.runner.create(step, new, calls, replaces=old)

    def _mark_replaced(self, urn: str, old: ResourceState, new: ResourceState, change: Change) -> None:
        step = Step(op=Op.REPLACE, urn=urn, old=old, new=new, change=change)
        self.deployment.began(step)
        self.deployment.ended(step)

    def _delete_dependents(self, root: Place) -> None:
        deployment = self.deployment
        found = find_dependents(deployment, self.runner, root)
        with deployment.lock:
            # One that registered meanwhile no longer depends on the root, or its registration would still wait.
            doomed = [one for one in found if one.place.state.urn not in {*deployment.goals, *deployment.deleted}]
            for one in doomed:
                if one.place.state.protect:
                    urn = one.place.state.urn
                    raise OperationError(
                        f"cannot be replaced as part of replacing {root.state.urn}: it is protected",
                        where=urn,
                        remedy="take `protect` off it first",
                    )
            ended = threading.Event()
            for one in doomed:
                deployment.deleted[one.place.state.urn] = ended
                deployment.condemned.add(one.place.state.urn)
                deployment.dependent_keys[one.place.state.urn] = one.keys
        try:
            for one in reversed(doomed):
                state = one.place.state
                if not state.pending_replacement:
                    step = Step(
                        op=Op.DELETE_REPLACED,
                        urn=state.urn,
                        old=state,
                        change=Change(changed=True, forced=True, replace_keys=one.keys),
                        logical=False,
                    )
                    self.runner.delete(step, one.place, keep_pending=True)
        finally:
            ended.set()


def _needs_import(goal: Goal, old: Place | None) -> bool:
    return old is None or old.state.external or (old.state.import_id or old.state.id) != goal.import_id


def _continuing(new: ResourceState, old: ResourceState) -> ResourceState:
    """The record of an update before it is done: what the provider made stays until the answer."""
    return replace(new, id=old.id, outputs=old.outputs, created=old.created, modified=old.modified)


__all__ = ["NoPolicies", "Policies", "Registrar", "is_provider_type"]
