"""What a metric of free answers gets to see; one file in `metrics/` per figure.

A metric module says TASKS (the tasks it suits), BETTER (`higher`, `lower` or `neither`) and
`per_row(asked) -> array`, shape (rows,), NaN where a row cannot be judged. One that gives several figures says FIGURES
(name → better) instead and returns {name: array}. A figure of the whole corpus returns counts, shape (rows, counts),
and says in COMBINE how their sums make it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe

Combine = Callable[[np.ndarray], np.ndarray]
"""Sums of counts over rows, shape (draws, counts) → the figure of each draw, shape (draws,)."""


@dataclass(frozen=True)
class Asked:
    """One system's answers to the test rows."""

    recipe: Recipe
    rows: list[Example]
    """Test rows that were answered, in file order; `answer_of(row)` is the reference."""
    answers: list[str]
    """In the order of `rows`."""
    train: list[Example]
    """What was taught, for what answers are expected to look like."""
