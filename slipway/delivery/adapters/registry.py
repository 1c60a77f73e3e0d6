"""An image registry by the OCI distribution API: manifests, blobs, and what refers to an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Annotated, Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from slipway.delivery.adapters.aws import client as aws_client
from slipway.delivery.adapters.ecr import ADDRESS
from slipway.delivery.adapters.http import http_client
from slipway.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
MANIFEST_TYPES = (
    MANIFEST_TYPE,
    INDEX_TYPE,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
TIMEOUT_SECONDS = 10
"""Of a connection, and of each wait for the next bytes."""
MOST_BYTES = 16 << 20
"""Of a manifest or an attestation. Layers may be larger: they go to disk."""
MOST_PAGES = 10
CHUNK_BYTES = 1 << 20
DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"


class Descriptor(BaseModel):
    """What a manifest says of a blob or of another manifest."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    media_type: str
    digest: Annotated[str, Field(pattern=DIGEST_PATTERN)]
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] | None = None
    platform: Mapping[str, Any] | None = None


class Manifest(BaseModel):
    """An image, an artifact, or an index of them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    schema_version: int = 2
    media_type: str = MANIFEST_TYPE
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    annotations: Mapping[str, str] | None = None

    def dump(self) -> bytes:
        """The bytes that its digest is of."""
        return json.dumps(self.model_dump(mode="json", by_alias=True, exclude_none=True), sort_keys=True).encode()


@dataclass(frozen=True, kw_only=True)
class Access:
    """Where a registry is and what it is shown."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def ecr_access(host: str, region: str) -> Access:
    """The registry `host` with a token of ECR, where it is ECR's; without credentials elsewhere. OperationError when ECR refuses."""
    address = ADDRESS.fullmatch(host)
    client: ECRClient = aws_client("ecr", address[2] if address else region)
    asked: dict[str, Any] = {"registryIds": [address[1]]} if address else {}
    try:
        answer = client.get_authorization_token(**asked)["authorizationData"][0]
    except (ClientError, BotoCoreError) as error:
        raise OperationError(f"ECR gives no token for {host}: {error}") from error
    endpoint, token = answer.get("proxyEndpoint", ""), answer.get("authorizationToken", "")
    if httpx.URL(endpoint).netloc.decode() != host:
        return Access(url=f"https://{host}")
    return Access(url=endpoint, headers={"Authorization": f"Basic {token}"})


