"""What `dadeum tune` may change of a recipe, what it looks at, and how much time it gets."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dadeum.core.section import Section

Scalar = bool | int | float | str | None


class Range(Section):
    """Numbers from `low` to `high`, both included; whole ones where both are whole."""

    low: float | int
    """Smallest value."""
    high: float | int
    """Largest value."""
    log: bool = False
    """Draw evenly by order of magnitude: 1e-5 to 1e-4 as often as 1e-4 to 1e-3. Right for learning rates."""
    step: Annotated[float | int, Field(gt=0)] | None = None
    """Only low, low + step, low + 2 steps, ...; None: any number (any whole number)."""
    also: dict[str, float | int] = Field(default_factory=dict)
    """Other keys that get this value times a factor, such as model.adapter.alpha: 2 beside model.adapter.r."""

    @property
    def is_whole(self) -> bool:
        """Whether values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)

    @property
    def num_values(self) -> float:
        """How many values there are; infinite for real numbers without a step."""
        if self.low == self.high:
            return 1
        if self.step is None and not self.is_whole:
            return math.inf
        return math.floor((self.high - self.low) / (self.step or 1) + 1e-9) + 1

    @model_validator(mode="after")
    def _from_low_to_high(self) -> Self:
        if self.low > self.high:
            raise PydanticCustomError("range_upside_down", "low is above high")
        if self.log and self.low <= 0:
            raise PydanticCustomError("log_of_nothing", "log needs low above 0")
        if self.log and self.step is not None:
            raise PydanticCustomError("log_with_step", "log and step exclude each other")
        return self


class Tune(Section):
    """A search for better settings (docs/guide/tuning.md)."""

    space: Annotated[dict[str, Range | Annotated[tuple[Scalar, ...], Field(min_length=1)]], Field(min_length=1)]
    """Key of this recipe, such as stages.sft.learning_rate: a range, or a list of values to choose from."""
    objectives: tuple[str, ...] = ()
    """Figures to improve, always on validation rows: those of gates, eval_loss, peak_memory_mb, train_seconds.

    Several: settings of which none is better in all (Pareto front); the first decides which is taken.
    None: the task's own.
    """
    trials: Annotated[int, Field(ge=1)] = 20
    """Settings to try, the recipe's own among them; stopped and failed ones count."""
    timeout_minutes: Annotated[float, Field(gt=0)] | None = None
    """No trial goes on after so long; training the winner and testing it come on top."""
    pruner: Literal["halving", "hyperband", "median", "none"] = "halving"
    """Which trials are stopped early by their validation loss, looked at as often as the stage does (eval_steps)."""
    repeat: Annotated[int, Field(ge=1)] = 1
    """Runs of each of the best settings, each with a seed of its own; 1 cannot tell a gain from luck."""
    top: Annotated[int, Field(ge=1)] = 3
    """How many settings are repeated; the recipe's own is repeated too."""

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        if len(set(self.objectives)) != len(self.objectives):
            raise PydanticCustomError("objectives_differ", "an objective stands there twice")
        return self
