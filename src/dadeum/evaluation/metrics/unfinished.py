"""Unfinished answers: 1 for one that breaks off inside a sentence, 0 for one that ends it.

How an end is told stands in `core/endings.py`. Answers cut at the length limit are counted apart.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.endings import breaks_off
from dadeum.evaluation.asked import Asked

TASKS = ("chat", "summarize", "answer")
BETTER = "lower"


def per_row(asked: Asked) -> np.ndarray:
    """1, 0, or NaN where the end does not tell: an empty answer, a noun."""
    return breaks_off(asked.answers)
