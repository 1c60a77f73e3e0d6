"""The two colours of a service and the share of traffic each one carries."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """One of the two sides of a service; which one is live changes with every release."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Colour:
        """The opposite side."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Percent of the live listener's traffic per colour. Anything that does not sum to 100 cannot be constructed."""

    blue: int
    green: int

    def __post_init__(self) -> None:
        if self.blue < 0 or self.green < 0 or self.blue + self.green != 100:
            raise ValueError(
                f"weights must be two percentages that sum to 100, got blue {self.blue} and green {self.green}"
            )

    def of(self, colour: Colour) -> int:
        """The share of one colour, in percent."""
        return self.blue if colour is Colour.BLUE else self.green

    @classmethod
    def towards(cls, colour: Colour, percent: int) -> Weights:
        """`percent` for `colour`, the rest for the other one."""
        rest = 100 - percent
        return cls(blue=percent, green=rest) if colour is Colour.BLUE else cls(blue=rest, green=percent)

    def __str__(self) -> str:
        return f"blue {self.blue} %, green {self.green} %"
