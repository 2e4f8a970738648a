"""What a run that goes on from given weights has to tell besides its figures: did it heal, and what did it cost?

Also of any run that asked for it: how answers begin, and what is known beside the data. `AnswerScores` holds all
three; files of older versions have none of them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dadeum.core.measured import Notice, Part
from dadeum.evaluation.ability.result import Answered, Change
from dadeum.starts.result import Starts

Cost = Literal["no_worse", "worse", "undecided"]
"""`no_worse` only where the interval leaves out a loss beyond the tolerance; `undecided` where it may be either."""


class Held(Part):
    """One figure of the tuned model held against the given weights."""

    metric: str
    before: float
    tuned: float
    value: float
    """tuned − before, paired."""
    low: float
    high: float
    tolerance: float
    """A loss up to so much counts as none; in the figure's own unit."""
    num_rows: int
    outcome: Cost


class Regression(Part):
    """General ability, on test rows that were not made for the repair."""

    verdict: Cost | Literal["not_measured"]
    """`not_measured` where every test row was made for the repair, and no other question was asked."""
    num_rows: int
    left_out: dict[str, int] = Field(default_factory=dict)
    """Source of rows made for the repair → test rows of it."""
    figures: list[Held]
    by_source: dict[str, list[Held]] = Field(default_factory=dict)
    """Each source of these rows alone, where there are several."""


class StartScores(Part):
    """Examinations of the same prompts by the same limits."""

    tuned: Starts
    before: Starts | None = None
    """The weights that training went on from."""
    base: Starts | None = None
    """The untuned model."""
    num_own: int
    """Prompts of the file or of the test rows."""
    num_shipped: int = 0
    """Prompts of dadeum that were added to them."""
    from_file: str = ""
    """The file, where the recipe names one."""
    notices: list[Notice] = Field(default_factory=list)
    """How the prompts came about."""


class AbilityScores(Part):
    """Questions of four choices that have nothing to do with the data."""

    systems: dict[str, Answered]
    """tuned, before, base_model."""
    differences: dict[str, Change] = Field(default_factory=dict)
    """tuned − that system, on the same questions."""
