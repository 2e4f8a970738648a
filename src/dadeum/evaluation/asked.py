"""What a metric of free answers gets to see; one file in `metrics/` per figure.

A metric module says TASKS (the tasks it suits), BETTER (`higher`, `lower` or `neither`) and
`per_row(asked) -> array`, shape (rows,), NaN where a row cannot be judged. One that gives several figures says FIGURES
(name → better) instead and returns {name: array}. A figure of the whole corpus returns counts, shape (rows, counts),
and says in COMBINE how their sums make it. Of grounded answers a metric sees those that are to be answered, without
their citations; one that says GROUNDED sees them all, as they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe
from dadeum.documents.chunks import Chunk

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
    chunks: Mapping[str, Chunk] = field(default_factory=dict)
    """The chunks that prompts show, by id; empty but for grounded answers."""
