"""Pods: when they are ready, and what they complain about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from slipway.sandbox.providers.kubernetes.objects import KubernetesObject
from slipway.sandbox.providers.kubernetes.readiness.seen import READY, Readiness, Seen, at, conditions, is_true, title

_STARTING = ("ContainerCreating", "PodInitializing")


def check_pod(seen: Seen) -> Readiness:
    """Scheduled, initialized and ready; or done, for a pod that runs to its end."""
    pod = seen.live
    phase = at(pod, "status", "phase")
    if phase == "Succeeded" or is_true(pod, "Ready"):
        return READY
    step = next((name for name in ("PodScheduled", "Initialized", "Ready") if not is_true(pod, name)), "Ready")
    verb = {"PodScheduled": "scheduled", "Initialized": "initialized", "Ready": "ready"}[step]
    return Readiness(
        ready=False,
        message=f'Waiting for Pod "{title(pod)}" to be {verb}',
        reasons=complaints([pod]),
        failed=phase == "Failed",
    )


def complaints(pods: Iterable[KubernetesObject]) -> tuple[str, ...]:
    """What is wrong with these pods, a line per pod that has something to say."""
    lines: list[str] = []
    for pod in sorted(pods, key=title):
        words = [*_condition_words(pod), *_container_words(pod)]
        if words and not is_true(pod, "Ready"):
            lines.append(f"[Pod {title(pod)}]: " + "; ".join(words))
    return tuple(dict.fromkeys(lines))


def _condition_words(pod: KubernetesObject) -> list[str]:
    words: list[str] = []
    for name in ("PodScheduled", "Initialized", "Ready"):
        condition = conditions(pod).get(name)
        if condition and condition.get("status") != "True":
            if condition.get("reason") and condition.get("message"):
                words.append(str(condition["message"]))
            break  # the later ones follow from it
    if at(pod, "status", "phase") == "Failed" and at(pod, "status", "message"):
        words.append(f"[{at(pod, 'status', 'reason', default='Failed')}] {at(pod, 'status', 'message')}")
    return words


def _container_words(pod: KubernetesObject) -> list[str]:
    words: list[str] = []
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in cast("list[dict[str, Any]]", at(pod, "status", key, default=[])):
            if not status.get("ready"):
                words.extend(_status_words(status, is_init=key == "initContainerStatuses"))
    return words


def _status_words(status: dict[str, Any], *, is_init: bool) -> list[str]:
    words: list[str] = []
    name = status.get("name")
    waiting = cast("dict[str, Any]", at(status, "state", "waiting", default={}))
    if waiting.get("reason") and waiting["reason"] not in _STARTING:
        words.append(f"[{waiting['reason']}] {waiting.get('message', '')}".strip())
    terminated = cast("dict[str, Any]", at(status, "state", "terminated", default={}))
    if terminated.get("reason") and not (is_init and terminated.get("exitCode") == 0):
        words.append(
            f"[{terminated['reason']}] {terminated['message']}".strip()
            if terminated.get("message")
            else f'container "{name}" completed with exit code {terminated.get("exitCode")}'
        )
    last = cast("dict[str, Any]", at(status, "lastState", "terminated", default={}))
    if last:
        when, code = last.get("finishedAt"), last.get("exitCode")
        words.append(f'container "{name}" terminated at {when} ({last.get("reason")}: exit code {code})')
        if last.get("message"):
            words.append(str(last["message"]).strip())
    return words
