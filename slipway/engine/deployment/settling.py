"""What a registration means for its resource: checked, judged by policies, compared with the old record; then done."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Protocol

from slipway.engine.deployment.compare import Change, settle_diff, should_trigger_replace, values_equal
from slipway.engine.deployment.context import Deployment, Place, StepFailedError
from slipway.engine.deployment.execution import ResourceCalls, StepRunner
from slipway.engine.deployment.goal import Goal
from slipway.engine.deployment.paths import reset_paths
from slipway.engine.deployment.providers import public_config
from slipway.engine.deployment.replacing import Replacer
from slipway.engine.events import Op, Step
from slipway.engine.provider import CheckResult, DiffChanges, DiffResult
from slipway.engine.state.model import ResourceState
from slipway.engine.urn import is_provider_type, parse_provider_reference
from slipway.engine.values import PropertyMap, contains_unknown
from slipway.errors import OperationError

SEED_BYTES = 32


class Policies(Protocol):
    """Judges each resource before its step."""

    def review(self, goal: Goal, state: ResourceState) -> ResourceState:
        """The record, its inputs remedied where a policy says so; raises StepFailedError when a mandatory one is violated."""
        ...


@dataclass(frozen=True, kw_only=True)
class Case:
    """One registration on its way to a step."""

    goal: Goal
    old: Place | None
    calls: ResourceCalls | None
    """None for components."""
    seed: bytes
    """Of generated names: the same in every check of this registration."""
    is_imported: bool = False
    is_recreated: bool = False
    """The old resource is deleted already, for the sake of one that it depends on, or in a run that was interrupted."""

    @property
    def starts_anew(self) -> bool:
        """Whether the old inputs mean nothing to the new resource."""
        return self.old is None or self.is_recreated or self.old.state.external


class Settler:
    """Decides and does."""

    def __init__(self, deployment: Deployment, runner: StepRunner, policies: Policies) -> None:
        self.deployment = deployment
        self.runner = runner
        self.policies = policies
        self._replacer = Replacer(deployment, runner)

    def settle(self, goal: Goal, new: ResourceState, old: Place | None) -> ResourceState:
        """Bring the resource to what `goal` says; the record as saved."""
        case = self._case(goal, new, old)
        is_forced = new.urn in self.deployment.options.replace
        checked = self._check(case, new, anew=case.starts_anew or is_forced)
        checked = self.policies.review(goal, checked)
        self.deployment.ensure_running()
        state = self._act(case, new, checked, is_forced=is_forced)
        self._forget_interrupted(case, state)
        return state

    def _case(self, goal: Goal, new: ResourceState, old: Place | None) -> Case:
        was_deleted = self._await_deletion(new.urn)
        case = Case(
            goal=goal,
            old=old,
            calls=self.runner.calls_for(new),
            seed=os.urandom(SEED_BYTES),
            is_recreated=old is not None and (was_deleted or old.state.pending_replacement),
        )
        if not goal.custom or not goal.import_id or case.is_recreated or not _needs_import(goal, old):
            return case
        return replace(case, old=self._import(goal, new, old), is_imported=True)

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

    def _act(self, case: Case, new: ResourceState, checked: ResourceState, *, is_forced: bool) -> ResourceState:
        """`new` has the program's inputs, `checked` the provider's."""
        old, calls = case.old, case.calls
        if old is None:
            return self.runner.create(Step(op=Op.CREATE, urn=new.urn, new=checked), checked, calls, replaces=None)
        if case.is_recreated:
            return self._replacer.recreate(checked, old, calls)
        if old.state.external:
            return self._replacer.create_first(checked, old, calls, Change(changed=True))
        change = self._compare(case, checked, old.state)
        if change.replaces:
            self._refuse_replacement(case.goal, new, old.state)
            # Generated names must be new ones, or the replacement collides with what it replaces.
            checked = checked if is_forced else self._check(case, new, anew=True)
            return self._replacer.replace(case.goal, checked, old, calls, change)
        if change.changed or old.state.init_errors:
            step = Step(op=Op.UPDATE, urn=new.urn, old=old.state, new=_continuing(checked, old.state), change=change)
            return self.runner.update(step, old, checked, calls)
        return old.state if case.is_imported else self.runner.same(old, checked)

    # ------------------------------------------------------------ check

    def _check(self, case: Case, new: ResourceState, *, anew: bool) -> ResourceState:
        """The record with the provider's inputs; `anew`: as if nothing existed."""
        inputs, olds = new.inputs, PropertyMap()
        if case.old is not None and not anew:
            olds = case.old.state.inputs
            inputs = reset_paths(inputs, olds, case.goal.ignore_changes)
        if case.calls is None:
            return replace(new, inputs=inputs)
        if anew:
            olds = self._interrupted_inputs(new, case.calls)
        answer = case.calls.check(self.runner.context(new, random_seed=case.seed), olds, inputs)
        _refuse_failures(new, answer)
        return replace(new, inputs=answer.inputs)

    def _interrupted_inputs(self, new: ResourceState, calls: ResourceCalls) -> PropertyMap:
        """The inputs of a create that a crash interrupted, if the provider can take that create up again.

        Generated names then stay as they were, and the provider finds what the first attempt made instead of making another.
        """
        interrupted = self.runner.interrupted_creates(new.urn) if calls.resumes_creates else []
        return interrupted[-1].resource.inputs if interrupted else {}

    def _forget_interrupted(self, case: Case, state: ResourceState) -> None:
        if case.calls is None or not case.calls.resumes_creates:
            return
        for pending in self.runner.interrupted_creates(state.urn):
            self.deployment.writer.forget(pending)

    # ------------------------------------------------------------ compare

    def _compare(self, case: Case, new: ResourceState, old: ResourceState) -> Change:
        forced = self._forced_replacement(new, old)
        if forced is not None:
            return forced
        if case.calls is None:
            is_same = values_equal(old.inputs, new.inputs)
            answer = DiffResult(changes=DiffChanges.NONE if is_same else DiffChanges.SOME)
        else:
            answer = case.calls.diff(self.runner.context(new), old, new.inputs)
        is_provider = is_provider_type(new.type)
        change = settle_diff(
            answer,
            old_inputs=public_config(old.inputs) if is_provider else old.inputs,
            new_inputs=public_config(new.inputs) if is_provider else new.inputs,
            ignore_changes=case.goal.ignore_changes,
            replace_on_changes=case.goal.replace_on_changes,
            has_init_errors=bool(old.init_errors),
        )
        if should_trigger_replace(new.replacement_trigger, old.replacement_trigger):
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
        elif self._is_provider_replaced(new, old):
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

    def _refuse_replacement(self, goal: Goal, new: ResourceState, old: ResourceState) -> None:
        if new.protect and old.protect:
            raise OperationError(
                "cannot be replaced: it is protected",
                remedy="take `protect` off it first; one update may unprotect and replace",
            )
        if goal.import_id:
            message = "a resource that still names an import id may not be replaced; remove `import_` from its options"
            if not self.deployment.preview:
                raise OperationError(message)
            self.deployment.diagnose(message, urn=new.urn)

    # ------------------------------------------------------------ import

    def _import(self, goal: Goal, new: ResourceState, old: Place | None) -> Place:
        """Take the live resource into the state; the program's inputs are compared with it afterwards."""
        wanted = replace(new, id=goal.import_id, inputs={})
        mark_old = old is not None and not old.state.external
        op = Op.IMPORT_REPLACEMENT if mark_old else Op.IMPORT
        before = old.state if old is not None else None
        step = Step(op=op, urn=new.urn, old=before, new=wanted, logical=not mark_old)
        calls = self.runner.require_calls(new)
        state = self.runner.read(step, wanted, calls, old=old, mark_old=mark_old)
        if mark_old and before is not None:
            self._replacer.mark_replaced(before, state, Change(changed=True, replace_keys=("id",)))
        if self.deployment.is_stopping:
            raise StepFailedError(new.urn)
        return Place(state)


def _refuse_failures(new: ResourceState, answer: CheckResult) -> None:
    if not answer.failures:
        return
    faults = "; ".join(f"{one.property}: {one.reason}" if one.property else one.reason for one in answer.failures)
    raise OperationError(f"{new.type} {new.urn.rpartition('::')[2]!r} has a problem: {faults}")


def _needs_import(goal: Goal, old: Place | None) -> bool:
    return old is None or old.state.external or (old.state.import_id or old.state.id) != goal.import_id


def _continuing(new: ResourceState, old: ResourceState) -> ResourceState:
    """The record of an update before it is done: what the provider made stays until the answer."""
    return replace(new, id=old.id, outputs=old.outputs, created=old.created, modified=old.modified)
