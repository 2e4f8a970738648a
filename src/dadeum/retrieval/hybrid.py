"""Reciprocal rank fusion (Cormack, Clarke & Büttcher 2009): several rankings become one without comparing scores.

A chunk gets Σ weight / (60 + rank) over the rankings that hold it, ranks from 1. BM25 scores and cosines have no
common scale; ranks have.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from dadeum.core.errors import DataError
from dadeum.retrieval.ranking import NOTHING, Ranking, best

K = 60
DEPTH = 100
"""How far down each ranking is read: what stands deeper adds less than 1/160."""

WEIGHTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Tried by `best_weight`. Small ones matter: ranks 1 and 2 differ by 1/61 - 1/62 = 0.00026 only."""


def fused(rankings: Sequence[Ranking], k: int, weights: Sequence[float] | None = None, smoothing: int = K) -> Ranking:
    """The k best of all rankings together; one weight per ranking (default 1 each).

    By hand, smoothing 60: ranks 1 and 3 give 1/61 + 1/63 = 0.03227.
    """
    weights = [1.0] * len(rankings) if weights is None else weights
    if len(weights) != len(rankings) or any(weight < 0 for weight in weights) or not any(weights):
        raise DataError("retrieval.weights", num=len(rankings), found=list(weights))
    positions = np.hstack([ranking.positions for ranking in rankings])
    given = np.hstack([_given(ranking, weight, smoothing) for ranking, weight in zip(rankings, weights, strict=True)])
    order = np.argsort(positions, axis=1, kind="stable")
    positions = np.take_along_axis(positions, order, axis=1)
    return best(positions, _summed(positions, np.take_along_axis(given, order, axis=1)), k)


def best_weight(words: Ranking, meaning: Ranking, gold: Sequence[Collection[int]]) -> float:
    """The weight of meaning beside words 1 with the best MRR@10; the smaller one among equals, 0 where it never helps.

    Choose it on validation questions: a model that does not know the language drags BM25 down at any other weight.
    """
    wanted = [np.array(sorted(each), dtype=np.int64) for each in gold]

    def mrr(weight: float) -> float:
        found = fused([words, meaning], 10, [1.0, weight]).positions
        ranks = [np.flatnonzero(np.isin(row, each)) for row, each in zip(found, wanted, strict=True)]
        return round(sum(1 / (1 + int(rank[0])) for rank in ranks if len(rank)) / max(len(ranks), 1), 9)

    return max(WEIGHTS, key=lambda weight: (mrr(weight), -weight))


def _given(ranking: Ranking, weight: float, smoothing: int) -> np.ndarray:
    ranks = np.arange(1, ranking.positions.shape[1] + 1)
    return np.where(ranking.positions == NOTHING, 0.0, weight / (smoothing + ranks))


def _summed(positions: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Sum over equal positions (which are neighbours), at the first of them; -inf at the others."""
    if not positions.size:
        return given
    is_first = np.ones(positions.shape, dtype=bool)
    is_first[:, 1:] = positions[:, 1:] != positions[:, :-1]
    sums = np.add.reduceat(given.reshape(-1), np.flatnonzero(is_first))
    scores = np.full(positions.shape, -np.inf)
    scores[is_first] = sums
    # What only a ranking of weight 0 found is nobody's result.
    return np.where((positions == NOTHING) | (scores == 0), -np.inf, scores)
