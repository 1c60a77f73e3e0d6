"""The providers that the program names; default ones are disabled in Pulumi.yaml."""

import pulumi_aws as aws
import pulumi_docker as docker


def build_aws_provider(region: str, *, account_id: str, environment: str, service: str, owner: str) -> aws.Provider:
    """One account (credentials of another are refused), one region, and four tags on everything that can carry tags."""
    tags = {"environment": environment, "service": service, "owner": owner, "managed-by": "slipway"}
    return aws.Provider(
        "aws", region=region, allowed_account_ids=[account_id], default_tags=aws.ProviderDefaultTagsArgs(tags=tags)
    )


def build_docker_provider() -> docker.Provider:
    """The Docker engine that DOCKER_HOST names."""
    return docker.Provider("docker")
