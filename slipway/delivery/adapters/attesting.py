"""Attestations beside their image: made, signed and stored where it was built, found and weighed where it is going to run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.adapters.image_records import read_records
from slipway.delivery.adapters.registry import Repository, ecr_access
from slipway.delivery.attestations.bill_of_materials import describe
from slipway.delivery.attestations.envelopes import seal, weigh
from slipway.delivery.attestations.licences import licences_of
from slipway.delivery.attestations.statements import PROVENANCE_TYPE, SBOM_TYPE, state_contents, state_provenance
from slipway.delivery.model.fitness import digest_of
from slipway.delivery.model.provenance import Build, Evidence, repository_url
from slipway.errors import OperationError, SlipwayError

ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
PREDICATE = "in-toto.io/predicate-type"
REVISION = "org.opencontainers.image.revision"
MOST_ENVELOPES = 32


class RegistryAttestations:
    """Implements `ports.Attestations` on the registry that holds the image."""

    def __init__(self, region: str, build: Callable[[], Build], now: Callable[[], datetime]) -> None:
        """`build`: what the checkout says of a build."""
        self._region = region
        self._build = build
        self._now = now

    def attest(self, image: str, commit: str, demands: SupplyChain) -> Sequence[str]:
        """See `Attestations.attest`."""
        from slipway.delivery.adapters.signing import KmsSigner, load_public_key  # noqa: PLC0415 - 0.1 s

        build, digest = replace(self._build(), commit=commit), digest_of(image)
        signer = KmsSigner(demands, load_public_key(demands, self._region), self._region)
        with self._repository(image) as repository:
            envelopes = self._envelopes(repository, digest, build.commit)
            known = weigh(envelopes, signer.public_key, digest, demands, build.repository)
            subject = repository.manifest(digest)
            if subject is None:
                raise OperationError(f"the registry has no image {image}")
            licences = known.licences
            if licences is None:
                name = image.partition("@")[0]
                contents = state_contents(image, describe(name, digest, read_records(repository, digest)))
                repository.attach(subject[1], seal(contents, signer), ENVELOPE_TYPE, {PREDICATE: SBOM_TYPE})
                licences = licences_of(contents)
            same = [
                each for each in known.provenance if (each.repository, each.branch) == (build.repository, build.branch)
            ]
            if not any(each.commit == build.commit for each in same):
                annotations = {PREDICATE: PROVENANCE_TYPE, REVISION: build.commit}
                provenance = seal(state_provenance(image, build, self._now()), signer)
                repository.attach(subject[1], provenance, ENVELOPE_TYPE, annotations)
        return [package for package, text in licences.items() if not text and package.startswith("pkg:pypi/")]

    def evidence(self, image: str, commit: str, demands: SupplyChain) -> Evidence:
        """See `Attestations.evidence`."""
        from slipway.delivery.adapters.signing import load_public_key  # noqa: PLC0415 - see above

        expected = repository_url(demands.repository) or self._build().repository
        try:
            key = load_public_key(demands, self._region)
            with self._repository(image) as repository:
                envelopes = self._envelopes(repository, digest_of(image), commit)
        except SlipwayError as error:
            return Evidence(demands=demands, repository=expected, unreachable=error.what)
        return weigh(envelopes, key, digest_of(image), demands, expected)

    @contextmanager
    def _repository(self, image: str) -> Generator[Repository]:
        host, _, path = image.partition("@")[0].partition("/")
        repository = Repository(ecr_access(host, self._region), path)
        try:
            yield repository
        finally:
            repository.close()

    def _envelopes(self, repository: Repository, digest: str, commit: str) -> list[bytes]:
        """Those about the commit, or about none. What an annotation says only chooses; what counts is signed."""
        found: list[bytes] = []
        for descriptor in repository.referrers(digest):
            revision = (descriptor.annotations or {}).get(REVISION, commit)
            if descriptor.artifact_type == ENVELOPE_TYPE and revision == commit and len(found) < MOST_ENVELOPES:
                artifact = repository.manifest(descriptor.digest)
                if artifact and artifact[0].layers:
                    found.append(repository.blob(artifact[0].layers[0]))
        return found
