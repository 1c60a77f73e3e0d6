"""The plan that is on: its effects on each call, until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

from slipway.log import get_logger
from slipway.sandbox.aws.callers import Caller, session_keys
from slipway.sandbox.aws.fault_plan.earlier_states import Copier, EarlierStates
from slipway.sandbox.aws.fault_plan.plan import (
    AnyFault,
    ExpiredCredentials,
    FaultPlan,
    LostAnswers,
    SlowWrites,
    Throttling,
    ZoneOutage,
    parse_plan,
)
from slipway.sandbox.aws.faults import Fault, not_authenticated, throttled
from slipway.sandbox.aws.iam.requests import ApiCall
from slipway.sandbox.aws.operations import Operation
from slipway.sandbox.status import StatusRow

CONSISTENT_NAMES = frozenset({"TransactGetItems"})
"""Reads that always see the last write, as those that ask for it by `ConsistentRead`."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a call meets."""

    refusal: Fault | None = None
    """The answer, without anything being done."""
    view: AbstractContextManager[None] = field(default_factory=nullcontext)
    """Open while the call runs: which state of its service it sees or leaves behind."""
    seen_after_seconds: float = 0
    """Load balancers carry a change out so much later."""
    answer_lost: bool = False


NONE = Effects()


@dataclass
class Met:
    """A fault of the plan, and the calls that it was for."""

    fault: AnyFault
    random: Random
    fitting: int = 0
    met: int = 0
    expired: frozenset[str] | None = None
    """Access keys of the sessions that there were when it began."""

    def meets(self, service: str, operation: str) -> bool:
        """Whether the fault meets this call; counts it."""
        fault = self.fault
        if isinstance(fault, ExpiredCredentials | ZoneOutage) or not fault.fits(service, operation):
            return False
        self.fitting += 1
        drawn = self.random.random() * 100
        if drawn >= fault.percent or (fault.times is not None and self.met >= fault.times):
            return False
        self.met += 1
        return True

    def has_expired(self, caller: Caller) -> bool:
        """Whether the caller's session was there when the fault began; counts it."""
        if self.expired is None:
            self.expired = session_keys()
        if caller.session is None or caller.session.access_key_id not in self.expired:
            return False
        self.fitting += 1
        self.met += 1
        return True