class Repository:
    """One repository. Failures are OperationError that names the registry."""

    def __init__(self, access: Access, path: str) -> None:
        self._http = http_client(
            base_url=f"{access.url}/v2/{path}/",
            headers=access.headers,
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,  # ECR keeps layers in S3; httpx sends it no credentials of ours
        )
        self._where = httpx.URL(access.url).netloc.decode()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def manifest(self, reference: str) -> tuple[Manifest, Descriptor] | None:
        """The manifest of a digest or tag, and how to refer to it; None when there is none."""
        content = self._content(f"manifests/{reference}", accept=MANIFEST_TYPES)
        if content is None:
            return None
        if reference.startswith("sha256:") and digest_of_bytes(content) != reference:
            raise OperationError(f"the registry {self._where} gave another content than {reference}")
        manifest = self._parsed(content)
        return manifest, Descriptor(media_type=manifest.media_type, digest=digest_of_bytes(content), size=len(content))

    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob, its digest checked."""
        content = self._content(f"blobs/{descriptor.digest}")
        if content is None or digest_of_bytes(content) != descriptor.digest:
            raise OperationError(f"the registry {self._where} lacks {descriptor.digest}, or has another content there")
        return content

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Generator[IO[bytes]]:
        """A large blob as a file, its digest checked."""
        total = hashlib.sha256()
        with TemporaryFile() as file:
            with self._answers(), self._http.stream("GET", f"blobs/{descriptor.digest}") as response:
                self._checked(response)
                for chunk in response.iter_raw(CHUNK_BYTES):
                    total.update(chunk)
                    file.write(chunk)
            if f"sha256:{total.hexdigest()}" != descriptor.digest:
                raise OperationError(f"the registry {self._where} gave another content than {descriptor.digest}")
            file.seek(0)
            yield file

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        """What refers to an image: by the registry's own list, or by the tag that stands in for it where it keeps none."""
        found: list[Descriptor] = []
        path: str | None = f"referrers/{digest}"
        for _ in range(MOST_PAGES):
            with self._answers(), self._http.stream("GET", path) as response:
                if response.status_code == 404:
                    break
                content = self._read(self._checked(response))
                path = response.links.get("next", {}).get("url")
            found += self._parsed(content).manifests or ()
            if path is None:
                return found
        tagged = self.manifest(referrers_tag(digest))
        return [*found, *((tagged[0].manifests or ()) if tagged else ())]

    def attach(self, subject: Descriptor, content: bytes, media_type: str, annotations: Mapping[str, str]) -> None:
        """Store an artifact that refers to `subject`."""
        manifest = Manifest(
            artifact_type=media_type,
            config=self._upload(EMPTY, EMPTY_TYPE),
            layers=(self._upload(content, media_type),),
            subject=subject,
            annotations=annotations,
        )
        # Under a tag of its own: rules that clean a registry up take what has none.
        tag = f"attestation-{digest_of_bytes(manifest.dump()).partition(':')[2]}"
        written = self._put_manifest(tag, manifest)
        if "OCI-Subject" not in written.headers:
            self._list(subject.digest, manifest)

    def _list(self, subject: str, manifest: Manifest) -> None:
        """The registry keeps no list: keep it in the tag that the specification names for that."""
        content = manifest.dump()
        entry = Descriptor(
            media_type=manifest.media_type,
            digest=digest_of_bytes(content),
            size=len(content),
            artifact_type=manifest.artifact_type,
            annotations=manifest.annotations,
        )
        tag = referrers_tag(subject)
        tagged = self.manifest(tag)
        others = [each for each in (tagged[0].manifests or ()) if each.digest != entry.digest] if tagged else []
        self._put_manifest(tag, Manifest(media_type=INDEX_TYPE, manifests=(*others, entry)))

    def _put_manifest(self, reference: str, manifest: Manifest) -> httpx.Response:
        with self._answers():
            response = self._http.put(
                f"manifests/{reference}", content=manifest.dump(), headers={"Content-Type": manifest.media_type}
            )
        return self._checked(response)

    def _upload(self, content: bytes, media_type: str) -> Descriptor:
        digest = digest_of_bytes(content)
        with self._answers():
            if self._http.head(f"blobs/{digest}").status_code != 200:
                started = self._checked(self._http.post("blobs/uploads/"))
                target = started.url.join(started.headers["Location"]).copy_merge_params({"digest": digest})
                self._checked(
                    self._http.put(target, content=content, headers={"Content-Type": "application/octet-stream"})
                )
        return Descriptor(media_type=media_type, digest=digest, size=len(content))

    def _content(self, path: str, accept: Sequence[str] = ("*/*",)) -> bytes | None:
        with self._answers(), self._http.stream("GET", path, headers={"Accept": ", ".join(accept)}) as response:
            return None if response.status_code == 404 else self._read(self._checked(response))

    def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_bytes(CHUNK_BYTES):
            content += chunk
            if len(content) > MOST_BYTES:
                raise OperationError(f"the registry {self._where} answers with more than {MOST_BYTES >> 20} MiB")
        return bytes(content)

    def _parsed(self, content: bytes) -> Manifest:
        try:
            return Manifest.model_validate_json(content)
        except ValidationError:
            raise OperationError(f"the registry {self._where} answers with no manifest") from None

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_error:
            raise OperationError(f"the registry {self._where} answers {response.status_code} to {response.url.path}")
        return response

    @contextmanager
    def _answers(self) -> Generator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise OperationError(f"the registry {self._where} did not answer within {TIMEOUT_SECONDS} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OperationError(f"the registry {self._where} cannot be reached: {error}") from error


def referrers_tag(digest: str) -> str:
    """The tag of an image's list, where the registry keeps none."""
    return digest.replace(":", "-")


def digest_of_bytes(content: bytes) -> str:
    """`sha256:…`"""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
