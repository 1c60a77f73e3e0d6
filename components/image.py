"""A service's image: built once from a folder, pushed to a repository that outlives it, known by its digest."""

import re
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker

from .build_context import hash_context
from .errors import ArgsError

DEFAULT_PLATFORM = "linux/amd64"
_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr\.(?P<region>[a-z0-9-]+)\.")


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """What an image is built from and where it is pushed."""

    repository_url: pulumi.Input[str]
    """The ECR repository, as `<account>.dkr.ecr.<region>.amazonaws.com/<name>`; it must exist."""
    registry_id: pulumi.Input[str] | None = None
    """The AWS account whose registry it is in. None: as the repository's host says; the caller's where that is not ECR's."""
    context: str
    """The build context's folder, holding a Dockerfile."""
    platform: str = DEFAULT_PLATFORM
    """The nodes' platform."""
    base_image: str = ""
    """What the image starts from, as `<name>:<tag>@sha256:…`: the Dockerfile's argument BASE_IMAGE.
    Empty: the Dockerfile's default, which moves with its tag."""

    def __post_init__(self) -> None:
        if self.base_image and not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", self.base_image):
            raise ArgsError("base_image", got=self.base_image, want="<name>:<tag>@sha256:<64 hex digits>")
        self.content_hash()

    def content_hash(self) -> str:
        """What decides the image's content, as a short hash: the build context, the base image and the platform."""
        # The default platform adds nothing: images that were pushed before it counted keep their tags.
        platform = "" if self.platform == DEFAULT_PLATFORM else self.platform
        return hash_context(Path(self.context), base_image=self.base_image, platform=platform)


class Image(pulumi.ComponentResource):
    """One image, built and pushed.

    The tag is the content of the build context, the base image and the platform. An image that ECR already has under this tag is used
    as it is and never pushed again: two builds of one source differ in their digests, and an immutable tag refuses the second.
    Creates: a pushed image.
    Not: the repository. What runs elsewhere by this image's digest must not go when this stack goes; nor does the image.
    Outputs: repository_url; reference - `<repository>@sha256:…`, known before the build if ECR has the image, else after the push.
    Errors: ArgsError on context (folder or Dockerfile missing) and base_image (not by digest), before any resource.
    RunError when an image that was in ECR at first, so that this stack never pushed it, is no longer there.
    """

    repository_url: pulumi.Output[str]
    reference: pulumi.Output[str]

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Image", name, None, opts)
        self.repository_url = pulumi.Output.from_input(args.repository_url)
        asked = pulumi.InvokeOutputOptions(parent=self)
        tag = f"src-{args.content_hash()}"
        digest = _find_digest(self.repository_url, args.registry_id, tag, asked)
        # Good for every registry that the caller may use, in whatever account.
        credentials = aws.ecr.get_authorization_token_output(opts=asked)
        image = docker.Image(
            f"{name}-image",
            image_name=self.repository_url.apply(lambda url: f"{url}:{tag}"),
            build=docker.DockerBuildArgs(
                context=args.context,
                platform=args.platform,
                args={"BASE_IMAGE": args.base_image} if args.base_image else None,
            ),
            build_on_preview=False,
            skip_push=digest.apply(bool),
            registry=docker.RegistryArgs(
                server=self.repository_url,
                username=credentials.user_name,
                password=pulumi.Output.secret(credentials.password),
            ),
            # The image that this stack has pushed is there at the next run: no reason to build it again. Any other change makes
            # a new resource, for which the engine takes `skip_push` as it is now; an update would keep that of the last image.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["skipPush"], replace_on_changes=["*"]),
        )
        built = pulumi.Output.all(image.repo_digest, image.urn)
        self.reference = pulumi.Output.all(self.repository_url, digest).apply(
            lambda known: f"{known[0]}@{known[1]}" if known[1] else built.apply(lambda made: _pushed(known[0], *made))
        )
        self.register_outputs({"repositoryUrl": self.repository_url, "reference": self.reference})


def _find_digest(
    repository_url: pulumi.Output[str],
    registry_id: pulumi.Input[str] | None,
    tag: str,
    opts: pulumi.InvokeOutputOptions,
) -> pulumi.Output[str]:
    """The digest that ECR has under a tag; empty where it has none.

    `get_image` would fail where the tag is missing, with nothing but words to tell that from other failures.
    """
    found = aws.ecr.get_images_output(
        registry_id=registry_id or repository_url.apply(lambda url: _from_host(url, "account")),
        region=repository_url.apply(lambda url: _from_host(url, "region")),
        repository_name=repository_url.apply(lambda url: url.partition("/")[2]),
        opts=opts,
    )
    return found.image_ids.apply(lambda ids: next((each.image_digest for each in ids if each.image_tag == tag), ""))


def _from_host(repository_url: str, part: str) -> str | None:
    """`account` or `region` of a repository's URL; None, for the provider's own, where the host is not ECR's (the sandbox)."""
    host = _ECR_HOST.match(repository_url)
    return host[part] if host else None


def _pushed(repository_url: str, repo_digest: str, urn: str) -> str:
    if repo_digest.startswith(f"{repository_url}@"):
        return repo_digest
    raise pulumi.RunError(
        f"{repository_url} no longer has this source's image, and this stack did not push it, because it was there at first. "
        f"Build and push it: pulumi up --replace '{urn}'"
    )
