"""A service's image: built once from a folder, pushed to a repository that outlives it, known by its digest."""

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
    """What an image is built from and where it is pushed."""

    repository_url: pulumi.Input[str]
    """The ECR repository, as `<account>.dkr.ecr.<region>.amazonaws.com/<name>`; it must exist."""
    context: str
    """The build context's folder, holding a Dockerfile."""
    platform: str = "linux/amd64"
    """The nodes' platform."""
    base_image: str = ""
    """What the image starts from, as `<name>:<tag>@sha256:…`: the Dockerfile's argument BASE_IMAGE.
    Empty: the Dockerfile's default, which moves with its tag."""

    def __post_init__(self) -> None:
        if self.base_image and not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", self.base_image):
            raise ArgsError("base_image", got=self.base_image, want="<name>:<tag>@sha256:<64 hex digits>")
        self.content_hash()

    def content_hash(self) -> str:
        """What decides the image's content, as a short hash: the build context and the base image."""
        return hash_context(Path(self.context), base_image=self.base_image)


class Image(pulumi.ComponentResource):
    """One image, built and pushed.

    The tag is the content of the build context and the base image, so an unchanged folder is never built twice and a changed one always is.
    Creates: a pushed image.
    Not: the repository. What runs elsewhere by this image's digest must not go when this stack goes; nor does the image.
    Outputs: repository_url; reference - `<repository>@sha256:…`, known after the push.
    Errors: ArgsError on context (folder or Dockerfile missing) and base_image (not by digest), before any resource.
    """

    repository_url: pulumi.Output[str]
    reference: pulumi.Output[str]

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Image", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.repository_url = pulumi.Output.from_input(args.repository_url)
        # Good for every registry that the caller may use, in whatever account.
        credentials = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOutputOptions(parent=self))
        image = docker.Image(
            f"{name}-image",
            image_name=self.repository_url.apply(lambda url: f"{url}:src-{args.content_hash()}"),
            build=docker.DockerBuildArgs(
                context=args.context,
                platform=args.platform,
                args={"BASE_IMAGE": args.base_image} if args.base_image else None,
            ),
            build_on_preview=False,
            registry=docker.RegistryArgs(
                server=self.repository_url,
                username=credentials.user_name,
                password=pulumi.Output.secret(credentials.password),
            ),
            opts=child,
        )
        self.reference = image.repo_digest
        self.register_outputs({"repositoryUrl": self.repository_url, "reference": self.reference})
