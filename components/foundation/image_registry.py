"""The organisation's images: a repository for each service, which no environment owns and none can lose."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from .encryption_key import build_key
from .policy_document import accounts, allow, only_roles, render

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer")
FIND = ("ecr:DescribeRepositories", "ecr:ListImages", "ecr:ListTagsForResource")
"""What the program asks about the repository that it pushes to, at each preview."""
PUSH = ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")


@dataclass(frozen=True, kw_only=True)
class ImageRegistryArgs:
    """Whose images are kept, who runs them and who makes them."""

    services: Sequence[str]
    """A repository for each, of the same name."""
    account_id: str
    """The account of the registry."""
    reader_account_ids: Sequence[str]
    """Accounts whose nodes pull."""
    pusher_role_arns: Sequence[str]
    """Roles that push; nobody may delete an image."""
    expire_untagged_days: int = 14
    """Days after which a manifest without a tag expires."""

    def __post_init__(self) -> None:
        if len({*self.services}) != len(self.services) or not self.services:
            raise ArgsError("services", got=list(self.services), want="one or more names, each once")
        if self.expire_untagged_days < 1:
            raise ArgsError("expire_untagged_days", got=self.expire_untagged_days, want="1 or more")


class ImageRegistry(pulumi.ComponentResource):
    """An ECR repository for each service, with immutable tags, scanning, and pulls from the environments' accounts.

    Creates: ECR repositories (about 0.10 USD per GB and month), a KMS key.
    Not: the deletion of old images. No rule of ECR can ask a ledger, so no image with a tag ever expires: a release pushes one tag,
    tags cannot move, and what the ledger names by digest therefore stays. Only manifests that never got a tag expire, and of these
    none that an index with a tag refers to. Source: ECR user guide, "Lifecycle policies", 2026.
    Outputs: repository_urls by service, key_arn - known after apply.
    Errors: ArgsError on services and expire_untagged_days, before any resource.
    Promises: repositories are protected, and stay in AWS when they leave the program.
    """

    repository_urls: dict[str, pulumi.Output[str]]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: ImageRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:ImageRegistry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = build_key(name, purpose="Images of all services", account_id=args.account_id, opts=child)
        policy = _access(args)
        untagged = {
            "rulePriority": 1,
            "description": "manifests that never got a tag",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": args.expire_untagged_days,
            },
            "action": {"type": "expire"},
        }
        self.repository_urls = {}
        for service in args.services:
            repository = aws.ecr.Repository(
                f"{name}-{service}",
                name=service,
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
                encryption_configurations=[
                    aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=key.arn)
                ],
                opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
            )
            aws.ecr.RepositoryPolicy(f"{name}-{service}-access", repository=repository.name, policy=policy, opts=child)
            aws.ecr.LifecyclePolicy(
                f"{name}-{service}-lifecycle",
                repository=repository.name,
                policy=json.dumps({"rules": [untagged]}),
                opts=child,
            )
            self.repository_urls[service] = repository.repository_url
        self.key_arn = key.arn
        self.register_outputs({"repositoryUrls": self.repository_urls, "keyArn": self.key_arn})


def _access(args: ImageRegistryArgs) -> str:
    statements = [_without_resource("Pull", (*PULL, *FIND), args.reader_account_ids)]
    if args.pusher_role_arns:
        pushers = sorted({arn.split(":")[4] for arn in args.pusher_role_arns})
        push = _without_resource("Push", PUSH, pushers)
        statements.append({**push, "Condition": only_roles(args.pusher_role_arns)})
    return render(statements)


def _without_resource(sid: str, actions: Sequence[str], account_ids: Sequence[str]) -> dict[str, object]:
    """A repository's policy names no resource: ECR refuses one that does."""
    statement = allow(sid, actions, principal=accounts(account_ids))
    del statement["Resource"]
    return statement
