"""A fault plan: what goes wrong, for which calls, how often and how long. Pure, but for reading the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from slipway.documents import read_yaml
from slipway.errors import UsageError

FAULTS_VARIABLE = "SLIPWAY_SANDBOX_FAULTS"
"""A file or the name of a plan, which `slipway sandbox up` switches on."""
PLANS = Path(__file__).parent / "plans"
LONGEST_SECONDS = 86_400
ANY = "*"
SLOW_SERVICES = ("dynamodb", "ec2", "elbv2", "route53", "secretsmanager")
"""Whose writes can be seen late. Of others the state is read outside of calls as well: queues, sessions, policies, real things."""


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid", allow_inf_nan=False
    )


class _Fault(_Part):
    after_seconds: float = Field(default=0, ge=0)
    """It begins this long after the plan."""
    for_seconds: float | None = Field(default=None, gt=0)
    """It lasts this long. None: until the plan ends."""

    def is_on(self, seconds: float) -> bool:
        """Whether it is on so long after the plan began."""
        return self.after_seconds <= seconds < self.after_seconds + (self.for_seconds or LONGEST_SECONDS)


class _CallFault(_Fault):
    service: str
    """As boto3 names it: `elbv2`. `*`: all of them."""
    operations: tuple[str, ...] = Field(default=(ANY,), min_length=1)
    """Names, `*` for any part: `ModifyListener`, `Describe*`."""
    percent: float = Field(default=100, gt=0, le=100)
    """Of the calls that fit."""
    times: int | None = Field(default=None, ge=1)
    """At most so many calls. None: as many as there are."""

    @model_validator(mode="after")
    def _check_names(self) -> _CallFault:
        if self.service == ANY:
            return self
        known = operations_of(self.service)
        for pattern in self.operations:
            if not any(fnmatchcase(name, pattern) for name in known):
                raise ValueError(f"{self.service} has no operation {pattern}{_similar(pattern, known)}")
        return self

    def fits(self, service: str, operation: str) -> bool:
        """Whether it is for this call."""
        return self.service in (ANY, service) and any(fnmatchcase(operation, each) for each in self.operations)


class Throttling(_CallFault):
    """Calls are refused as AWS throttles, in the words of their service."""

    kind: Literal["throttling"]


class LostAnswers(_CallFault):
    """Calls take effect, and the connection is closed without an answer."""

    kind: Literal["lost-answers"]


class SlowWrites(_CallFault):
    """Writes are answered as done, and reads and load balancers see them later."""

    kind: Literal["slow-writes"]
    seen_after_seconds: float = Field(gt=0, le=600)

    @model_validator(mode="after")
    def _check_service(self) -> SlowWrites:
        if self.service not in SLOW_SERVICES:
            raise ValueError(f"slow-writes is for one of {', '.join(SLOW_SERVICES)}")
        return self


class ExpiredCredentials(_Fault):
    """The sessions of roles that there are when it begins have expired. Sessions that are made later work."""

    kind: Literal["expired-credentials"]


class ZoneOutage(_Fault):
    """Pods on nodes of an availability zone, and its databases with no standby in another, are out of reach."""

    kind: Literal["zone-outage"]
    zone: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d+[a-z]$")


AnyFault = Annotated[
    Throttling | LostAnswers | SlowWrites | ExpiredCredentials | ZoneOutage, Field(discriminator="kind")
]


class FaultPlan(_Part):
    """Faults, until the plan ends by itself."""

    seed: int = 1
    """Decides which calls a fault with `percent` meets: the same calls in the same order meet the same faults."""
    seconds: float = Field(default=600, gt=0, le=LONGEST_SECONDS)
    faults: tuple[AnyFault, ...] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _check_begins(self) -> FaultPlan:
        for fault in self.faults:
            if fault.after_seconds >= self.seconds:
                raise ValueError(
                    f"a fault begins after {fault.after_seconds:g} s, and the plan ends at {self.seconds:g} s"
                )
        return self

    def to_document(self) -> dict[str, Any]:
        """As it would be written in a file, without defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def plan_names() -> list[str]:
    """Of the plans that come with the sandbox."""
    return sorted(path.stem for path in PLANS.glob("*.yaml"))


def find_plan(wanted: str) -> FaultPlan:
    """The plan of this name or in this file. Raises UsageError with all that is wrong with it."""
    file = PLANS / f"{wanted}.yaml" if wanted in plan_names() else Path(wanted)
    if not file.is_file():
        raise UsageError(
            f"{wanted!r} is neither a fault plan's name nor a file",
            remedy=f"name a file, or one of: {', '.join(plan_names())}",
        )
    return parse_plan(read_yaml(file), where=str(file))


def parse_plan(document: object, *, where: str) -> FaultPlan:
    """Raises UsageError with all that is wrong."""
    try:
        return FaultPlan.model_validate(document)
    except ValidationError as error:
        raise UsageError("; ".join(_describe(error)), where=where) from error


def _describe(error: ValidationError) -> Iterator[str]:
    for each in error.errors():
        if each["type"] == "too_short" and each["input"]:
            continue  # pydantic counts the items that are right: what is wrong with the others is said already
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"]).lstrip(".")
        text = each["msg"].removeprefix("Value error, ")
        shown = f", not {each['input']!r}" if isinstance(each["input"], str | float) else ""
        yield f"{key or 'plan'}: {text}{shown}"


@cache
def operations_of(service: str) -> frozenset[str]:
    """The names of a service's operations, as botocore knows them. Raises ValueError for a service that it does not know."""
    loader: Any = Loader()
    try:
        return frozenset(loader.load_service_model(service, "service-2")["operations"])
    except (UnknownServiceError, OSError, ValueError) as error:
        known: list[str] = loader.list_available_services("service-2")
        raise ValueError(f"AWS has no service {service!r}{_similar(service, known)}") from error


def _similar(text: str, known: Sequence[str] | frozenset[str]) -> str:
    found = difflib.get_close_matches(text, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""
