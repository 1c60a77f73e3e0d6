"""The Kubernetes Jobs that make a database ready for a release: their names, their manifests, and what logs mean. Pure.

One runs the migrations. Another one, before, makes the database's users, where releases log in with tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from slipway.delivery.model.release import Revision
from slipway.delivery.model.target import DatabaseLogin
from slipway.delivery.model.wanted import ColourRelease

LOCK_TIMEOUT_MILLISECONDS = 1000
"""A migration that waits longer for a lock would queue every query behind it; it gives up and is tried again."""
DEADLINE_SECONDS = 4 * 3600
"""For an index or a backfill of a big table; what waits for a lock ends after LOCK_TIMEOUT_MILLISECONDS."""
USERS_DEADLINE_SECONDS = 900
CA_FOLDER = "/etc/slipway/database"
"""Where the program says that the certificates are."""
KEPT_SECONDS = 86_400
"""A finished Job stays for a day, so that its logs can be read."""
UNDISTURBED = {
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
"""No node is taken away under it to save money: EKS Auto Mode (Karpenter) and the Cluster Autoscaler read these."""
WHEN_DISRUPTED_AGAIN = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
}
"""Of a Job whose work may begin again: a pod that was evicted all the same is no attempt. Source: Kubernetes, "Pod failure policy"."""
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


def users_job_name(service: str, release: ColourRelease) -> str:
    """One name per release: users are made before its first migration, and are there for all that follow."""
    return f"{service[:24]}-roles-{release.release.rpartition('-')[2][:8]}"


def job_manifest(
    name: str,
    service: str,
    access: str | DatabaseLogin,
    release: ColourRelease,
    revisions: Sequence[Revision],
) -> dict[str, Any]:
    """The Job of the migrations: no retries of Kubernetes' own. `access` is how it logs in: by a Secret's name, or with tokens."""
    container = {
        "name": "alembic",
        "command": ["alembic", "-c", "alembic.ini", "upgrade", revisions[-1].id],
        "env": [
            {"name": "PGOPTIONS", "value": f"-c lock_timeout={LOCK_TIMEOUT_MILLISECONDS}"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
    }
    if isinstance(access, str):
        pod = _pod({**container, "envFrom": [{"secretRef": {"name": access}}]}, release)
    else:
        pod = _pod_with_tokens(container, release, access.migrations, access.ca_config_map)
    return _job(name, f"{service}-migrations", release, pod, backoff_limit=0, deadline_seconds=DEADLINE_SECONDS)


def users_job_manifest(name: str, service: str, login: DatabaseLogin, release: ColourRelease) -> dict[str, Any]:
    """The Job of the database's users. Its pod alone may read the master user's password.

    It is tried again: AWS needs some seconds until it gives new service accounts their credentials, and a pod gets them at its start.
    """
    container = {
        "name": "roles",
        "command": ["python", "-m", "migrations.roles"],
        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}],
    }
    pod = _pod_with_tokens(container, release, login.roles, login.ca_config_map)
    job = _job(name, f"{service}-roles", release, pod, backoff_limit=3, deadline_seconds=USERS_DEADLINE_SECONDS)
    job["spec"]["podFailurePolicy"] = WHEN_DISRUPTED_AGAIN
    return job


def _pod_with_tokens(
    container: dict[str, Any], release: ColourRelease, account: str, ca_config_map: str
) -> dict[str, Any]:
    """As a service account whose name is also that of the ConfigMap with its variables."""
    told = {**container, "envFrom": [{"configMapRef": {"name": account}}]}
    pod = _pod(told, release)
    pod["serviceAccountName"] = account
    pod["containers"][0]["volumeMounts"].append({"name": "database-ca", "mountPath": CA_FOLDER, "readOnly": True})
    pod["volumes"].append({"name": "database-ca", "configMap": {"name": ca_config_map}})
    return pod


def _pod(container: dict[str, Any], release: ColourRelease) -> dict[str, Any]:
    """The release's own image; nothing writable but /tmp."""
    whole: dict[str, Any] = {
        **container,
        "image": release.image,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own, empty at start
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER_ID, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [whole],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def _job(
    name: str, app: str, release: ColourRelease, pod: dict[str, Any], *, backoff_limit: int, deadline_seconds: int
) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": app,
        "app.kubernetes.io/managed-by": "slipway",
        "slipway.dev/release": release.release,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "backoffLimit": backoff_limit,
            "activeDeadlineSeconds": deadline_seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"metadata": {"labels": labels, "annotations": UNDISTURBED}, "spec": pod},
        },
    }


def is_lock_timeout(lines: Sequence[str]) -> bool:
    """Whether a failed migration failed for want of a lock, and is worth another try."""
    return any(LOCK_TIMEOUT.search(line) for line in lines)
