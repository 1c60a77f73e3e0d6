"""A registration from its arrival to its answer: who it is, which provider serves it, whether it may be touched at all.

Called on the program's own threads, several at a time. The answer is given only when the step is recorded, so a program cannot build on
something that the state does not know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from slipway.engine.deployment.context import (
    Deployment,
    Place,
    Registered,
    StepFailedError,
    TerminatedError,
    all_dependencies,
)
from slipway.engine.deployment.defaults import ProviderResolution
from slipway.engine.deployment.execution import StepRunner
from slipway.engine.deployment.goal import Goal
from slipway.engine.deployment.identity import claim
from slipway.engine.deployment.paths import PathSyntaxError
from slipway.engine.deployment.providers import with_engine_inputs
from slipway.engine.deployment.settling import Policies, Settler
from slipway.engine.provider import ProviderError
from slipway.engine.state.model import ResourceState
from slipway.engine.urn import name_of
from slipway.errors import OperationError, SlipwayError


class Registrar:
    """Handles registrations."""

    def __init__(self, deployment: Deployment, runner: StepRunner, policies: Policies) -> None:
        self.deployment = deployment
        self.runner = runner
        self._settler = Settler(deployment, runner, policies)
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
        if deployment.continues_on_error and not deployment.is_stopping:
            return Registered(urn=urn, failed=True)
        raise TerminatedError

    def _register(self, goal: Goal) -> Registered:
        deployment = self.deployment
        deployment.mask.add_inputs(goal.inputs)
        goal = self.resolution.resolve(self._inherit(goal))
        urn, old = claim(deployment, goal)
        new = self._new_record(urn, goal, old)
        failed = self._failed_dependency(new)
        if failed:
            deployment.diagnose(f"skipped: {name_of(failed)}, which it depends on, has failed", urn=urn)
            raise StepFailedError(urn)
        if not deployment.is_targeted(urn):
            return self._leave_alone(new, old)
        self._refuse_skipped_dependencies(new)
        state = self._settler.settle(goal, new, old)
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

    def _failed_dependency(self, new: ResourceState) -> str:
        """A URN that this depends on and that has failed; empty: none has."""
        # Without the lock: what this depends on has been answered, so whether it failed is settled.
        failed = self.deployment.failed
        return next((urn for urn in all_dependencies(new) if urn in failed), "") if failed else ""

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
        deployment = self.deployment
        with deployment.lock:
            for urn in all_dependencies(old.state):
                place = deployment.olds.get(urn)
                if place is not None and place in deployment.remaining and not place.moved:
                    self._keep_dependencies(place)
                    deployment.move_to_front(place)

    def _refuse_skipped_dependencies(self, new: ResourceState) -> None:
        for urn in all_dependencies(new):
            if urn in self.deployment.skipped_creates:
                raise OperationError(
                    f"depends on {urn}, which is not created because no target names it",
                    where=new.urn,
                    remedy="add it to the targets",
                )
