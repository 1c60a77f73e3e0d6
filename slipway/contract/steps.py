"""Steps of the traffic, as stack files write them: a share, or a share that waits for a person."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator


class StepSettings(BaseModel):
    """`50`, or `{percent: 50, approval: true}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: Annotated[int, Field(ge=0, le=100)]
    """The candidate's share of the live traffic."""
    approval: bool = False
    """Traffic moves to this step once a person has said so: `slipway approve`."""

    @model_validator(mode="before")
    @classmethod
    def _from_share(cls, value: Any) -> Any:
        return cast("Any", value) if isinstance(value, (dict, StepSettings)) else {"percent": value}

    @model_serializer
    def _as_written(self) -> int | dict[str, Any]:
        return {"percent": self.percent, "approval": True} if self.approval else self.percent

    def __str__(self) -> str:
        """As messages show it."""
        return f"{self.percent} (approval)" if self.approval else str(self.percent)


def shares(*percents: int) -> tuple[StepSettings, ...]:
    """Steps that wait for nobody."""
    return tuple(StepSettings(percent=percent) for percent in percents)
