"""What every scores.json holds, whatever the task: figures with intervals, gates, notices.

The rest of the shape belongs to the kind of answer: `decide/scores.py`, `answers/scores.py`.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Measured(Part):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(Part):
    """One bar of the reliability diagram."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


class Gate(Part):
    metric: str
    condition: str
    value: float | None
    """None when these rows cannot give the figure (ROC of a test set of one class); such a gate has not passed."""
    target: float | None
    passed: bool


class Notice(Part):
    """Something that limits what the figures mean; the sentence is the message `key`, filled from `values`."""

    key: str
    values: dict[str, str | int | float] = {}
