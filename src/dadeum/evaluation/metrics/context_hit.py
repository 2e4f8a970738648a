"""Found: share of the questions that the documents answer whose right chunk is among the chunks shown.

The same for every system, since all are shown the same. What is not found cannot be answered.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.tasks import answer

TASKS = ("answer",)
BETTER = "higher"
GROUNDED = True
_VALUES = {"answerable": 1.0, "missed": 0.0, "unanswerable": float("nan")}


def per_row(asked: Asked) -> np.ndarray:
    """1 or 0; NaN where the chunk was kept back, or no document answers."""
    if not isinstance(asked.recipe.task, Answer):
        return np.full(len(asked.rows), np.nan)
    return np.array([_VALUES[answer.kind(row)] for row in asked.rows])
