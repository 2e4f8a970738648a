"""What a metric of free answers gets to see; one file in `metrics/` per figure.

A metric module says TASKS (the tasks it suits), BETTER (`higher`, `lower` or `neither`) and
`per_row(asked) -> array`, shape (rows,), NaN where a row cannot be judged.
"""

from __future__ import annotations

from dataclasses import dataclass

from dadeum.core.examples import Example
from dadeum.core.recipe import Recipe


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
