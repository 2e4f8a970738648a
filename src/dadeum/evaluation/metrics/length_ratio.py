"""How long answers are beside what people wrote: characters of the answer per character of the reference."""

from __future__ import annotations

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.core.letters import tidy
from dadeum.evaluation.asked import Asked

TASKS = ("chat", "summarize", "answer")
BETTER = "neither"


def per_row(asked: Asked) -> np.ndarray:
    """1 is as long as the reference, 0 an empty answer; NaN without a reference."""
    pairs = zip(asked.answers, asked.rows, strict=True)
    return np.array([_ratio(tidy(answer), tidy(answer_of(row))) for answer, row in pairs])


def _ratio(answer: str, reference: str) -> float:
    return len(answer) / len(reference) if reference else float("nan")
