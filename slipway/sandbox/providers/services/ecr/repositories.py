"""ECR repositories and their policies."""

from __future__ import annotations

from typing import Any

from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import argument, looked_up, plurals
from slipway.sandbox.providers.framework.resource import AutoName, Call, Lookup, Resource, present
from slipway.sandbox.providers.framework.tags import Tagging, tag_map


class Repository(Resource):
    """aws.ecr.Repository"""

    token = "aws:ecr/repository:Repository"
    lookup = Lookup("describe_repositories", "repositoryNames", "repositories")
    deletion = "delete_repository"
    id_arguments = ("repositoryName",)
    found_by_name = True
    tagging = Tagging(target="resourceArn")
    service = "ecr"
    force_new = frozenset({"name", "encryptionConfigurations"})
    defaults = {"imageTagMutability": "MUTABLE"}
    auto_name = AutoName(max_length=256, lower=True)
    conflict_codes = frozenset({"RepositoryAlreadyExistsException"})
    write_only = frozenset({"forceDelete"})
    unsupported = frozenset({"imageTagMutabilityExclusionFilters"})
    enums = {"imageTagMutability": ("MUTABLE", "IMMUTABLE")}

    def live(self, call: Call, id: str) -> dict[str, Any] | None:
        """In the registry that a function names, which may be another account's."""
        registry = call.given(registryId="registryId")
        found = call.client("ecr").describe_repositories(repositoryNames=[id], **registry)["repositories"]
        return next(iter(found), None)

    def create(self, call: Call) -> str:
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

    def shown(self, call: Call, id: str, live: dict[str, Any]) -> PropertyMap:
        """The repository."""
        encryption = live.get("encryptionConfiguration") or {"encryptionType": "AES256"}
        return {
            "arn": live["repositoryArn"],
            "encryptionConfigurations": [
                {"encryptionType": encryption["encryptionType"], "kmsKey": encryption.get("kmsKey", "")}
            ],
            "imageScanningConfiguration": {
                "scanOnPush": bool((live.get("imageScanningConfiguration") or {}).get("scanOnPush"))
            },
            "name": live["repositoryName"],
            "repositoryUrl": live["repositoryUri"],
            "tagsAll": tag_map(
                call.client("ecr").list_tags_for_resource(resourceArn=live["repositoryArn"]).get("tags")
            ),
        }

    def update(self, call: Call, id: str) -> None:
        """Tag mutability and scanning."""
        ecr, inputs = call.client("ecr"), call.inputs
        if call.changes("imageTagMutability"):
            ecr.put_image_tag_mutability(repositoryName=id, imageTagMutability=inputs["imageTagMutability"])
        if call.changes("imageScanningConfiguration"):
            scan = bool((inputs.get("imageScanningConfiguration") or {}).get("scanOnPush"))
            ecr.put_image_scanning_configuration(repositoryName=id, imageScanningConfiguration={"scanOnPush": scan})

    def delete(self, call: Call, id: str) -> None:
        """Delete; images in it only go when forced."""
        self.delete_when_free(call, id, force=bool(call.state.get("forceDelete")))


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
            "registryId": policy.get("registryId", ""),
            "repository": policy["repositoryName"],
        }

    def update(self, call: Call, id: str) -> None:
        """Put it again."""
        getattr(call.client("ecr"), self.put)(repositoryName=id, **{self.text: call.inputs["policy"]})

    def delete(self, call: Call, id: str) -> None:
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


get_repository = looked_up(
    "aws:ecr/getRepository:getRepository",
    Repository(),
    argument("name"),
    plurals("imageScanningConfiguration"),
    inputs={"registryId"},
)
