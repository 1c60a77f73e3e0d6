"""The Kubernetes Job that runs a backfill's batches: its name, its manifest, and what its logs mean. Pure."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.delivery.adapters.migration_job import WHEN_DISRUPTED_AGAIN, revision_part
from slipway.delivery.model.backfill import Backfill

ATTEMPTS = 6
"""Of Kubernetes' own, each later than the one before: a database that fails over ends none. Nodes that are taken away do not count."""
DEADLINE_SECONDS = 86_400
"""Then the Job has failed, and the next verb starts it again where it stopped: a pod that never starts is told."""
KEPT_SECONDS = 7 * 86_400
LINE = re.compile(r"^backfill (\S+): (.*)$")
COMPLETE = "complete"
"""The last thing that it says. An `env.py` that knows nothing of backfills does not say it."""


def backfill_job_name(service: str, revision: str, run: str) -> str:
    """One name per run: whoever looks for it finds it, and a later run is another Job."""
    return f"{service[:24]}-backfill-{revision_part(revision)}-{hashlib.sha256(run.encode()).hexdigest()[:8]}"


def backfill_manifest(migration: Mapping[str, Any], revision: str, run: str) -> dict[str, Any]:
    """The Job, made of the one that migrates with the same image, credentials and limits."""
    manifest = copy.deepcopy(dict(migration))
    spec = manifest["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    # `current` changes nothing, whatever env.py makes of the arguments.
    container["command"] = ["alembic", "-c", "alembic.ini", "-x", f"backfill={revision}", "-x", f"run={run}", "current"]
    spec |= {
        "backoffLimit": ATTEMPTS,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "podFailurePolicy": WHEN_DISRUPTED_AGAIN,
    }
    return manifest


def read_backfill(name: str, revision: str, lines: Sequence[str], *, succeeded: bool, failure: str | None) -> Backfill:
    """How far it is, by the lines that its pods have written, oldest first."""
    said = [found[2] for line in lines if (found := LINE.match(line.strip())) and found[1] == revision]
    progress = next((text for text in reversed(said) if text != COMPLETE), "")
    if succeeded and COMPLETE in said:
        return Backfill(progress=progress, done=True)
    if succeeded:
        text = "did nothing: the image's env.py does not know `-x backfill`, docs/migrations.md has what it needs"
        return Backfill(failure=f"the backfill Job {name} {text}")
    if failure:
        last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        return Backfill(progress=progress, failure=f"the backfill Job {name} failed ({failure}): {last}")
    return Backfill(progress=progress)
