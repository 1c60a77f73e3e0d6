"""A service's image: built once from a folder, kept in a registry of its own, known by its digest."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from .build_context import hash_context
from .errors import ArgsError


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """What an image is built from and where it is kept."""

    repository_name: str
    """Name of the ECR repository, such as `orders`."""
    context: str
    """The build context's folder, holding a Dockerfile."""
    key_arn: pulumi.Input[str]
    """KMS key of the repository. Cannot be changed later."""
    keep_images: int = 50
    """How many images the repository keeps; releases older than that cannot be rolled back to."""
    platform: str = "linux/amd64"
    """The nodes' platform."""
    base_image: str = ""
    """What the image starts from, as `<name>:<tag>@sha256:…`: the Dockerfile's argument BASE_IMAGE.
    Empty: the Dockerfile's default, which moves with its tag."""

    def __post_init__(self) -> None:
        if self.keep_images < 2:
            raise ArgsError("keep_images", got=self.keep_images, want="2 or more: a rollback needs the image before")
        if self.base_image and not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", self.base_image):
            raise ArgsError("base_image", got=self.base_image, want="<name>:<tag>@sha256:<64 hex digits>")
        self.content_hash()

    def content_hash(self) -> str:
        """What decides the image's content, as a short hash: the build context and the base image."""
        return hash_context(Path(self.context), base_image=self.base_image)


class Image(pulumi.ComponentResource):
    """An ECR repository with immutable tags and scanning, and one image built and pushed into it.

    The tag is the content of the build context and the base image, so an unchanged folder is never built twice and a changed one always is.
    Creates: ECR repository (about 0.10 USD per GB and month), a pushed image.
    Outputs: repository_url - known after apply; reference - `<repository>@sha256:…`, known after the push.
    Errors: ArgsError on context (folder or Dockerfile missing), base_image (not by digest) and keep_images, before any resource.
    """

    repository_url: pulumi.Output[str]
    reference: pulumi.Output[str]

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Image", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=args.repository_name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.key_arn)
            ],
            force_delete=True,
            opts=child,
        )
        rule = {
            "rulePriority": 1,
            "description": f"keep {args.keep_images} images",
            # By the tag of images: attestations have none, and ECR removes them with their image.
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": ["src-*"],
                "countType": "imageCountMoreThan",
                "countNumber": args.keep_images,
            },
            "action": {"type": "expire"},
        }
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle", repository=repository.name, policy=json.dumps({"rules": [rule]}), opts=child
        )
        credentials = aws.ecr.get_authorization_token_output(
            registry_id=repository.registry_id, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        image = docker.Image(
            f"{name}-image",
            image_name=repository.repository_url.apply(lambda url: f"{url}:src-{args.content_hash()}"),
            build=docker.DockerBuildArgs(
                context=args.context,
                platform=args.platform,
                args={"BASE_IMAGE": args.base_image} if args.base_image else None,
            ),
            build_on_preview=False,
            registry=docker.RegistryArgs(
                server=repository.repository_url,
                username=credentials.user_name,
                password=pulumi.Output.secret(credentials.password),
            ),
            opts=child,
        )
        self.repository_url = repository.repository_url
        self.reference = image.repo_digest
        self.register_outputs({"repositoryUrl": self.repository_url, "reference": self.reference})
