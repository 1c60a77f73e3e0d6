"""What was tested is what runs: images are named by digest, never by a tag that can move."""

from collections.abc import Iterator

from policies.rule import Properties, block, build_policy, listing

POD_SPEC_OF = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where each kind keeps the pods' specification."""


def images_by_tag(resource_type: str, properties: Properties) -> Iterator[str]:
    """Containers whose image is not pinned by digest."""
    package, kind = resource_type.split(":", 1)[0], resource_type.rsplit(":", 1)[-1]
    if package != "kubernetes" or kind not in POD_SPEC_OF:
        return
    spec = block(properties, *POD_SPEC_OF[kind])
    for container in [*listing(spec, "initContainers"), *listing(spec, "containers")]:
        name, image = container.get("name"), container.get("image")
        if isinstance(image, str) and "@sha256:" not in image:
            yield f"container {name} runs {image}, which can change; name it by digest (<name>@sha256:…)"


IMAGES_BY_DIGEST = build_policy("images-by-digest", "Containers name their image by digest.", images_by_tag)
