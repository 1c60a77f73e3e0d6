"""Where the state of an account's stacks is kept, and the key of the secrets in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from ..errors import ArgsError
from .encryption_key import build_key
from .private_bucket import keep_private


@dataclass(frozen=True, kw_only=True)
class StateStoreArgs:
    """An account's buckets."""

    account_id: str
    """The account whose stacks are kept."""
    bucket_names: Sequence[str]
    """A bucket for each; environments may share one."""

    def __post_init__(self) -> None:
        if not self.bucket_names or len({*self.bucket_names}) != len(self.bucket_names):
            raise ArgsError("bucket_names", got=list(self.bucket_names), want="one or more, each once")


class StateStore(pulumi.ComponentResource):
    """Private, versioned, encrypted buckets for Pulumi's state, and the key `alias/slipway-state` for its secrets.

    Creates: S3 buckets (cents a month), KMS key.
    Not: those of the account that the foundation's own state is in: `slipway bootstrap` makes these, before any program can run.
    Outputs: bucket_names, key_arn - known after apply.
    Errors: ArgsError on bucket_names, before any resource.
    Promises: buckets and key are protected: without them no stack of the account can be changed any more.
    """

    bucket_names: dict[str, pulumi.Output[str]]
    key_arn: pulumi.Output[str]

    def __init__(self, name: str, args: StateStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:foundation:StateStore", name, None, opts)
        key = build_key(
            name,
            purpose="Secrets in Pulumi's state",
            account_id=args.account_id,
            alias="state",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.bucket_names = {each: self._bucket(each, key) for each in args.bucket_names}
        self.key_arn = key.arn
        self.register_outputs({"bucketNames": self.bucket_names, "keyArn": self.key_arn})

    def _bucket(self, bucket_name: str, key: aws.kms.Key) -> pulumi.Output[str]:
        bucket = aws.s3.Bucket(bucket_name, bucket=bucket_name, opts=pulumi.ResourceOptions(parent=self, protect=True))
        keep_private(bucket_name, bucket, key.arn, self)
        return bucket.bucket
