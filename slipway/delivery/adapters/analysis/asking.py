"""Asks all entries of `rollout.analysis` at the same time, and waits for each no longer than it allows.

A library's own time limit is often one for each read: a server that answers a byte a second would hold the judge, and with it the way back.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.model.analysis import Answer, Question, Subject
from slipway.delivery.model.target import RolloutSettings
from slipway.errors import SlipwayError
from slipway.scrubbing import scrub

GRACE_SECONDS = 0.5
"""A provider's own time limit comes first: it says more."""


class Provider(Protocol):
    """Answers one type of entry."""

    def answer(self, entry: Any, subject: Subject) -> Answer:
        """What is known of `subject`; SlipwayError where there is no answer."""
        ...


class Asking:
    """Implements `ports.Analyst`."""

    def __init__(
        self, providers: Mapping[str, Provider], declared: Callable[[], RolloutSettings | None] | None = None
    ) -> None:
        """`providers` by the `type` of their entries; `declared`: the rollout settings of the stack file at hand.

        A rollout's own settings come from the ledger. Who may write there must not have a secret sent to an address of his by that.
        """
        self._providers = providers
        self._declared = declared
        self._busy: dict[tuple[str, str, str], _Asked] = {}

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer]:
        """See `Analyst.ask`."""
        return [asked.wait() for asked in [self._begin(question) for question in questions]]

    def _begin(self, question: Question) -> _Asked:
        """A question that still hangs is not asked again: its threads would be more with every look."""
        key = question.entry.name, question.subject.colour.value, question.subject.release
        before = self._busy.get(key)
        if before and before.is_alive():
            return before
        self._busy[key] = asked = _Asked(self._providers.get(question.entry.type), question, self._refuse_undeclared)
        asked.start()
        return asked

    def _refuse_undeclared(self, entry: AnalysisEntry) -> None:
        if self._declared is None or not (getattr(entry, "secret_header", None) or getattr(entry, "password", None)):
            return
        settings = self._declared()
        if settings is None or entry not in settings.analysis:
            raise SlipwayError(
                "the stack file at hand does not have this entry as it was released with; its secret is not sent"
            )


class _Asked(threading.Thread):
    """One question. The process does not wait for its end."""

    def __init__(self, provider: Provider | None, question: Question, check: Callable[[AnalysisEntry], None]) -> None:
        super().__init__(daemon=True, name=f"analysis {question.entry.name}")
        self._provider, self._question, self._check = provider, question, check
        self._deadline = time.monotonic() + question.entry.timeout_seconds + GRACE_SECONDS
        self._answer: Answer | None = None

    def run(self) -> None:
        entry = self._question.entry
        try:
            if self._provider is None:
                raise SlipwayError(f"nothing answers entries of type {entry.type}")
            self._check(entry)
            self._answer = _checked(self._provider.answer(entry, self._question.subject))
        except SlipwayError as error:
            self._answer = Answer(fault=scrub(error.what))
        except Exception as error:  # noqa: BLE001 - no provider may end a rollout; its text is not known to be free of secrets
            self._answer = Answer(fault=f"{entry.type} failed: {type(error).__name__}")

    def wait(self) -> Answer:
        """The answer, or that there is none in time."""
        self.join(max(self._deadline - time.monotonic(), 0))
        return self._answer or Answer(fault=f"no answer within {self._question.entry.timeout_seconds:g} s")


def _checked(answer: Answer) -> Answer:
    """A value that is no number is none: it is below every limit."""
    finite = answer.value is None or math.isfinite(answer.value)
    return answer if finite else Answer(fault=f"answered {answer.value}, which is no number")
