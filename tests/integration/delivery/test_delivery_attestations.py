"""Attestations of an image in a real registry, signed by moto's KMS."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.adapters import attesting, registry
from slipway.delivery.adapters.attesting import ENVELOPE_TYPE, RegistryAttestations
from slipway.delivery.adapters.build_facts import read_build
from slipway.delivery.adapters.image_records import read_records
from slipway.delivery.adapters.registry import Access, Descriptor, Manifest, Repository, digest_of_bytes, ecr_access
from slipway.delivery.model.provenance import Build
from slipway.errors import OperationError, UsageError
from slipway.sandbox.aws.ecr.referrers import list_referrer, referrers, subject_of
from slipway.sandbox.aws.kms import take_digests
from slipway.sandbox.images.oci import RegistryClient
from tests.waiting import wait_until

ALIAS = "alias/slipway-attestations"
DEMANDS = SupplyChain(key=ALIAS)
COMMIT = "c" * 40
BUILD = Build(repository="https://git.example/acme/shop", branch="main", commit=COMMIT, builder="urn:bench")
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SITE = "venv/lib/python3.11/site-packages"


@pytest.fixture(scope="session", autouse=True)
def digests() -> None:
    """moto as the sandbox has it."""
    take_digests()


@pytest.fixture(scope="module")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, store = f"http://127.0.0.1:{port}", f"{{filesystem: {{rootdirectory: {folder}}}}}"
    text = f"version: 0.1\nlog: {{level: error}}\nstorage: {store}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    (folder / "registry.yml").write_text(text)
    process = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(url), "the registry's answer", 30)
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/", timeout=2).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def repository(registry_url: str, request: pytest.FixtureRequest) -> Iterator[Repository]:
    made = Repository(Access(url=registry_url), request.node.name.lower().partition("[")[0])
    yield made
    made.close()


def layer(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue())


def metadata(name: str, version: str = "1.0") -> bytes:
    return f"Name: {name}\nVersion: {version}\nLicense-Expression: MIT\n".encode()


def push(repository: Repository, *layers: dict[str, bytes]) -> str:
    """An image of these layers; its digest."""
    blobs = tuple(repository._upload(layer(files), "application/vnd.oci.image.layer.v1.tar+gzip") for files in layers)  # pyright: ignore[reportPrivateUsage]
    config = repository._upload(b'{"os": "linux"}', "application/vnd.oci.image.config.v1+json")  # pyright: ignore[reportPrivateUsage]
    manifest = Manifest(config=config, layers=blobs)
    repository._put_manifest(digest_of_bytes(manifest.dump()), manifest)  # pyright: ignore[reportPrivateUsage]
    return digest_of_bytes(manifest.dump())


def make_key(aws: boto3.Session, alias: str) -> None:
    kms = aws.client("kms")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=alias, TargetKeyId=key)


Attested = tuple[RegistryAttestations, str, Repository]


@pytest.fixture
def attested(
    aws: boto3.Session,
    registry_url: str,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Attested:
    """An image with its attestations, and what finds them."""
    make_key(aws, ALIAS)
    monkeypatch.setattr(attesting, "ecr_access", lambda *_: Access(url=registry_url))
    digest = push(repository, {f"{SITE}/{request.node.name}-1.0.dist-info/METADATA": metadata("a")})
    image = f"registry.example/{request.node.name.lower().partition('[')[0]}@{digest}"
    attestations = RegistryAttestations("us-east-1", lambda: BUILD, lambda: NOW)
    assert attestations.attest(image, COMMIT, DEMANDS) == []
    return attestations, image, repository


def test_what_was_signed_is_proven_and_signed_once(attested: Attested) -> None:
    attestations, image, repository = attested
    evidence = attestations.evidence(image, COMMIT, DEMANDS)
    assert evidence.unreachable == ""
    assert evidence.licences == {"pkg:pypi/a@1.0": "MIT"}
    assert [(each.repository, each.branch, each.commit) for each in evidence.provenance] == [
        (BUILD.repository, BUILD.branch, COMMIT)
    ]
    attestations.attest(image, COMMIT, DEMANDS)
    assert len(repository.referrers(image.partition("@")[2])) == 2
    attestations.attest(image, "d" * 40, DEMANDS)
    assert [each.commit for each in attestations.evidence(image, "d" * 40, DEMANDS).provenance] == ["d" * 40]
    assert len(repository.referrers(image.partition("@")[2])) == 3


def test_another_key_or_another_digest_proves_nothing(attested: Attested, aws: boto3.Session) -> None:
    attestations, image, repository = attested
    make_key(aws, "alias/other")
    evidence = attestations.evidence(image, COMMIT, SupplyChain(key="alias/other"))
    assert (evidence.provenance, evidence.licences, evidence.discarded) == ((), None, ("is signed by another key",))
    pinned = aws.client("kms").get_public_key(KeyId=ALIAS)["PublicKey"]
    pem = load_der_public_key(pinned).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert attestations.evidence(image, COMMIT, SupplyChain(key="alias/other", public_key=pem)).provenance
    # The envelopes moved to an image that nobody signed.
    digest = push(repository, {f"{SITE}/evil-1.0.dist-info/METADATA": metadata("evil")})
    subject = Descriptor(media_type=registry.MANIFEST_TYPE, digest=digest, size=1)
    for each in repository.referrers(image.partition("@")[2]):
        found = repository.manifest(each.digest)
        assert found
        assert found[0].layers
        repository.attach(subject, repository.blob(found[0].layers[0]), ENVELOPE_TYPE, {})
    moved = attestations.evidence(f"{image.partition('@')[0]}@{digest}", COMMIT, DEMANDS)
    assert (moved.provenance, moved.licences, moved.discarded) == ((), None, ("is about another image",))


def test_silent_registry_is_told_with_its_time_out(attested: Attested, monkeypatch: pytest.MonkeyPatch) -> None:
    attestations, image, _ = attested
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(attesting, "ecr_access", lambda *_: Access(url=silent_url))
        monkeypatch.setattr(registry, "TIMEOUT_SECONDS", 0.2)
        evidence = attestations.evidence(image, COMMIT, DEMANDS)
    assert f"the registry {silent_url.removeprefix('http://')} did not answer within 0.2 s" in evidence.unreachable
    gone = attestations.evidence(image, COMMIT, DEMANDS)
    assert "cannot be reached" in gone.unreachable


def test_key_that_is_missing_or_of_another_type_is_told(attested: Attested, aws: boto3.Session) -> None:
    attestations, image, _ = attested
    absent = SupplyChain(key="alias/absent")
    with pytest.raises(UsageError, match=r"KMS has no key alias/absent\n.*slipway bootstrap"):
        attestations.attest(image, COMMIT, absent)
    assert attestations.evidence(image, COMMIT, absent).unreachable == "KMS has no key alias/absent"
    with pytest.raises(UsageError, match="its public key verifies no signatures"):
        attestations.attest(image, COMMIT, SupplyChain(key=ALIAS, public_key="no PEM"))


def test_records_are_those_of_the_top_layer(repository: Repository) -> None:
    below = {f"./{SITE}/{name}-1.0.dist-info/METADATA": metadata(name) for name in ("gone", "kept", "hidden/deep")}
    digest = push(
        repository,
        below | {"opt/a-1.0.dist-info/METADATA": metadata("a"), "var/lib/dpkg/status": b"old", "etc/passwd": b"root"},
        {
            ".wh.opt": b"",
            f"{SITE}/.wh.gone-1.0.dist-info": b"",
            f"{SITE}/hidden/.wh..wh..opq": b"",
            "var/lib/dpkg/status": b"new",
        },
    )
    assert read_records(repository, digest) == {
        f"{SITE}/kept-1.0.dist-info/METADATA": metadata("kept"),
        "var/lib/dpkg/status": b"new",
    }
    index = Manifest(
        media_type=registry.INDEX_TYPE,
        manifests=(Descriptor(media_type=registry.MANIFEST_TYPE, digest=digest, size=1, platform={"os": "linux"}),),
    )
    repository._put_manifest("latest", index)  # pyright: ignore[reportPrivateUsage]
    assert read_records(repository, digest_of_bytes(index.dump())) == read_records(repository, digest)
    with pytest.raises(OperationError, match="has no image"):
        read_records(repository, "sha256:" + "0" * 64)


def test_sandbox_lists_what_refers_to_an_image_as_ecr_does(registry_url: str, repository: Repository) -> None:
    digest = push(repository, {"etc/os-release": b"ID=debian"})
    client, path = RegistryClient(Path("unused")), "test_sandbox_lists_what_refers_to_an_image_as_ecr_does"
    client._http = httpx.Client(base_url=registry_url)  # pyright: ignore[reportPrivateUsage] - this registry has no socket
    subject = Descriptor(media_type=registry.MANIFEST_TYPE, digest=digest, size=1)
    empty = repository._upload(b"{}", registry.EMPTY_TYPE)  # pyright: ignore[reportPrivateUsage]
    artifacts = [
        Manifest(artifact_type=kind, config=empty, layers=(empty,), subject=subject)
        for kind in ("text/one", "text/two")
    ]
    contents = [artifact.dump() for artifact in artifacts]
    for artifact, content in zip(artifacts, contents, strict=True):
        repository._put_manifest(digest_of_bytes(content), artifact)  # pyright: ignore[reportPrivateUsage]
    for content in [*contents, contents[0]]:
        assert subject_of(content) == digest
        list_referrer(client, path, digest, digest_of_bytes(content), content)
    status, headers, body = referrers(client, path, digest)
    assert (status, dict(headers)["Content-Type"]) == ("200 OK", registry.INDEX_TYPE)
    listed = json.loads(body[0])["manifests"]
    assert {each["digest"]: each["artifactType"] for each in listed} == {
        digest_of_bytes(content): kind for content, kind in zip(contents, ("text/one", "text/two"), strict=True)
    }
    assert json.loads(referrers(client, path, "sha256:" + "0" * 64)[2][0])["manifests"] == []
    client.close()


@pytest.mark.parametrize(
    ("host", "url", "shown"),
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "https://123456789012.dkr.ecr.us-east-1.amazonaws.com", True),
        ("registry.example", "https://registry.example", False),
    ],
)
def test_token_is_shown_to_ecr_alone(aws: boto3.Session, host: str, url: str, shown: bool) -> None:
    access = ecr_access(host, "us-east-1")
    assert (access.url, "Authorization" in access.headers) == (url, shown)


@pytest.mark.parametrize("algorithm", ["ECDSA_SHA_256", "RSASSA_PSS_SHA_256"])
def test_kms_signs_a_digest_and_not_the_hash_of_it(aws: boto3.Session, algorithm: Any) -> None:
    kms = aws.client("kms")
    spec: Any = "ECC_NIST_P256" if algorithm.startswith("ECDSA") else "RSA_2048"
    key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    digest = hashlib.sha256(b"message").digest()
    signed = kms.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm=algorithm)["Signature"]
    checked = kms.verify(KeyId=key, Message=b"message", MessageType="RAW", Signature=signed, SigningAlgorithm=algorithm)
    assert checked["SignatureValid"]
    with pytest.raises(ClientError, match="invalid length"):
        kms.sign(KeyId=key, Message=b"short", MessageType="DIGEST", SigningAlgorithm=algorithm)


def test_build_is_described_by_checkout_and_runner(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    app = tmp_path / "app"
    app.mkdir()
    (app / "Dockerfile").write_text("ARG BASE_IMAGE=python:3.11-slim\nFROM ${BASE_IMAGE}\n")
    (app / "requirements.txt").write_text("httpx==1\n")
    git("init", "--quiet", "--initial-branch=topic")
    assert read_build(tmp_path, app, "", {}, {}).repository == f"file://{tmp_path}"
    git("remote", "add", "origin", "https://user:token@git.example/acme/shop.git")
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/deploy-dev.yml@refs/heads/main",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "7",
    }
    build = read_build(tmp_path, app, "", {}, runner)
    assert (build.repository, build.branch) == ("https://git.example/acme/shop", "topic")
    assert (build.base_image, set(build.files)) == ("python:3.11-slim", {"app/Dockerfile", "app/requirements.txt"})
    assert build.builder == "https://github.example/acme/shop/.github/workflows/deploy-dev.yml@refs/heads/main"
    assert build.invocation == "https://github.example/acme/shop/actions/runs/7/attempts/1"
    assert read_build(tmp_path, app, "python@sha256:1", {}, {}).base_image == "python@sha256:1"
