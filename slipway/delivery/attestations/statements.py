"""The two statements: SLSA provenance v1 and a CycloneDX bill of materials, both about one image digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from slipway.delivery.model.fitness import digest_of
from slipway.delivery.model.provenance import Build, Provenance
from slipway.delivery.model.release import DIRTY

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
SBOM_TYPE = "https://cyclonedx.org/bom"
BUILD_TYPE = "urn:slipway:image-build:v1"
GIT_PREFIX = "git+"
BRANCH_PREFIX = "refs/heads/"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Resource(_Part):
    """in-toto's ResourceDescriptor, as far as it is used."""

    name: str | None = None
    uri: str | None = None
    digest: Mapping[str, str] | None = None
    annotations: Mapping[str, Any] | None = None


class Statement(_Part):
    """in-toto's Statement v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(default=STATEMENT_TYPE, alias="_type")
    subject: Annotated[tuple[Resource, ...], Field(min_length=1)]
    predicate_type: str
    predicate: Mapping[str, Any]

    def names(self, digest: str) -> bool:
        """Whether it is about this digest (`sha256:…`), and about nothing else."""
        algorithm, _, value = digest.partition(":")
        return all((each.digest or {}).get(algorithm) == value for each in self.subject)


class _BuildDefinition(_Part):
    build_type: str
    external_parameters: Mapping[str, Any]
    resolved_dependencies: tuple[Resource, ...] = ()


class _Builder(_Part):
    id: str


class _Metadata(_Part):
    invocation_id: str | None = None
    finished_on: AwareDatetime


class _RunDetails(_Part):
    builder: _Builder
    metadata: _Metadata


class _Slsa(_Part):
    build_definition: _BuildDefinition
    run_details: _RunDetails


def state_provenance(image: str, build: Build, now: datetime) -> Statement:
    """How `image` was built."""
    commit = build.commit.removesuffix(DIRTY)
    source = Resource(
        name="source",
        uri=f"{GIT_PREFIX}{build.repository}@{BRANCH_PREFIX}{build.branch}" if build.branch else None,
        digest={"gitCommit": commit},
        annotations={"repository": build.repository, "branch": build.branch, "dirty": build.commit != commit},
    )
    base_name, _, base_digest = build.base_image.partition("@sha256:")
    base = Resource(
        name="base image", uri=f"docker://{base_name}", digest={"sha256": base_digest} if base_digest else None
    )
    files = [Resource(name=path, digest={"sha256": value}) for path, value in sorted(build.files.items())]
    slsa = _Slsa(
        build_definition=_BuildDefinition(
            build_type=BUILD_TYPE,
            external_parameters=dict(build.parameters),
            resolved_dependencies=(source, *([base] if base_name else []), *files),
        ),
        run_details=_RunDetails(
            builder=_Builder(id=build.builder),
            metadata=_Metadata(invocation_id=build.invocation or None, finished_on=now),
        ),
    )
    return _about(image, PROVENANCE_TYPE, slsa.model_dump(mode="json", by_alias=True, exclude_none=True))


def state_contents(image: str, bill: Mapping[str, Any]) -> Statement:
    """What is in `image`: a CycloneDX document."""
    return _about(image, SBOM_TYPE, bill)


def read_provenance(statement: Statement) -> Provenance:
    """The reverse of `state_provenance`; ValueError when it is not of our build type or lacks its source."""
    slsa = _Slsa.model_validate(statement.predicate)
    sources: Sequence[Resource] = [
        each for each in slsa.build_definition.resolved_dependencies if each.name == "source"
    ]
    if slsa.build_definition.build_type != BUILD_TYPE or len(sources) != 1:
        raise ValueError("is of another build type, or does not name its source")
    facts = sources[0].annotations or {}
    return Provenance(
        repository=str(facts.get("repository", "")),
        branch=str(facts.get("branch", "")),
        commit=(sources[0].digest or {}).get("gitCommit", "") + (DIRTY if facts.get("dirty") else ""),
        builder=slsa.run_details.builder.id,
        built_at=slsa.run_details.metadata.finished_on,
    )


def dump_statement(statement: Statement) -> bytes:
    """The statement as it is signed."""
    return statement.model_dump_json(by_alias=True, exclude_none=True).encode()


def _about(image: str, predicate_type: str, predicate: Mapping[str, Any]) -> Statement:
    algorithm, _, value = digest_of(image).partition(":")
    subject = Resource(name=image.partition("@")[0], digest={algorithm: value})
    return Statement(subject=(subject,), predicate_type=predicate_type, predicate=predicate)
