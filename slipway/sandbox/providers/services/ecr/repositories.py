"""ECR repositories and their policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.arn_tags import MapTags
from slipway.sandbox.providers.framework.functions import Function, argument, looked_up, plurals
from slipway.sandbox.providers.framework.resource import AutoName, Call, Resource, present, tag_map, tag_pairs


class Repository(MapTags):
    """aws.ecr.Repository"""

    token = "aws:ecr/repository:Repository"
    service = "ecr"
    force_new = frozenset({"name", "encryptionConfigurations"})
    defaults = {"imageTagMutability": "MUTABLE"}
    auto_name = AutoName(max_length=256, lower=True)
    conflict_codes = frozenset({"RepositoryAlreadyExistsException"})
    write_only = frozenset({"forceDelete"})
    unsupported = frozenset({"imageTagMutabilityExclusionFilters"})
    enums = {"imageTagMutability": ("MUTABLE", "IMMUTABLE")}

    def create(self, call: Call) -> str:
        """Create."""
        inputs = call.inputs
        arguments: dict[str, Any] = call.given(imageTagMutability="imageTagMutability")
        if scan := inputs.get("imageScanningConfiguration"):
            arguments["imageScanningConfiguration"] = {"scanOnPush": scan["scanOnPush"]}
        if encryption := inputs.get("encryptionConfigurations"):
            first = encryption[0]
            arguments["encryptionConfiguration"] = present(
                encryptionType=first.get("encryptionType") or "AES256", kmsKey=first.get("kmsKey")
            )
        call.client("ecr").create_repository(repositoryName=inputs["name"], tags=call.tag_list, **arguments)
        return inputs["name"]

    def find(self, call: Call) -> str | None:
        """By name."""
        return call.inputs["name"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The repository."""
        ecr = call.client("ecr")
        repository = ecr.describe_repositories(repositoryNames=[id])["repositories"][0]
        encryption = repository.get("encryptionConfiguration") or {"encryptionType": "AES256"}
        return {
            "arn": repository["repositoryArn"],
            "encryptionConfigurations": [
                {"encryptionType": encryption["encryptionType"], "kmsKey": encryption.get("kmsKey", "")}
            ],
            "imageScanningConfiguration": {
                "scanOnPush": bool((repository.get("imageScanningConfiguration") or {}).get("scanOnPush"))
            },
            "imageTagMutability": repository["imageTagMutability"],
            "name": repository["repositoryName"],
            "region": call.region,
            "registryId": repository["registryId"],
            "repositoryUrl": repository["repositoryUri"],
            "tagsAll": tag_map(ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"]).get("tags")),
        }

    def update(self, call: Call, id: str) -> None:
        """Tag mutability and scanning."""
        ecr, inputs = call.client("ecr"), call.inputs
        if call.changes("imageTagMutability"):
            ecr.put_image_tag_mutability(repositoryName=id, imageTagMutability=inputs["imageTagMutability"])
        if call.changes("imageScanningConfiguration"):
            scan = bool((inputs.get("imageScanningConfiguration") or {}).get("scanOnPush"))
            ecr.put_image_scanning_configuration(repositoryName=id, imageScanningConfiguration={"scanOnPush": scan})

    def write_tags(self, call: Call, id: str, add: Any, remove: list[str]) -> None:
        """ECR takes a list, under the argument names of the map services."""
        ecr, arn = call.client("ecr"), call.outputs["arn"]
        if remove:
            ecr.untag_resource(resourceArn=arn, tagKeys=remove)
        if add:
            ecr.tag_resource(resourceArn=arn, tags=tag_pairs(add))

    def delete(self, call: Call, id: str) -> None:
        """Delete; images in it only go when forced."""
        force = bool({**call.outputs, **call.inputs}.get("forceDelete"))
        call.client("ecr").delete_repository(repositoryName=id, force=force)


class _PolicyOfRepository(Resource):
    """A JSON document of which a repository has one; only the names of ECR's calls differ."""

    force_new = frozenset({"repository"})
    json_properties = frozenset({"policy"})
    noun: str
    """`<noun>` in `get_<noun>` and `delete_<noun>`."""
    put: str
    """The call that sets the document, whether there was one or not."""
    text: str
    """The document's name in requests and answers."""

    def create(self, call: Call) -> str:
        """Put it."""
        self.update(call, call.inputs["repository"])
        return call.inputs["repository"]

    def read(self, call: Call, id: str) -> PropertyMap | None:
        """The policy."""
        policy = getattr(call.client("ecr"), f"get_{self.noun}")(repositoryName=id)
        return {
            "policy": policy[self.text],
            "region": call.region,
            "registryId": policy.get("registryId", ""),
            "repository": policy["repositoryName"],
        }

    def update(self, call: Call, id: str) -> None:
        """Put it again."""
        getattr(call.client("ecr"), self.put)(repositoryName=id, **{self.text: call.inputs["policy"]})

    def delete(self, call: Call, id: str) -> None:
        """Delete."""
        getattr(call.client("ecr"), f"delete_{self.noun}")(repositoryName=id)


class LifecyclePolicy(_PolicyOfRepository):
    """aws.ecr.LifecyclePolicy"""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    noun = "lifecycle_policy"
    put = "put_lifecycle_policy"
    text = "lifecyclePolicyText"


class RepositoryPolicy(_PolicyOfRepository):
    """aws.ecr.RepositoryPolicy"""

    token = "aws:ecr/repositoryPolicy:RepositoryPolicy"
    noun = "repository_policy"
    put = "set_repository_policy"
    text = "policyText"


RESOURCES = (Repository(), LifecyclePolicy(), RepositoryPolicy())
FUNCTIONS: Mapping[str, Function] = {
    "aws:ecr/getRepository:getRepository": looked_up(
        Repository(), argument("name"), plurals("imageScanningConfiguration")
    ),
}
