"""From the answers of `rollout.analysis` to what a measurement keeps of them. Pure but for the asking itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from slipway.contract.analysis import AnalysisEntry
from slipway.delivery.analysis.values import is_beyond
from slipway.delivery.model.analysis import MOST, Answer, Comparison, Measurement, Question, Reading, Sample, Subject
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.ports import Analyst

LONGEST_FAULT = 200
"""In bytes. Each look is kept with the rollout."""


def brief_fault(text: str) -> str:
    """What of a fault is kept."""
    return text.encode()[:LONGEST_FAULT].decode(errors="ignore")


def read_entries(
    rollout: Rollout, analyst: Analyst, span: tuple[datetime, datetime], last: Measurement | None
) -> tuple[tuple[Comparison, ...], tuple[Reading, ...]]:
    """Ask every entry about the step so far: what was counted, and the values. An entry without an answer hides no other."""
    entries = rollout.settings.analysis
    candidate, live = _subjects(rollout, *span)
    asked = [
        (entry, Question(entry=entry, subject=subject))
        for entry in entries
        for subject in (candidate, live if entry.compare_with_live else None)
        if subject
    ]
    answers: dict[tuple[str, bool], Answer] = {}
    for (entry, question), answer in zip(asked, analyst.ask([question for _, question in asked]), strict=True):
        answers[entry.name, question.subject is candidate] = answer
    counted: list[Comparison] = []
    readings: list[Reading] = []
    for entry in entries:
        pair = (
            answers.get((entry.name, True), Answer(fault="no release to ask about")),
            answers.get((entry.name, False)),
        )
        if entry.counts:
            counted.append(_counted(entry, *pair, last))
        else:
            again = last is not None and (span[1] - span[0]).total_seconds() <= last.seconds
            readings.append(_reading(entry, *pair, last, rollout.settings.error_factor, again=again))
    return tuple(counted), tuple(readings)


def _subjects(rollout: Rollout, since: datetime, until: datetime) -> tuple[Subject | None, Subject | None]:
    live = rollout.original.live
    running = rollout.original.colour(live) if live else None
    candidate = rollout.candidate and Subject(
        colour=rollout.colour, release=rollout.candidate.release, since=since, until=until
    )
    peer = Subject(colour=live, release=running.release, since=since, until=until) if live and running else None
    return candidate, peer


def _counted(entry: AnalysisEntry, candidate: Answer, live: Answer | None, last: Measurement | None) -> Comparison:
    before = next((each for each in last.comparisons if each.source == entry.name), None) if last else None
    before = before or Comparison(source=entry.name, candidate=Sample(), analysis=True)
    fault = candidate.fault or (live.fault if live else "") or _nonsense(candidate) or (_nonsense(live) if live else "")
    if fault:
        return replace(before, fault=brief_fault(fault))
    return replace(before, candidate=_sample(candidate), live=live and _sample(live), fault="")


def _nonsense(answer: Answer) -> str:
    bad, total = answer.bad or 0, answer.total or 0
    return "" if 0 <= bad <= total < MOST else f"{bad:.6g} bad of {total:.6g} cannot be"


def _sample(answer: Answer) -> Sample:
    return Sample(requests=answer.total or 0, errors=answer.bad or 0)


def _reading(
    entry: AnalysisEntry,
    candidate: Answer,
    live: Answer | None,
    last: Measurement | None,
    error_factor: float,
    *,
    again: bool,
) -> Reading:
    """`again`: the look before asked about the same time, which counts once for `inARow`."""
    before = next((each.beyond for each in last.readings if each.name == entry.name), 0) if last else 0
    if candidate.fault or candidate.value is None:
        return Reading(name=entry.name, beyond=before, fault=brief_fault(candidate.fault))
    peer = live.value if live else None
    found = is_beyond(entry, candidate.value, peer, error_factor)
    if found and live and live.fault and not live.silent:  # what might excuse the candidate is not known
        return Reading(name=entry.name, beyond=before, fault=brief_fault(live.fault))
    counted = max(before, 1) if again else before + 1
    beyond = counted if found else 0
    return Reading(name=entry.name, candidate=candidate.value, live=peer, beyond=beyond)
