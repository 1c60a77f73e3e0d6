"""The Docker provider: `docker:index/image:Image` of pulumi-docker, over the Docker SDK."""

from slipway.sandbox.providers.docker.provider import DockerProvider

__all__ = ["DockerProvider"]
