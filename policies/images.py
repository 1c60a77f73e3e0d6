"""What was tested is what runs: images are named by digest, never by a tag that can move."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.rule import Properties, build_policy

TEMPLATE_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def images_by_tag(resource_type: str, properties: Properties) -> Iterator[str]:
    """Containers whose image is not pinned by digest."""
    if not resource_type.startswith("kubernetes:"):
        return
    kind = resource_type.rsplit(":", 1)[-1]
    spec: Mapping[str, Any] = properties.get("spec") or {}
    if kind in TEMPLATE_KINDS:
        spec = (spec.get("template") or {}).get("spec") or {}
    elif kind == "CronJob":
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        spec = (job.get("template") or {}).get("spec") or {}
    elif kind != "Pod":
        return
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        image = container.get("image")
        if isinstance(image, str) and "@sha256:" not in image:
            yield f"container {container.get('name')} runs {image}, which can change; name it by digest (<name>@sha256:…)"


IMAGES_BY_DIGEST = build_policy("images-by-digest", "Containers name their image by digest.", images_by_tag)
