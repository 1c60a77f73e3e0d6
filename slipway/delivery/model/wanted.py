"""The wanted state of one service in one environment: the document that the Pulumi program and the rollout both obey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter

from slipway.contract.colour_settings import ColourSettings
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.release import Login


@dataclass(frozen=True, kw_only=True)
class ColourRelease:
    """What one colour runs."""

    release: str
    image: str
    version: str
    settings: ColourSettings | None = None
    """What its pods are made from beside the image. None: they follow the stack file, as those that an earlier version released."""
    login: Login = Login.PASSWORD

    def runs(self, release: str, settings: ColourSettings | None) -> bool:
        """Whether it is this release with these settings. What follows the stack file has all settings; None: those are not known."""
        return self.release == release and (self.settings is None or settings is None or self.settings == settings)


@dataclass(frozen=True, kw_only=True)
class Floor:
    """Pods that a colour keeps at least, above what the stack file says."""

    pods: int
    until: datetime | None = None
    """None: while a rollout is under way."""

    def __str__(self) -> str:
        """As people are told of it."""
        return f"{self.pods} until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else str(self.pods)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which colour is live, what each runs, who gets which share. A colour without a release has no Deployment."""

    live: Colour | None
    """None until the first release has reached 100 %."""
    test: Colour
    """Where the test route leads: the colour that is not live."""
    blue: ColourRelease | None
    green: ColourRelease | None
    weights: Weights
    revision: int
    """Counts writes; a write names the revision it read, so that two writers cannot both win."""
    floors: Mapping[Colour, Floor] = field(default_factory=dict[Colour, Floor])
    """A colour that is not in it has what the stack file says."""

    def __post_init__(self) -> None:
        for colour in Colour:
            if self.live is not None and self.weights.of(colour) > 0 and self.colour(colour) is None:
                raise ValueError(f"{colour} would get {self.weights.of(colour)} % of the traffic and run nothing")

    @classmethod
    def initial(cls) -> Wanted:
        """A service that was never released: blue has the (empty) traffic, green is next."""
        return cls(live=None, test=Colour.GREEN, blue=None, green=None, weights=Weights(blue=100, green=0), revision=1)

    @property
    def idle(self) -> Colour:
        """The colour that the next release goes to."""
        return self.live.other if self.live else Colour.GREEN

    def colour(self, colour: Colour) -> ColourRelease | None:
        """What `colour` runs."""
        return self.blue if colour is Colour.BLUE else self.green

    def releases(self) -> Mapping[Colour, ColourRelease]:
        """The colours that run something."""
        return {colour: running for colour in Colour if (running := self.colour(colour))}

    def running(self, colour: Colour, release: ColourRelease | None) -> Wanted:
        """The same state with another release in `colour`. A floor is for what runs there, and goes with it."""
        floors = {
            each: floor for each, floor in self.floors.items() if each is not colour or release == self.colour(colour)
        }
        changed = replace(self, floors=floors)
        return replace(changed, blue=release) if colour is Colour.BLUE else replace(changed, green=release)

    def held(self, until: Mapping[Colour, datetime]) -> Wanted:
        """The same state with an end to its floors."""
        floors = {colour: replace(floor, until=until.get(colour)) for colour, floor in self.floors.items()}
        return replace(self, floors=floors)

    def same_as(self, other: Wanted) -> bool:
        """Equal in everything but the write counter."""
        return replace(self, revision=other.revision) == other


@dataclass(frozen=True, kw_only=True)
class _Document:
    """The ledger's document. Its layout is read by the Pulumi program: a change of it is a change of an interface."""

    live: Colour | None
    test: Colour
    colours: Mapping[Colour, ColourRelease | None]
    weights: Weights
    revision: int
    floors: Mapping[Colour, Floor] = field(default_factory=dict[Colour, Floor])


@cache
def _adapter() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)


def dump_wanted(wanted: Wanted) -> str:
    """The ledger's document."""
    running = {colour: wanted.colour(colour) for colour in Colour}
    document = _Document(
        live=wanted.live,
        test=wanted.test,
        colours=running,
        weights=wanted.weights,
        revision=wanted.revision,
        floors=wanted.floors,
    )
    return _adapter().dump_json(document).decode()


def load_wanted(document: str) -> Wanted:
    """The reverse of `dump_wanted`; raises ValueError on anything else."""
    raw = _adapter().validate_json(document)
    blue, green = (raw.colours.get(colour) for colour in Colour)
    return Wanted(
        live=raw.live,
        test=raw.test,
        blue=blue,
        green=green,
        weights=raw.weights,
        revision=raw.revision,
        floors=raw.floors,
    )
