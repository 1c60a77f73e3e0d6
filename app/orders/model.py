"""What an order is."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class NewOrder(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    item: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")  # PostgreSQL stores any character but this
    quantity: int = Field(gt=0, le=10_000)


class Order(NewOrder):
    """What a client gets back."""

    id: int
    created_at: datetime
