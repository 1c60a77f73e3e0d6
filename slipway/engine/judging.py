"""Policy packs in force: every resource is judged before its step, the whole stack after the program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from slipway.engine.config import StackConfig
from slipway.engine.deployment.context import Deployment, StackIdentity, StepFailedError, TerminatedError
from slipway.engine.deployment.goal import Goal
from slipway.engine.events import PolicyEvent
from slipway.engine.policy import PackContext, PolicyPack, PolicySubject, Violation
from slipway.engine.policy_config import EnforcementLevel
from slipway.engine.state.model import ResourceState
from slipway.engine.urn import name_of, parse_provider_reference
from slipway.errors import SlipwayError

Answer = TypeVar("Answer")


class StartedPacks:
    """The packs of one operation, which start in the background when this is made, before there is anything to judge."""

    def __init__(self, folders: Sequence[Path], context: PackContext, *, environ: Mapping[str, str]) -> None:
        """Raises UsageError when a folder holds no pack."""
        self._lock = threading.Lock()
        self._early: list[tuple[str, str]] = []
        self._listener: Callable[[str, str], None] | None = None
        self.packs: list[PolicyPack] = []
        try:
            for folder in folders:
                self.packs.append(PolicyPack(folder, context, environ=environ, on_output=self._take_output))
        except BaseException:
            self.close()
            raise

    def listen(self, listener: Callable[[str, str], None]) -> None:
        """Hand (severity, line) of what the packs print to `listener`, and what they have printed so far."""
        with self._lock:
            for severity, line in self._early:
                listener(severity, line)
            self._early.clear()
            self._listener = listener

    def close(self) -> None:
        """End the packs' processes; harmless when they have ended."""
        packs, self.packs = self.packs, []
        for pack in packs:
            pack.close()

    def _take_output(self, severity: str, line: str) -> None:
        with self._lock:
            if self._listener is None:
                self._early.append((severity, line))
            else:
                self._listener(severity, line)


def start_packs(
    folders: Sequence[Path],
    identity: StackIdentity,
    config: StackConfig,
    *,
    preview: bool,
    environ: Mapping[str, str],
) -> StartedPacks:
    """Begin to start the packs of one operation. Raises UsageError when a folder holds no pack."""
    context = PackContext(
        project=identity.project,
        stack=identity.stack,
        preview=preview,
        config=config.values,
        secret_keys=sorted(config.secret_keys),
    )
    return StartedPacks(folders, context, environ=environ)


class PolicyReview:
    """What the packs say of one operation."""

    def __init__(self, deployment: Deployment, packs: StartedPacks) -> None:
        self._deployment = deployment
        self._failed = threading.Event()
        self._packs = packs.packs
        packs.listen(self._take_output)

    def review(self, goal: Goal, state: ResourceState) -> ResourceState:
        """The record with the packs' remedies. In a real run a mandatory violation raises StepFailedError: nothing is done for it."""
        if not self._packs:
            return state
        for pack in self._packs:
            for remedy in self._ask(lambda pack=pack, state=state: pack.remediate(self._subject(goal, state))):
                if remedy.properties is None:
                    self._deployment.diagnose(f"policy {remedy.policy}: {remedy.diagnostic}", urn=state.urn)
                else:
                    state = replace(state, inputs=remedy.properties)
                    self._deployment.emit(
                        PolicyEvent(
                            message=remedy.description,
                            policy=remedy.policy,
                            pack=remedy.pack,
                            pack_version=remedy.pack_version,
                            enforcement="remediated",
                            urn=state.urn,
                        )
                    )
        subject = self._subject(goal, state)
        found = [violation for pack in self._packs for violation in self._ask(lambda pack=pack: pack.analyze(subject))]
        broken = [violation for violation in found if self._report(violation)]
        # A preview goes on, so that all violations are told at once.
        if broken and not self._deployment.preview:
            raise StepFailedError(state.urn)
        return state

    def review_stack(self) -> None:
        """Judge all resources together, by what they are now."""
        if not self._packs:
            return
        deployment = self._deployment
        with deployment.lock:
            states = [state for urn, state in deployment.states.items() if urn in deployment.goals]
        subjects = [
            self._subject(deployment.goals[state.urn], replace(state, inputs=state.outputs)) for state in states
        ]
        for pack in self._packs:
            for violation in self._ask(lambda pack=pack: pack.analyze_stack(subjects)):
                self._report(violation)

    def _ask(self, question: Callable[[], list[Answer]]) -> list[Answer]:
        """A pack's answer. A pack that fails fails the operation, once, and not each resource that it was to judge."""
        if self._failed.is_set():
            raise TerminatedError
        try:
            return question()
        except SlipwayError as error:
            with self._deployment.lock:
                is_first = not self._failed.is_set()
                self._failed.set()
            if is_first:
                self._deployment.fail(str(error))
                self._deployment.stop()
            raise TerminatedError from error

    def versions(self) -> dict[str, str]:
        """Version by name of the packs."""
        return {pack.name: pack.version for pack in self._packs}

    def _subject(self, goal: Goal, state: ResourceState) -> PolicySubject:
        return PolicySubject(
            urn=state.urn,
            type=state.type,
            properties=state.inputs,
            parent=state.parent,
            protect=state.protect,
            ignore_changes=state.ignore_changes,
            delete_before_replace=goal.delete_before_replace,
            additional_secret_outputs=state.additional_secret_outputs,
            aliases=state.aliases,
            custom_timeouts=state.custom_timeouts,
            provider=self._provider(state),
            dependencies=state.dependencies,
            property_dependencies=state.property_dependencies,
        )

    def _provider(self, state: ResourceState) -> PolicySubject | None:
        if not state.provider:
            return None
        provider = self._deployment.states.get(parse_provider_reference(state.provider).urn)
        return provider and PolicySubject(urn=provider.urn, type=provider.type, properties=provider.inputs)

    def _report(self, violation: Violation) -> bool:
        """Tell a violation; True if it must not pass."""
        level = violation.level
        if level is EnforcementLevel.DISABLED:
            return False
        is_binding = level is not EnforcementLevel.ADVISORY
        word = "mandatory" if is_binding else "advisory"
        self._deployment.emit(
            PolicyEvent(
                message=violation.message,
                policy=violation.policy,
                pack=violation.pack,
                pack_version=violation.pack_version,
                enforcement=word,
                urn=violation.urn,
            )
        )
        if is_binding:
            deployment = self._deployment
            subject = f"{name_of(violation.urn)} ({violation.urn})" if violation.urn else "the stack"
            text = self._deployment.mask.apply(
                f"  {violation.policy} ({violation.pack}): {subject}: {violation.message}"
            )
            with deployment.lock:
                deployment.policy_errors.append(text)
                deployment.errors.append(text.strip())
                if violation.urn:
                    deployment.failed.add(violation.urn)
            if not deployment.preview:
                deployment.stop()
        return is_binding

    def _take_output(self, severity: str, line: str) -> None:
        if severity in ("info", "warning", "error"):
            self._deployment.diagnose(line, "warning" if severity == "warning" else "info")
