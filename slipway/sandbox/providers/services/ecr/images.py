"""Images in repositories."""

from __future__ import annotations

from slipway.providers.provider import ProviderError
from slipway.providers.values import PropertyMap
from slipway.sandbox.providers.framework.functions import FunctionCall, function
from slipway.sandbox.providers.framework.resource import present


@function("aws:ecr/getImage:getImage")
def get_image(call: FunctionCall) -> PropertyMap:
    client, name = call.client("ecr"), str(call.required("repositoryName"))
    which = {
        key: call.args[arg]
        for arg, key in {"imageDigest": "imageDigest", "imageTag": "imageTag"}.items()
        if arg in call.args
    }
    registry = present(registryId=call.args.get("registryId"))
    found = client.describe_images(repositoryName=name, **registry, **({"imageIds": [which]} if which else {}))[
        "imageDetails"
    ]
    if not found:
        raise ProviderError(f"no images found in ECR repository {name}")
    if len(found) > 1 and not call.args.get("mostRecent"):
        raise ProviderError(f"{len(found)} images found in ECR repository {name}; set mostRecent to take the newest")
    image = max(found, key=lambda item: item["imagePushedAt"])
    uri = client.describe_repositories(repositoryNames=[name], **registry)["repositories"][0]["repositoryUri"]
    return {
        **call.args,
        "id": image["imageDigest"],
        "imageDigest": image["imageDigest"],
        "imagePushedAt": int(image["imagePushedAt"].timestamp()),
        "imageSizeInBytes": int(image.get("imageSizeInBytes") or 0),
        "imageTags": image.get("imageTags") or [],
        "imageUri": f"{uri}@{image['imageDigest']}",
        "region": call.region,
        "registryId": image.get("registryId") or call.session.account_id,
    }


@function("aws:ecr/getImages:getImages")
def get_images(call: FunctionCall) -> PropertyMap:
    asked = {"repositoryName": str(call.required("repositoryName"))}
    pages = call.client("ecr").get_paginator("list_images")
    found = pages.paginate(**asked, **present(registryId=call.args.get("registryId")))
    return {
        **call.args,
        "imageIds": [
            present(imageDigest=image["imageDigest"], imageTag=image.get("imageTag"))
            for page in found
            for image in page["imageIds"]
        ],
        "region": call.region,
    }
