"""What every part of one operation shares: the stack, its old records, what this run has seen so far, and how it ends."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from slipway.engine.config import StackConfig
from slipway.engine.deployment.goal import Goal
from slipway.engine.deployment.providers import ProviderLoader, ProviderRegistry
from slipway.engine.deployment.writing import StepWriter
from slipway.engine.events import (
    DiagnosticEvent,
    Event,
    Op,
    PolicyEvent,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    ResourcePreEvent,
    Severity,
    StdoutEvent,
    Step,
)
from slipway.engine.masking import SecretMask
from slipway.engine.state.aliases import rename_record
from slipway.engine.state.model import PendingOperation, ResourceState
from slipway.engine.state.writer import Added, Change, Removed, Updated
from slipway.engine.urn import STACK_TYPE, build_urn, is_provider_type, parse_urn


class TerminatedError(Exception):
    """The operation has failed or was cancelled: nothing new may start. Never shown; the cause was reported before."""


class StepFailedError(Exception):
    """A registration failed, and the failure is reported and recorded."""


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions:
    """How one operation runs."""

    parallel: int = 16
    """Provider operations at once."""
    targets: tuple[str, ...] = ()
    """URNs, `*` within one part and `**` across parts; empty means everything."""
    target_dependents: bool = False
    replace: tuple[str, ...] = ()
    """URNs to replace although nothing changed."""
    continue_on_error: bool = False


@dataclass(frozen=True, kw_only=True)
class StackIdentity:
    """Which stack, and where its program runs."""

    project: str
    stack: str
    root: Path
    """The project's folder, which source positions are relative to."""
    program_directory: Path
    """Relative asset paths start here."""


class Place:
    """Where an old record stands: the record may be changed in place, the place is compared by identity."""

    __slots__ = ("moved", "state")

    def __init__(self, state: ResourceState) -> None:
        self.state = state
        self.moved = False


