"""What is to run and how traffic is divided, as the ledger says: the program never decides either."""

import json
from datetime import datetime
from typing import Annotated, Literal

import pulumi
import pulumi_aws as aws
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from components import ColourRelease
from components.pod_template import http_port
from slipway.contract.colour_settings import ColourSettings

Colour = Literal["blue", "green"]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WantedRelease(_Document):
    """The release of one colour."""

    release: str
    version: str
    image: str
    settings: ColourSettings | None = None
    """What it was released with; None: it was released by an earlier version, and follows the stack file."""
    login: Literal["password", "tokens"] = "password"
    """How its image logs in to the database; releases of before November 2026 know the password only."""


class WantedFloor(_Document):
    """Pods that one colour keeps at least."""

    pods: Annotated[int, Field(ge=1)]
    until: AwareDatetime | None = None
    """None: while a rollout is under way."""


class Wanted(_Document):
    """The ledger's document of one service in one environment."""

    live: Colour | None
    test: Colour
    colours: dict[Colour, WantedRelease | None]
    weights: dict[Colour, Annotated[int, Field(ge=0, le=100)]]
    floors: dict[Colour, WantedFloor] = {}

    def releases(self) -> dict[str, ColourRelease | None]:
        """What each colour runs, as the service component takes it."""
        return {
            colour: ColourRelease(
                release=wanted.release,
                version=wanted.version,
                image=wanted.image,
                template=wanted.settings.template if wanted.settings else None,
                secrets=wanted.settings.secrets if wanted.settings else None,
                login=wanted.login,
            )
            if (wanted := self.colours.get(colour))
            else None
            for colour in ("blue", "green")
        }

    def settings(self) -> dict[str, ColourSettings]:
        """What each colour was released with, where that is known."""
        return {colour: each.settings for colour, each in self.colours.items() if each and each.settings}

    def ports(self) -> list[int]:
        """Where the pods of these colours listen."""
        return sorted({http_port(json.loads(each.template)) for each in self.settings().values()})

    def floors_at(self, now: datetime) -> dict[str, int]:
        """Pods that colours keep, as the service component takes them; those whose time is over are left out."""
        return {colour: floor.pods for colour, floor in self.floors.items() if floor.until is None or now < floor.until}


class LedgerError(pulumi.RunError):
    """The ledger cannot be read. Shown without a traceback."""


def load_wanted(*, table: str, environment: str, service: str, opts: pulumi.InvokeOptions) -> Wanted:
    """Read the wanted state; raises LedgerError saying how to make it when it is not there."""
    key = f'{{"pk": {{"S": "{environment}#{service}"}}, "sk": {{"S": "wanted"}}}}'
    try:
        item = aws.dynamodb.get_table_item(table_name=table, key=key, opts=opts).item
        text = json.loads(item)["document"]["S"]
        return Wanted.model_validate_json(text)
    except ValidationError as error:
        raise LedgerError(f"table {table}, item {environment}#{service}: {error}") from error
    except (KeyError, ValueError) as error:
        raise LedgerError(f"table {table}, item {environment}#{service}: not written by slipway: {error}") from error
    except Exception as error:
        raise LedgerError(
            f"table {table}, item {environment}#{service}: {error}; where it was never made, run "
            f"`slipway bootstrap {environment}` once, and look at slipway:ledgerTable in Pulumi.{environment}.yaml"
        ) from error
