"""Whether the registry still has an image. Lifecycle rules expire what no tag names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from slipway.delivery.adapters.aws import client as aws_client
from slipway.log import get_logger

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ADDRESS = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")

log = get_logger(__name__)


def has_image(image: str, region: str) -> bool:
    """False only where ECR says so. True for other registries, and where it cannot be asked: a way back does not wait for a permission."""
    host, _, path = image.partition("@")[0].partition("/")
    address = ADDRESS.fullmatch(host)
    client: ECRClient = aws_client("ecr", address[2] if address else region)
    account: dict[str, Any] = {"registryId": address[1]} if address else {}
    try:
        if not address:
            found = client.describe_repositories(repositoryNames=[path])["repositories"]
            if found[0].get("repositoryUri") != f"{host}/{path}":
                return True
        digest = image.rpartition("@")[2]
        client.describe_images(repositoryName=path, imageIds=[{"imageDigest": digest}], **account)
    except client.exceptions.ImageNotFoundException:
        return False
    except client.exceptions.RepositoryNotFoundException:
        return address is None
    except (ClientError, BotoCoreError) as error:
        log.warning("cannot ask for the image", image=image, error=str(error))
    return True
