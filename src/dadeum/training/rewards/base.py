"""What a reward is: `rate(work, rows, answers)`, one number per answer, higher is better; the file's name is its name.

The recipe weighs several (`rewards: {rouge: 1, length: 0.2}`). Each is logged apart as well: a sum that rises while one
of its parts falls is how a model that plays the reward gives itself away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.errors import RunError
from dadeum.core.examples import Example
from dadeum.core.plugins import find

if TYPE_CHECKING:
    from dadeum.training.work import Work

Parts = dict[str, np.ndarray]


def rated(work: Work, name: str, rows: list[Example], answers: list[str]) -> np.ndarray:
    """Reward `name` of every answer, shape (rows,); RunError where it is not a finite number."""
    values = np.asarray(find("training.rewards", name).rate(work, rows, answers), dtype=float)
    for row, value in zip(rows, values, strict=True):
        if not np.isfinite(value):
            raise RunError("train.reinforcement.not_finite", reward=name, id=row.id, value=value)
    return values


def combined(work: Work, rows: list[Example], answers: list[str]) -> tuple[np.ndarray, Parts]:
    """The weighted sum, and each reward of the recipe without its weight."""
    parts = {name: rated(work, name, rows, answers) for name in work.stage.rewards}
    total = sum((weight * parts[name] for name, weight in work.stage.rewards.items()), np.zeros(len(rows)))
    return total, parts
