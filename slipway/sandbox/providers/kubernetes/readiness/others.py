"""Kinds whose own status says it all: claims, volumes, quotas, token Secrets, CRDs; and the conditions that users ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import cast

from slipway.engine.provider import ProviderError
from slipway.sandbox.providers.kubernetes.objects import KubernetesObject
from slipway.sandbox.providers.kubernetes.readiness.seen import (
    READY,
    Readiness,
    Seen,
    at,
    conditions,
    explained,
    is_true,
    title,
)

_JSON_PATH = re.compile(r"jsonpath=\{?\.?(?P<path>[A-Za-z0-9_.\-]+)\}?(?:=(?P<value>.*))?")


def check_claim(seen: Seen) -> Readiness:
    """Bound; or waiting for its first pod, if its class binds only then."""
    claim = seen.live
    phase = at(claim, "status", "phase")
    storage_class = seen.related["StorageClass"].get(str(at(claim, "spec", "storageClassName", default="")))
    binds_late = storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
    if phase == "Bound" or (binds_late and phase == "Pending"):
        return READY
    return Readiness(
        ready=False,
        message=f"Waiting for PersistentVolumeClaim {title(claim)} to be bound",
        reasons=(f"PersistentVolumeClaim {title(claim)} is {phase or 'not seen by the controller yet'}",),
        failed=phase == "Lost",
    )


def check_volume(seen: Seen) -> Readiness:
    """Available or bound."""
    phase = at(seen.live, "status", "phase")
    return (
        READY if phase in ("Available", "Bound") else _waiting(seen.live, f"PersistentVolume is {phase or 'Pending'}")
    )


def check_quota(seen: Seen) -> Readiness:
    """The controller has taken over the limits."""
    if at(seen.live, "spec", "hard") == at(seen.live, "status", "hard"):
        return READY
    return _waiting(seen.live, "ResourceQuota is not in force yet")


def check_secret(seen: Seen) -> Readiness:
    """A service account's token has been filled in; other Secrets are ready as they are."""
    if seen.live.get("type") != "kubernetes.io/service-account-token" or seen.live.get("data"):
        return READY
    return _waiting(seen.live, "the token has not been filled in; does the ServiceAccount exist?")


def check_crd(seen: Seen) -> Readiness:
    """Established: objects of the new kind can be made."""
    if is_true(seen.live, "Established"):
        return READY
    names = conditions(seen.live).get("NamesAccepted", {})
    refused = names.get("status") == "False"
    reasons = (explained(names),) if refused else ("the CustomResourceDefinition is not established",)
    return Readiness(
        ready=False, message=f"Waiting for CRD {title(seen.live)} to be established", reasons=reasons, failed=refused
    )


def _waiting(obj: KubernetesObject, reason: str) -> Readiness:
    return Readiness(ready=False, message=f"Waiting for {obj.get('kind')} {title(obj)}", reasons=(reason,))


def wait_for_rule(text: str) -> Callable[[Seen], Readiness]:
    """The check that the `pulumi.com/waitFor` annotation describes: one expression, or a JSON list of them."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    expressions = [str(item) for item in cast("list[object]", parsed)] if isinstance(parsed, list) else [text]
    checks = [_expression(item) for item in expressions]
    if not checks:
        raise ProviderError("the annotation pulumi.com/waitFor is an empty list; name at least one condition")

    def check(seen: Seen) -> Readiness:
        missing = tuple(item for item, holds in zip(expressions, checks, strict=True) if not holds(seen.live))
        if not missing:
            return READY
        reasons = tuple(f"{item} does not hold" for item in missing)
        return Readiness(ready=False, message=f"Waiting for {', '.join(missing)}", reasons=reasons)

    return check


def _expression(text: str) -> Callable[[KubernetesObject], bool]:
    if text.startswith("condition="):
        name, _, status = text.removeprefix("condition=").partition("=")
        return lambda obj: str(conditions(obj).get(name, {}).get("status", "")).lower() == (status or "True").lower()
    found = _JSON_PATH.fullmatch(text)
    if found is None:
        raise ProviderError(
            f"the annotation pulumi.com/waitFor has {text!r}; want condition=<Type>[=<Status>] or jsonpath={{.path.to.field}}[=<value>]"
        )
    keys, value = found["path"].strip(".").split("."), found["value"]

    def holds(obj: KubernetesObject) -> bool:
        got = at(obj, *keys)
        if value is None:
            return got is not None
        return (json.dumps(got) if not isinstance(got, str) else got) == value

    return holds
