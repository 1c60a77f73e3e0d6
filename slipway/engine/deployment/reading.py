"""Reads: live resources that the program looks at and the stack does not own (`Bucket.get`, `StackReference`)."""

from __future__ import annotations

from slipway.engine.deployment.context import Deployment, Place, Registered
from slipway.engine.deployment.execution import ResourceCalls
from slipway.engine.deployment.goal import Goal, ReadGoal
from slipway.engine.deployment.identity import claim
from slipway.engine.deployment.registration import Registrar
from slipway.engine.events import Op, Step
from slipway.engine.provider import ProviderError
from slipway.engine.state.model import ResourceState
from slipway.engine.values import UNKNOWN, contains_unknown


class Reader:
    """Handles reads."""

    def __init__(self, deployment: Deployment, registrar: Registrar) -> None:
        self.deployment = deployment
        self.registrar = registrar

    def read(self, goal: ReadGoal) -> Registered:
        """Read; raises TerminatedError when the operation has failed, by this read or before it."""
        return self.registrar.guarded(goal.parent, goal.type, goal.name, lambda: self._read(goal))

    def _read(self, goal: ReadGoal) -> Registered:
        goal = self.registrar.resolution.resolve_read(goal)
        urn, old = claim(
            self.deployment, Goal(type=goal.type, name=goal.name, custom=True, parent=goal.parent, inputs=goal.inputs)
        )
        is_known = goal.id is not UNKNOWN and bool(goal.id)
        if not is_known and not self.deployment.preview:
            raise ProviderError("the id to read is not known in a real run")
        new = ResourceState(
            urn=urn,
            type=goal.type,
            custom=True,
            external=True,
            id=goal.id if is_known else "",
            inputs=goal.inputs,
            parent=goal.parent,
            dependencies=goal.dependencies,
            provider=goal.provider,
            additional_secret_outputs=goal.additional_secret_outputs,
            source_position=goal.source_position,
            stack_trace=goal.stack_trace,
        )
        calls = self.registrar.runner.require_calls(new)
        if not is_known or contains_unknown(goal.inputs):
            return self._unreadable(new, old)
        state = self._do(new, old, calls)
        return Registered(urn=urn, id=state.id, outputs=state.outputs)

    def _unreadable(self, new: ResourceState, old: Place | None) -> Registered:
        """In a preview the id may depend on what does not exist yet."""
        step = Step(op=Op.READ, urn=new.urn, old=old.state if old else None, new=new)
        self.deployment.began(step)
        self.deployment.record(None, add=new, retire=old)
        self.deployment.ended(step)
        return Registered(urn=new.urn)

    def _do(self, new: ResourceState, old: Place | None, calls: ResourceCalls) -> ResourceState:
        runner = self.registrar.runner
        if old is not None and not old.state.external and old.state.id != new.id:
            before = old.state
            step = Step(op=Op.READ_REPLACEMENT, urn=new.urn, old=before, new=new, logical=False)
            state = runner.read(step, new, calls, old=old, mark_old=True)
            marker = Step(op=Op.REPLACE, urn=new.urn, old=before, new=state)
            self.deployment.began(marker)
            self.deployment.ended(marker)
            return state
        step = Step(op=Op.READ, urn=new.urn, old=old.state if old else None, new=new)
        return runner.read(step, new, calls, old=old, mark_old=False)
