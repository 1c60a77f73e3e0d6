"""Replacements in both orders: the new resource first and the old one at the end, or the old one and its dependents first."""

from __future__ import annotations

import threading

from slipway.engine.deployment.cascade import Dependent, find_dependents
from slipway.engine.deployment.compare import Change
from slipway.engine.deployment.context import Deployment, Place
from slipway.engine.deployment.execution import ResourceCalls, StepRunner
from slipway.engine.deployment.goal import Goal
from slipway.engine.events import Op, Step
from slipway.engine.state.model import ResourceState
from slipway.errors import OperationError


class Replacer:
    """Does replacements."""

    def __init__(self, deployment: Deployment, runner: StepRunner) -> None:
        self.deployment = deployment
        self.runner = runner

    def replace(
        self, goal: Goal, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change
    ) -> ResourceState:
        """Replace in the order that the program asks for, else the provider."""
        delete_first = change.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        self._note_replaced(new.urn)
        if delete_first:
            return self._delete_first(new, old, calls, change)
        return self.create_first(new, old, calls, change)

    def create_first(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change
    ) -> ResourceState:
        """Create; the old record is marked and goes at the end, when everything uses the new one."""
        before = old.state
        step = Step(op=Op.CREATE_REPLACEMENT, urn=new.urn, old=before, new=new, change=change, logical=False)
        state = self.runner.create(step, new, calls, replaces=old)
        self.mark_replaced(before, state, change)
        return state

    def recreate(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change | None = None
    ) -> ResourceState:
        """Create in place of what was deleted before, in this run or in one that was interrupted."""
        if change is None:
            keys = self.deployment.dependent_keys.get(new.urn, ())
            change = Change(changed=True, forced=True, replace_keys=keys)
        self._note_replaced(new.urn)
        before = old.state
        self.mark_replaced(before, new, change)
        step = Step(op=Op.CREATE_REPLACEMENT, urn=new.urn, old=before, new=new, change=change, logical=False)
        return self.runner.create(step, new, calls, replaces=old)

    def mark_replaced(self, old: ResourceState, new: ResourceState, change: Change) -> None:
        """The step that stands for the whole replacement, and counts."""
        step = Step(op=Op.REPLACE, urn=new.urn, old=old, new=new, change=change)
        self.deployment.began(step)
        self.deployment.ended(step)

    def _note_replaced(self, urn: str) -> None:
        with self.deployment.lock:
            self.deployment.replaced.add(urn)

    def _delete_first(
        self, new: ResourceState, old: Place, calls: ResourceCalls | None, change: Change
    ) -> ResourceState:
        with self.deployment.lock:
            self.deployment.condemned.add(old.state.urn)
        self._delete_dependents(old)
        before = old.state
        step = Step(op=Op.DELETE_REPLACED, urn=before.urn, old=before, change=change, logical=False)
        self.runner.delete(step, old, keep_pending=True)
        return self.recreate(new, old, calls, change)

    def _delete_dependents(self, root: Place) -> None:
        found = find_dependents(self.deployment, self.runner, root)
        ended = threading.Event()
        doomed = self._doom(found, root, ended)
        try:
            for one in reversed(doomed):
                state = one.place.state
                if state.pending_replacement:
                    continue  # deleted in a run that was interrupted
                change = Change(changed=True, forced=True, replace_keys=one.keys)
                step = Step(op=Op.DELETE_REPLACED, urn=state.urn, old=state, change=change, logical=False)
                self.runner.delete(step, one.place, keep_pending=True)
        finally:
            ended.set()

    def _doom(self, found: list[Dependent], root: Place, ended: threading.Event) -> list[Dependent]:
        """Those of `found` that are deleted here, noted so that their registrations wait for `ended` and start anew."""
        deployment = self.deployment
        with deployment.lock:
            # One that registered meanwhile no longer depends on the root, or its registration would still wait for it.
            taken = deployment.goals.keys() | deployment.aliased.keys() | deployment.deleted.keys()
            doomed = [one for one in found if one.place.state.urn not in taken]
            for one in doomed:
                if one.place.state.protect:
                    raise OperationError(
                        f"cannot be replaced: {one.place.state.urn} would have to be replaced with it, and is protected",
                        where=root.state.urn,
                        remedy="take `protect` off that one first",
                    )
            for one in doomed:
                urn = one.place.state.urn
                deployment.deleted[urn] = ended
                deployment.condemned.add(urn)
                deployment.dependent_keys[urn] = one.keys
        return doomed