class RunningFaults:
    """The faults that are on, if any. Safe to use from several threads."""

    def __init__(self, state: Copier, changed: Callable[[], None]) -> None:
        """`changed` is called when a zone is lost or comes back."""
        self._changed = changed
        self._lock = threading.RLock()
        self._earlier = EarlierStates(state)
        self._name = ""
        self._plan: FaultPlan | None = None
        self._began = 0.0
        self._mets: Sequence[Met] = ()
        self._timers: list[threading.Timer] = []
        self._late: dict[threading.Timer, Callable[[], object]] = {}

    @property
    def is_on(self) -> bool:
        """Whether a plan is on."""
        return self._plan is not None

    def switch(self, document: Any) -> None:
        """Start the `plan` of a document under its `name`, or stop where that is null. Raises UsageError for a faulty plan."""
        name, plan = str(document["name"]), document["plan"]
        if plan is None:
            self.stop()
        else:
            self.start(parse_plan(plan, where=name), name)

    def start(self, plan: FaultPlan, name: str) -> None:
        """Switch a plan on, in the place of the one that is."""
        self.stop()
        with self._lock:
            self._name, self._plan, self._began = name, plan, time.monotonic()
            self._mets = [
                Met(fault, Random(f"{plan.seed}/{index}"))  # noqa: S311 - faults that repeat, no secret
                for index, fault in enumerate(plan.faults)
            ]
            self._at(plan.seconds, lambda: self._end(plan))
            for fault in plan.faults:
                if isinstance(fault, ZoneOutage):
                    self._at(fault.after_seconds, self._changed)
                    if fault.for_seconds is not None:
                        self._at(fault.after_seconds + fault.for_seconds, self._changed)
        log.warning("fault plan on", name=name, seconds=plan.seconds)

    def stop(self) -> None:
        """All is well again, at once: what was to be seen later is seen, and lost zones are back."""
        with self._lock:
            had_zones = any(isinstance(each.fault, ZoneOutage) for each in self._mets)
            late, timers = dict(self._late), [*self._timers, *self._late]
            if self._plan is not None:
                log.warning("fault plan off", name=self._name)
            self._plan, self._mets, self._name = None, (), ""
            self._late.clear()
            self._timers.clear()
            self._earlier.forget()
        for timer in timers:
            timer.cancel()
        for work in late.values():
            work()
        if had_zones:
            self._changed()

    def effects_of(self, operation: Operation, call: ApiCall | None, caller: Caller | None) -> Effects:
        """What a call meets now. `call` and `caller` are None where no operation, or nobody, is known."""
        with self._lock:
            if self._plan is None or call is None or caller is None:
                return NONE
            seconds = time.monotonic() - self._began
            active = [each for each in self._mets if each.fault.is_on(seconds)]
            if any(isinstance(each.fault, ExpiredCredentials) and each.has_expired(caller) for each in active):
                message = "The security token included in the request is expired"
                return Effects(refusal=not_authenticated(operation, "ExpiredToken", message))
            met = [each.fault for each in active if each.meets(call.service, call.operation)]
            if any(isinstance(fault, Throttling) for fault in met):
                return Effects(refusal=throttled(operation))
            late = max((fault.seen_after_seconds for fault in met if isinstance(fault, SlowWrites)), default=0.0)
            late = late if operation.mutates else 0.0
            return Effects(
                view=self._view(operation, call, late),
                seen_after_seconds=late,
                answer_lost=any(isinstance(fault, LostAnswers) for fault in met),
            )

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        """Do `work` after so long, or when the plan ends."""
        with self._lock:
            if self._plan is not None:
                timer = self._timer(seconds, lambda: self._do_late(timer))
                self._late[timer] = work
                timer.start()
                return
        work()

    def gone_zones(self) -> frozenset[str]:
        """The availability zones that are out of reach now."""
        with self._lock:
            seconds = time.monotonic() - self._began
            faults = [each.fault for each in self._mets]
        return frozenset(each.zone for each in faults if isinstance(each, ZoneOutage) and each.is_on(seconds))

    def report(self) -> dict[str, Any]:
        """What is on, and what it did; empty when nothing is."""
        with self._lock:
            if self._plan is None:
                return {}
            return {
                "name": self._name,
                "secondsLeft": round(max(0.0, self._plan.seconds - (time.monotonic() - self._began)), 1),
                "plan": self._plan.to_document(),
                "calls": [{"fitting": each.fitting, "met": each.met} for each in self._mets],
            }

    def rows(self) -> list[StatusRow]:
        """For `slipway sandbox status`."""
        with self._lock:
            if self._plan is None:
                return []
            left = max(0.0, self._plan.seconds - (time.monotonic() - self._began))
            told = [f"{each.fault.kind} {each.met} of {each.fitting} calls" for each in self._mets]
            detail = f"ends in {left:.0f} s; {'; '.join(told)}"
            return [StatusRow(name=self._name, kind="fault plan", address="", state="on", detail=detail)]

    def _view(self, operation: Operation, call: ApiCall, late: float) -> AbstractContextManager[None]:
        if late:
            return self._earlier.keeping(operation.service, late)
        is_consistent = call.operation in CONSISTENT_NAMES or bool(call.parameters.get("ConsistentRead"))
        return nullcontext() if operation.mutates or is_consistent else self._earlier.seen(operation.service)

    def _at(self, seconds: float, work: Callable[[], None]) -> None:
        timer = self._timer(seconds, work)
        self._timers.append(timer)
        timer.start()

    def _timer(self, seconds: float, work: Callable[[], None]) -> threading.Timer:
        timer = threading.Timer(seconds, work)
        timer.daemon = True
        return timer

    def _end(self, plan: FaultPlan) -> None:
        with self._lock:
            if self._plan is not plan:
                return  # another one took its place while this was about to run
        self.stop()

    def _do_late(self, timer: threading.Timer) -> None:
        with self._lock:
            work = self._late.pop(timer, None)
        if work:
            work()
