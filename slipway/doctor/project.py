"""What the stack files say that an account can be asked about. The program checks everything else of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from slipway.contract.domain import zone_of
from slipway.contract.supply_chain import SupplyChain
from slipway.delivery.model.faults import describe_faults
from slipway.documents import list_environments, read_stack_config
from slipway.errors import SlipwayError, UsageError


class _Block(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Network(_Block):
    """`slipway:network`"""

    cidr: IPv4Network
    zones: int | list[str] = 2
    nat_gateways: Literal["none", "single", "per-zone"] = "single"

    @property
    def zone_count(self) -> int:
        """How many zones are used."""
        return self.zones if isinstance(self.zones, int) else len(self.zones)

    @property
    def address_count(self) -> int:
        """Elastic addresses: each NAT gateway has one."""
        return {"none": 0, "single": 1, "per-zone": self.zone_count}[self.nat_gateways]


class Nodes(_Block):
    """`slipway:cluster.nodes`"""

    instance_type: str = "t3.medium"
    desired: int = 1
    maximum: int = 3
    disk_gib: int = 20


class Cluster(_Block):
    """`slipway:cluster`"""

    version: str
    compute: Literal["auto", "nodeGroup"] = "nodeGroup"
    nodes: Nodes = Nodes()

    @property
    def in_auto_mode(self) -> bool:
        """Whether EKS chooses the nodes, by the pods."""
        return self.compute == "auto"


class Database(_Block):
    """`slipway:database`"""

    instance_class: str = "db.t4g.small"
    storage_gib: int = 20
    multi_az: bool = False
    protect: bool = False


class Service(_Block):
    """`slipway:service`"""

    name: str = Field(pattern=r"^[a-z][-a-z0-9]*$")
    domain: str | None = None
    hosted_zone: str | None = None

    @property
    def zone(self) -> str:
        """Name of the hosted zone that gets the domain's records; empty for none."""
        return zone_of(self.domain, self.hosted_zone)


class Image(_Block):
    """`slipway:image`"""

    context: str = ""
    registry_account_id: str | None = None


class LoadBalancer(_Block):
    """`slipway:loadBalancer`"""

    certificate_arn: str | None = None
    internal: bool = False
    protect: bool = False


class Monitoring(_Block):
    """`slipway:monitoring`"""

    alarms: bool = False


class AccountFacts(BaseModel):
    """What a stack file says of its account, and of what is to be kept safe there."""

    model_config = ConfigDict(frozen=True)

    account_id: str = Field(alias="slipway:accountId", pattern=r"^\d{12}$")
    database: Database = Field(default=Database(), alias="slipway:database")
    image: Image = Field(default=Image(), alias="slipway:image")
    load_balancer: LoadBalancer = Field(default=LoadBalancer(), alias="slipway:loadBalancer")

    @property
    def builds(self) -> bool:
        """Whether images are built here, by CI after each change."""
        return bool(self.image.context)

    @property
    def is_protected(self) -> bool:
        """Whether nothing may delete what it has."""
        return self.database.protect or self.load_balancer.protect


class StackFacts(AccountFacts):
    """One stack file."""

    region: str = Field(alias="aws:region", pattern="^[a-z]{2,9}(-[a-z0-9]{1,20}){1,4}$")
    ledger_table: str = Field(default="slipway-ledger", alias="slipway:ledgerTable")
    network: Network = Field(alias="slipway:network")
    cluster: Cluster = Field(alias="slipway:cluster")
    service: Service = Field(alias="slipway:service")
    monitoring: Monitoring = Field(default=Monitoring(), alias="slipway:monitoring")
    supply_chain: SupplyChain = Field(default=SupplyChain(), alias="slipway:supplyChain")


@dataclass(frozen=True, kw_only=True)
class Project:
    """The environment in question, and what the other stack files say of their networks and accounts."""

    environment: str
    facts: StackFacts
    neighbours: Mapping[str, IPv4Network] = field(default_factory=dict[str, IPv4Network])
    """Address ranges of the other environments, by name."""
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other environments whose range is not known, with the reason."""
    others: Mapping[str, AccountFacts] = field(default_factory=dict[str, AccountFacts])
    """The other environments whose stack files say this."""
    state_bucket: str = ""
    """Where Pulumi keeps its state, if that is S3."""

    @property
    def name(self) -> str:
        """What the names of the environment's resources begin with."""
        return f"{self.facts.service.name}-{self.environment}"

    def owns(self, tags: list[dict[str, str]] | None) -> bool:
        """Whether a resource with these tags is the environment's own, made by an earlier `up`."""
        found = {tag["Key"]: tag["Value"] for tag in tags or ()}
        return (found.get("environment"), found.get("service"), found.get("managed-by")) == (
            self.environment,
            self.facts.service.name,
            "slipway",
        )


def read_project(folder: Path, environment: str) -> Project:
    """The project in `folder`; UsageError when the environment's own stack file cannot be used."""
    try:
        facts = StackFacts.model_validate(read_stack_config(folder, environment))
    except ValidationError as error:
        raise UsageError(describe_faults(error), where=f"Pulumi.{environment}.yaml") from None
    neighbours: dict[str, IPv4Network] = {}
    unreadable: dict[str, str] = {}
    others: dict[str, AccountFacts] = {}
    for other in list_environments(folder):
        if other == environment:
            continue
        try:
            config = read_stack_config(folder, other)
            with suppress(ValidationError):  # the environment's own examination says what is wrong
                others[other] = AccountFacts.model_validate(config)
            neighbours[other] = Network.model_validate(config.get("slipway:network")).cidr
        except ValidationError as error:
            unreadable[other] = describe_faults(error, "slipway:network.")
        except SlipwayError as error:
            unreadable[other] = error.what
    backend = urlsplit(os.environ.get("PULUMI_BACKEND_URL", ""))
    return Project(
        environment=environment,
        facts=facts,
        neighbours=neighbours,
        unreadable=unreadable,
        others=others,
        state_bucket=backend.netloc if backend.scheme == "s3" else "",
    )
