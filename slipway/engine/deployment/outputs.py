"""Outputs that the program registers after the fact: components' at once, the stack's when the run's outcome is known."""

from __future__ import annotations

from dataclasses import replace

from slipway.engine.deployment.context import Deployment
from slipway.engine.events import Op, ResourceOutputsEvent, Step
from slipway.engine.values import PropertyMap
from slipway.errors import OperationError


class ComponentOutputs:
    """Takes and applies registered outputs."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._registered: set[str] = set()
        self._stack_outputs: PropertyMap | None = None

    def register(self, urn: str, outputs: PropertyMap) -> None:
        """Outputs of a registered component; a second time is an error of the program."""
        deployment = self._deployment
        with deployment.lock:
            if urn not in deployment.goals:
                raise OperationError("outputs are registered for a resource that is not", where=urn)
            if urn in self._registered:
                raise OperationError("outputs are registered twice", where=urn)
            self._registered.add(urn)
            if urn == deployment.stack_urn:
                self._stack_outputs = outputs
                return
            if urn in deployment.failed or urn not in deployment.states:
                return
            self._apply(urn, outputs)

    def finish(self) -> PropertyMap:
        """Apply the stack's outputs; after an error those that did not arrive keep their old values. Returns them."""
        deployment = self._deployment
        with deployment.lock:
            state = deployment.states.get(deployment.stack_urn)
            if state is None:
                return {}
            given = self._stack_outputs
            if given is None:
                return state.outputs
            self._apply(state.urn, given if deployment.ok else {**state.outputs, **given})
            return deployment.states[state.urn].outputs

    def _apply(self, urn: str, outputs: PropertyMap) -> None:
        deployment = self._deployment
        before = deployment.states[urn]
        if before.outputs == outputs:
            return
        after = replace(before, outputs=outputs)
        deployment.amend_new(urn, after)
        deployment.emit(
            ResourceOutputsEvent(step=Step(op=Op.SAME, urn=urn, old=before, new=after), planning=deployment.preview)
        )
