"""chrF (Popović 2015): shared character n-grams of answer and reference, spaces left out; needs no model.

The usual setting: n = 1..6, recall counted twice (beta 2), precision and recall averaged over the n that both have.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._texts import tidy

TASKS = ("chat",)
BETTER = "higher"

_LONGEST = 6
_BETA = 2


def per_row(asked: Asked) -> np.ndarray:
    """0..1; 0 for an empty answer, NaN without a reference."""
    return np.array([chrf(said, answer_of(row)) for said, row in zip(asked.answers, asked.rows, strict=True)])


def chrf(answer: str, reference: str) -> float:
    """By hand: "가나" against "가다": 1-grams P = R = 1/2, 2-grams 0, both averaged 1/4, so F = 0.25."""
    said, wanted = ("".join(tidy(text).split()) for text in (answer, reference))
    if not wanted:
        return float("nan")
    if not said:
        return 0.0
    precisions, recalls = [], []
    for length in range(1, min(_LONGEST, len(said), len(wanted)) + 1):
        ours, theirs = _ngrams(said, length), _ngrams(wanted, length)
        shared = (ours & theirs).total()
        precisions.append(shared / ours.total())
        recalls.append(shared / theirs.total())
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    if precision + recall == 0:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (_BETA**2 * precision + recall)


def _ngrams(text: str, length: int) -> Counter[str]:
    return Counter(text[start : start + length] for start in range(len(text) - length + 1))
