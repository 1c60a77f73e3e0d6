"""The Kubernetes Job that runs a release's migrations: its name, its manifest, and what its logs mean. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from slipway.delivery.model.release import Revision
from slipway.delivery.model.wanted import ColourRelease

LOCK_TIMEOUT_MILLISECONDS = 1000
"""A migration that waits longer for a lock would queue every query behind it; it gives up and is tried again."""
DEADLINE_SECONDS = 4 * 3600
"""For an index or a backfill of a big table; what waits for a lock ends after LOCK_TIMEOUT_MILLISECONDS."""
KEPT_SECONDS = 86_400
"""A finished Job stays for a day, so that its logs can be read."""
LOCK_TIMEOUT = re.compile(r"lock timeout|LockNotAvailable|55P03", re.IGNORECASE)
USER_ID = 10_001
"""The user of the service's image."""


def job_name(service: str, release: ColourRelease, revisions: Sequence[Revision]) -> str:
    """One name per release and revision: a second runner finds the first one's Job instead of migrating beside it."""
    release_part = release.release.rpartition("-")[2]
    return f"{service[:24]}-migrate-{release_part[:8]}-{revision_part(revisions[-1].id)}".strip("-")


def revision_part(revision: str) -> str:
    """Of a Job's name. Revision ids are free text; what a DNS name cannot say is told apart by a digest."""
    plain = re.sub(r"[^a-z0-9]+", "-", revision.lower()).strip("-")
    if plain == revision and len(plain) <= 16:
        return plain
    return f"{plain[:10]}-{hashlib.sha256(revision.encode()).hexdigest()[:6]}"


def job_manifest(
    name: str, service: str, secret_name: str, release: ColourRelease, revisions: Sequence[Revision]
) -> dict[str, Any]:
    """The Job: the release's own image, no retries of Kubernetes' own, nothing writable but /tmp."""
    labels = {
        "app.kubernetes.io/name": f"{service}-migrations",
        "app.kubernetes.io/managed-by": "slipway",
        "slipway.dev/release": release.release,
    }
    container: dict[str, Any] = {
        "name": "alembic",
        "image": release.image,
        "command": ["alembic", "-c", "alembic.ini", "upgrade", revisions[-1].id],
        "envFrom": [{"secretRef": {"name": secret_name}}],
        "env": [
            {"name": "PGOPTIONS", "value": f"-c lock_timeout={LOCK_TIMEOUT_MILLISECONDS}"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own, empty at start
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER_ID, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def is_lock_timeout(lines: Sequence[str]) -> bool:
    """Whether a failed migration failed for want of a lock, and is worth another try."""
    return any(LOCK_TIMEOUT.search(line) for line in lines)
