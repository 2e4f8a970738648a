"""What every stored figure is made of: a value with its interval, and sentences about what limits it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Measured(Part):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Notice(Part):
    """Something that limits what the figures mean; the sentence is the message `key`, filled from `values`."""

    key: str
    values: dict[str, str | int | float] = {}