class Deployment:
    """The shared state of one operation. `lock` guards every attribute below it; provider calls are made without it."""

    def __init__(
        self,
        identity: StackIdentity,
        *,
        preview: bool,
        options: DeploymentOptions,
        config: StackConfig,
        writer: StepWriter,
        load_provider: ProviderLoader,
        emit: Callable[[Event], None],
    ) -> None:
        self.identity = identity
        self.preview = preview
        self.options = options
        self.config = config
        self.writer = writer
        self.slots = threading.BoundedSemaphore(options.parallel)
        """Held during each provider operation, so that no more than `parallel` run at once."""
        self.changes: Counter[str] = Counter()
        self.steps: list[Step] = []
        self.errors: list[str] = []
        self.policy_errors: list[str] = []
        self.maybe_corrupt = False
        """Whether a step failed in a way that leaves the resource unknown: the state may not be true."""
        self._emit = emit
        self._stopping = threading.Event()

        self.lock = threading.RLock()
        base = writer.base.resources
        self.mask = SecretMask()
        """Of the configuration's, the state's and the program's secrets."""
        for key in config.secret_keys:
            self.mask.add(config.values.get(key, ""))
        for state in base:
            self.mask.add_inputs(state.inputs)
            self.mask.add_all(state.outputs)
        self.remaining: dict[Place, None] = {Place(state): None for state in base}
        """Old records that no step of this run has taken over, in the state's order."""
        self.olds: dict[str, Place] = {place.state.urn: place for place in self.remaining if not place.state.delete}
        """The living old records by URN."""
        references = {f"{state.urn}::{state.id}": state for state in base if is_provider_type(state.type)}
        self.providers = ProviderRegistry(
            load_provider, references, preview=preview, on_message=self.take_provider_message
        )
        self.goals: dict[str, Goal] = {}
        """What was registered in this run, by URN."""
        self.states: dict[str, ResourceState] = {}
        """The new records of this run by URN, as they stand now."""
        self.aliased: dict[str, str] = {}
        """Old URN -> the new URN that claimed it through an alias."""
        self.aliases: dict[str, str] = {}
        """New URN -> the old URN it was found under."""
        self.deleted: dict[str, threading.Event] = {}
        """Records deleted before their own registration arrived, and whether that deletion has ended."""
        self.dependent_keys: dict[str, tuple[str, ...]] = {}
        self.replaced: set[str] = set()
        self.failed: set[str] = set()
        self.skipped_creates: set[str] = set()
        self.condemned: set[str] = set()
        """URNs that this run deletes: what is `deleted_with` one of them needs no call of its own."""

    # ------------------------------------------------------------ records

    def record(
        self,
        pending: PendingOperation | None,
        *,
        add: ResourceState | None = None,
        retire: Place | None = None,
        amend: tuple[Place, ResourceState] | None = None,
    ) -> None:
        """Save, at once, that an operation ended and what it changed: a new record, an old one gone, an old one changed in place."""
        changes: list[Change] = []
        with self.lock:
            stays = retire is not None and retire.moved and add is not None
            if retire is not None:
                self.remaining.pop(retire, None)
                if not stays:
                    changes.append(Removed(retire.state))
            if amend is not None:
                place, changed = amend
                changed = self._with_present_names(changed)
                changes.append(Updated(place.state, changed))
                place.state = changed
            if add is not None:
                self.mask.add_all(add.outputs)
                # One that was moved to stand before what needs it must not fall behind that.
                changes.append(Updated(retire.state, add) if retire is not None and stays else Added(add))
                self.states[add.urn] = add
            self.writer.end(pending, *changes)

    def _with_present_names(self, state: ResourceState) -> ResourceState:
        """The record, naming what was renamed by its new name: the writer has rewritten its own copy, ours is as it was loaded."""
        for old_urn, new_urn in self.aliased.items():
            if new_urn in self.states:
                state = rename_record(state, old_urn, new_urn)
        return state

    def amend_new(self, urn: str, changed: ResourceState) -> None:
        """Save a change of a record that this run has made."""
        with self.lock:
            self.writer.end(None, Updated(self.states[urn], changed))
            self.states[urn] = changed

    def move_to_front(self, place: Place) -> None:
        """Put an old record among those finished in this run, so that what was finished after it may depend on it."""
        with self.lock:
            moved = replace(place.state)
            self.writer.end(None, Removed(place.state), Added(moved))
            place.state = moved
            place.moved = True

    # ------------------------------------------------------------ names

    def urn_of(self, parent: str, type_token: str, name: str) -> str:
        """The URN a registration gets."""
        return build_urn(self.identity.stack, self.identity.project, parent, type_token, name)

    @property
    def stack_urn(self) -> str:
        """The URN of the stack's own record."""
        return self.urn_of("", STACK_TYPE, f"{self.identity.project}-{self.identity.stack}")

    # ------------------------------------------------------------ targets

    def is_targeted(self, urn: str) -> bool:
        """Whether an update may touch the resource: no targets are given, or one names it; providers and the stack always."""
        parsed = parse_urn(urn)
        if not self.options.targets or is_provider_type(parsed.type) or parsed.qualified_type == STACK_TYPE:
            return True
        return self.is_named_target(urn)

    def is_named_target(self, urn: str) -> bool:
        """Whether one of the targets names the URN."""
        return any(matches_target(pattern, urn) for pattern in self.options.targets)

    # ------------------------------------------------------------ end

    def ensure_running(self) -> None:
        """Raise TerminatedError once the operation has failed or was cancelled."""
        if self._stopping.is_set():
            raise TerminatedError

    @property
    def is_stopping(self) -> bool:
        """Whether nothing new may start."""
        return self._stopping.is_set()

    @property
    def ok(self) -> bool:
        """Whether nothing has failed so far."""
        return not self.errors and not self._stopping.is_set()

    def cancel(self) -> None:
        """Let nothing new start, and ask the providers to end their waits."""
        self._stopping.set()
        self.providers.cancel()

    @property
    def continues_on_error(self) -> bool:
        """Whether what does not depend on a failure goes on; a preview always does, so that it tells all faults at once."""
        return self.preview or self.options.continue_on_error

    def fail(self, message: str, *, urn: str = "") -> None:
        """Report an error; unless the operation continues on errors, nothing new starts after it."""
        self.fail_softly(message, urn=urn)
        if not self.continues_on_error:
            self.stop()

    def stop(self) -> None:
        """Let nothing new start; what runs is finished and recorded."""
        self._stopping.set()

    def fail_softly(self, message: str, *, urn: str = "") -> None:
        """Report an error that fails the operation in the end, but does not stop what is independent of it."""
        message = self.mask.apply(message)
        with self.lock:
            self.errors.append(f"{urn}: {message}" if urn else message)
            if urn:
                self.failed.add(urn)
        self.diagnose(message, "error", urn=urn)

    # ------------------------------------------------------------ events

    def emit(self, event: Event) -> None:
        """Send an event to whoever listens; messages lose the secrets that are known."""
        if isinstance(event, (DiagnosticEvent, StdoutEvent, PolicyEvent)):
            event = replace(event, message=self.mask.apply(event.message))
        self._emit(event)

    def diagnose(self, message: str, severity: Severity = "warning", *, urn: str = "") -> None:
        """Send a message to the user."""
        self.emit(DiagnosticEvent(message=message, severity=severity, urn=urn))

    def take_provider_message(self, urn: str, severity: str, text: str) -> None:
        """What a provider has to say; `status` is what a resource waits for just now, and passes."""
        if severity == "debug":
            return
        severities: dict[str, Severity] = {"warning": "warning", "error": "error"}
        self.emit(
            DiagnosticEvent(
                message=text, severity=severities.get(severity, "info"), urn=urn, ephemeral=severity == "status"
            )
        )

    def began(self, step: Step) -> None:
        """A step begins."""
        self._emit(ResourcePreEvent(step=step, planning=self.preview))

    def ended(self, step: Step, *, counted_as: Op | None = None) -> None:
        """A step ended well, and is counted unless it is part of another one or of a default provider."""
        with self.lock:
            self.steps.append(step)
            if (step.logical or counted_as) and not step.is_internal:
                self.changes[(counted_as or step.op).value] += 1
        self._emit(ResourceOutputsEvent(step=step, planning=self.preview))

    def broke(self, step: Step, *, status: int = 0) -> None:
        """A step failed; `status` as in `ResourceFailedEvent`."""
        self.maybe_corrupt = self.maybe_corrupt or status == 2
        self._emit(ResourceFailedEvent(step=step, status=status))


def matches_target(pattern: str, urn: str) -> bool:
    """Whether a target names a URN: literally, or with `*` (no colon) and `**` (anything)."""
    if "*" not in pattern:
        return pattern == urn
    parts = re.split(r"(\*\*|\*)", pattern)
    expression = "".join({"**": ".*", "*": "[^:]*"}.get(part) or re.escape(part) for part in parts)
    return re.fullmatch(expression, urn) is not None


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The answer to a registration."""

    urn: str
    id: str = ""
    outputs: dict[str, object] = field(default_factory=dict)
    failed: bool = False
    unknown: bool = False
    """True: the step was left out (targets), so nothing is known of the outputs."""


def all_dependencies(state: ResourceState) -> Sequence[str]:
    """Every URN a record names: provider, parent, dependencies of all kinds."""
    provider = state.provider.rpartition("::")[0]
    by_property = [urn for urns in state.property_dependencies.values() for urn in urns]
    named = [provider, state.parent, state.deleted_with, *state.dependencies, *by_property, *state.replace_with]
    return [urn for urn in dict.fromkeys(named) if urn]
