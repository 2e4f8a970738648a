"""chrF (Popović 2015) of each answer by sacrebleu: shared character n-grams, spaces left out; needs no model.

The usual setting: n = 1..6, recall counted twice (beta 2), precision and recall averaged over the n that both have.
The figure is the mean over answers, not chrF of the whole corpus.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.core.letters import tidy
from dadeum.evaluation.asked import Asked

if TYPE_CHECKING:
    from sacrebleu.metrics.chrf import CHRF

TASKS = ("chat",)
BETTER = "higher"


def per_row(asked: Asked) -> np.ndarray:
    """0..1; 0 for an empty answer, NaN without a reference."""
    return np.array([chrf(said, answer_of(row)) for said, row in zip(asked.answers, asked.rows, strict=True)])


def chrf(answer: str, reference: str) -> float:
    """By hand: "가나" against "가다": 1-grams P = R = 1/2, 2-grams 0, both averaged 1/4, so F = 0.25."""
    wanted = tidy(reference)
    return float(_scorer().sentence_score(tidy(answer), [wanted]).score) / 100 if wanted else float("nan")


@cache
def _scorer() -> CHRF:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
