"""One operation put together: deployment, program, monitor, policies; run to its end, whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from slipway.engine.config import StackConfig
from slipway.engine.deployment.builtin import BuiltinProvider, LoadStack
from slipway.engine.deployment.context import Deployment, DeploymentOptions, StackIdentity, TerminatedError
from slipway.engine.deployment.deletion import delete_leftovers
from slipway.engine.deployment.execution import NoHooks, StepRunner
from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.deployment.refresh import refresh_all
from slipway.engine.deployment.writing import StepWriter
from slipway.engine.events import Event, PreludeEvent, StdoutEvent
from slipway.engine.interruption import interruptible
from slipway.engine.plugin_source import PluginSource
from slipway.engine.project import Project
from slipway.engine.provider import Provider
from slipway.engine.state.model import OperationType
from slipway.engine.urn import STACK_TYPE
from slipway.engine.values import PropertyMap
from slipway.errors import SlipwayError

if TYPE_CHECKING:
    from slipway.engine.judging import StartedPacks


class OperationKind(StrEnum):
    """What is done; values as in the stack's history."""

    PREVIEW = "preview"
    UPDATE = "update"
    REFRESH = "refresh"
    DESTROY = "destroy"


RUNS_PROGRAM = frozenset({OperationKind.PREVIEW, OperationKind.UPDATE})

TURN_SECONDS = 0.0002
"""How long a thread keeps the interpreter while others wait for it; Python's own 5 ms halve the speed of an update with many threads."""


@contextmanager
def _short_turns() -> Generator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Operation:
    """One run of one operation."""

    def __init__(
        self,
        kind: OperationKind,
        *,
        project: Project,
        identity: StackIdentity,
        options: DeploymentOptions,
        preview: bool,
        refresh: bool,
        clear_pending_creates: bool,
        config: StackConfig,
        writer: StepWriter,
        plugins: PluginSource,
        packs: StartedPacks | None,
        program: Callable[[], Any] | None,
        load_stack: LoadStack,
        emit: Callable[[Event], None],
    ) -> None:
        self.kind = kind
        self.interrupted = False
        self._project = project
        self._refreshes_first = refresh
        self._clear_pending_creates = clear_pending_creates
        self._plugins = plugins
        self._packs = packs
        self._program = program
        self._load_stack = load_stack
        self.policy_packs: Mapping[str, str] = {}
        """Version by name of the packs that judged, once the operation has ended."""
        self.deployment = Deployment(
            identity,
            preview=preview,
            options=options,
            config=config,
            writer=writer,
            load_provider=self._load_provider,
            emit=emit,
        )

    def run(self) -> PropertyMap:
        """Do it; returns the stack's outputs. Failures are in `deployment.errors`, except those before anything began, which are raised."""
        deployment = self.deployment
        masked = {
            key: "[secret]" if key in deployment.config.secret_keys else text
            for key, text in deployment.config.values.items()
        }
        deployment.emit(PreludeEvent(config=masked))
        self._warn_of_pending()
        try:
            with _short_turns(), interruptible(self.cancel):
                return self._run()
        except KeyboardInterrupt:  # the second Ctrl-C
            self.cancel()
            return {}
        finally:
            deployment.providers.close()

    def cancel(self) -> None:
        """Let nothing new start, and have the providers end their waits; what runs is finished and recorded."""
        if not self.interrupted:
            self.deployment.diagnose("interrupted: waiting for what is under way, to record it; again ends at once")
        self.interrupted = True
        self.deployment.cancel()

    def _run(self) -> PropertyMap:
        if self.kind is OperationKind.REFRESH:
            refresh_all(self.deployment, self._plain_runner(), clear_pending_creates=self._clear_pending_creates)
            return self._old_outputs()
        if self._refreshes_first:
            refresh_all(self.deployment, self._plain_runner())
        if self.kind is OperationKind.DESTROY:
            if self.deployment.ok:
                self._delete(self._plain_runner())
            return {}
        return self._run_program()

    def _run_program(self) -> PropertyMap:
        from slipway.engine.judging import PolicyReview  # noqa: PLC0415 - see `preparation`
        from slipway.engine.session import ProgramSession  # noqa: PLC0415

        if self._packs is None:
            raise ValueError(
                "an operation that runs the program needs the started packs, though there may be none in them"
            )
        review = PolicyReview(self.deployment, self._packs)

        def end(runner: StepRunner) -> None:
            if self.deployment.ok:
                review.review_stack()
            self._delete(runner)

        try:
            session = ProgramSession(self.deployment, review, on_end=end)
            try:
                session.run(
                    self._project, self._program, on_output=lambda text: self.deployment.emit(StdoutEvent(message=text))
                )
            finally:
                outputs = session.finish()
            self.policy_packs = review.versions() if self.deployment.ok else {}
            return outputs
        finally:
            self._packs.close()

    def _delete(self, runner: StepRunner) -> None:
        if not self.deployment.ok:
            return
        try:
            delete_leftovers(self.deployment, runner)
        except TerminatedError:
            return
        except SlipwayError as error:
            self.deployment.fail(str(error))

    def _plain_runner(self) -> StepRunner:
        return StepRunner(self.deployment, NoHooks())

    def _old_outputs(self) -> PropertyMap:
        states = [place.state for place in self.deployment.remaining]
        return next(
            (state.outputs for state in states if state.type == STACK_TYPE and not state.delete), dict[str, Any]()
        )

    def _load_provider(self, source: ProviderSource) -> Provider:
        if source.package == BuiltinProvider.name:
            return BuiltinProvider(self.deployment, self._load_stack)
        return self._plugins.load(source)

    def _warn_of_pending(self) -> None:
        pending = self.deployment.writer.base.pending_operations
        if not pending:
            return
        lines = [f"  * {one.resource.urn}, interrupted while {one.type.value}" for one in pending]
        creating = any(one.type is OperationType.CREATING for one in pending)
        self.deployment.diagnose(
            f"an earlier operation was interrupted with {len(pending)} operation(s) under way:\n"
            + "\n".join(lines)
            + (
                "\nwhat was being created may exist: look for it, and then `refresh --clear-pending-creates` forgets it"
                if creating
                else ""
            )
        )
