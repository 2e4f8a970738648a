"""Two rankings become one: by ranks (reciprocal rank fusion), or by scores that were brought to one scale.

ranks: Σ weight / (60 + rank) (Cormack, Clarke & Büttcher 2009). scores: BM25 and cosine, each from the least that its
formula can give (0, −1) to the best of the question, added (Bruch, Gai & Ingber 2023, TM2C2). Words weigh 1, meaning
`weight`; both are chosen on validation questions, never on test questions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dadeum.core.errors import DataError
from dadeum.retrieval.ranking import NOTHING, Ranking, best

K = 60
DEPTH = 100
"""How far down each ranking is read: what stands deeper adds less than 1/160."""

WEIGHTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Tried by `best_weight`. Small ones matter: ranks 1 and 2 differ by 1/61 - 1/62 = 0.00026 only."""
SCORE_WEIGHTS = (0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Tried for `scores`: cosines of one question often lie between 0.8 and 0.9, a narrow part of their scale."""
_DECIMALS = 9
Method = Literal["ranks", "scores"]


@dataclass(frozen=True)
class Fusion:
    """How words and meaning become one ranking."""

    method: Method
    weight: float
    """Of meaning beside words 1; 0: words alone."""


@dataclass(frozen=True)
class Tried:
    fusion: Fusion
    figure: float
    """Mean of what the judge gave the questions."""


def combined(words: Ranking, meaning: Ranking, k: int, fusion: Fusion) -> Ranking:
    """The k best of both; rankings of BM25 and of cosines, read as deep as they are given."""
    if fusion.method == "ranks":
        return fused([words, meaning], k, [1.0, fusion.weight])
    if fusion.weight < 0:
        raise DataError("retrieval.weights", num=2, found=[1.0, fusion.weight])
    return _added(
        [words, meaning], [_share(words, 0.0), fusion.weight * _share(meaning, -1.0)], [1.0, fusion.weight], k
    )


def best_fusion(
    words: Ranking, meaning: Ranking, judge: Callable[[Ranking], Sequence[float]]
) -> tuple[Fusion, list[Tried]]:
    """What `judge`, a value per validation question, likes best, and all that was tried.

    Meaning has to earn its place: unless the best is above words alone by more than one standard error, it is words
    alone. The best of 22 is a little above by chance even for a model that does not know the language. Among equals
    ranks before scores, then the smaller weight.
    """
    choices = [Fusion("ranks", weight) for weight in WEIGHTS] + [Fusion("scores", weight) for weight in SCORE_WEIGHTS]
    judged = [np.asarray(judge(combined(words, meaning, DEPTH, choice)), dtype=float) for choice in choices]
    tried = [
        Tried(choice, round(float(values.mean()), _DECIMALS)) for choice, values in zip(choices, judged, strict=True)
    ]
    best_of = max(range(len(tried)), key=lambda at: tried[at].figure)
    return choices[best_of if is_above(judged[best_of], judged[0]) else 0], tried


def is_above(values: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> bool:
    """Whether the mean paired difference is larger than its standard error.

    By hand: differences 1, 0, 0, 0 have mean 0.25 and standard error 0.5 / 2 = 0.25: not larger.
    """
    difference = np.asarray(values, dtype=float) - np.asarray(others, dtype=float)
    if len(difference) < 2:
        return False
    return bool(difference.mean() > difference.std(ddof=1) / np.sqrt(len(difference)) + 10**-_DECIMALS)


def fused(rankings: Sequence[Ranking], k: int, weights: Sequence[float] | None = None, smoothing: int = K) -> Ranking:
    """The k best of all rankings together by their ranks; one weight per ranking (default 1 each).

    By hand, smoothing 60: ranks 1 and 3 give 1/61 + 1/63 = 0.03227.
    """
    weights = [1.0] * len(rankings) if weights is None else weights
    if len(weights) != len(rankings) or any(weight < 0 for weight in weights) or not any(weights):
        raise DataError("retrieval.weights", num=len(rankings), found=list(weights))
    given = [
        weight / (smoothing + np.arange(1, ranking.positions.shape[1] + 1)) * np.ones(ranking.positions.shape)
        for ranking, weight in zip(rankings, weights, strict=True)
    ]
    return _added(rankings, given, weights, k)


def best_weight(words: Ranking, meaning: Ranking, gold: Sequence[Collection[int]]) -> float:
    """The weight of meaning beside words 1 with the best MRR@10; the smaller one among equals, 0 where it never helps.

    Choose it on validation questions: a model that does not know the language drags BM25 down at any other weight.
    """
    wanted = [np.array(sorted(each), dtype=np.int64) for each in gold]

    def mrr(weight: float) -> float:
        found = fused([words, meaning], 10, [1.0, weight]).positions
        ranks = [np.flatnonzero(np.isin(row, each)) for row, each in zip(found, wanted, strict=True)]
        return round(sum(1 / (1 + int(rank[0])) for rank in ranks if len(rank)) / max(len(ranks), 1), _DECIMALS)

    return max(WEIGHTS, key=lambda weight: (mrr(weight), -weight))


def _share(ranking: Ranking, least: float) -> np.ndarray:
    """Scores as shares of the question's best, less what a chunk outside this ranking gets at most.

    A row that is not full holds everything above `least`; behind a full one others may follow, as good as its last.
    By hand, BM25 8, 6, 2 of a full row: 1 − 0.25, 0.75 − 0.25, 0.25 − 0.25.
    """
    if not ranking.scores.size:
        return np.zeros(ranking.scores.shape)
    scores = ranking.scores.astype(float)
    found = ranking.positions != NOTHING
    span = np.where(found[:, :1], scores[:, :1] - least, 1.0)
    shares = np.where(found, (scores - least) / np.where(span > 0, span, 1.0), 0.0)
    floor = np.where(found.all(axis=1, keepdims=True), shares[:, -1:], 0.0)
    return np.where(found, shares - floor, 0.0)


def _added(rankings: Sequence[Ranking], given: Sequence[np.ndarray], weights: Sequence[float], k: int) -> Ranking:
    """The k best by the sum of what each ranking gives; what only a ranking of weight 0 found is nobody's result."""
    positions = np.hstack([ranking.positions for ranking in rankings])
    counted = np.hstack(
        [(ranking.positions != NOTHING) & (weight > 0) for ranking, weight in zip(rankings, weights, strict=True)]
    )
    order = np.argsort(positions, axis=1, kind="stable")
    positions, counted, sums = (
        np.take_along_axis(values, order, axis=1) for values in (positions, counted, np.hstack(given))
    )
    return best(positions, _summed(positions, sums, counted), k)


def _summed(positions: np.ndarray, given: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Sum over equal positions (which are neighbours), at the first of them; -inf at the others."""
    if not positions.size:
        return given
    is_first = np.ones(positions.shape, dtype=bool)
    is_first[:, 1:] = positions[:, 1:] != positions[:, :-1]
    starts = np.flatnonzero(is_first)
    sums = np.add.reduceat(np.where(counted, given, 0.0).reshape(-1), starts)
    is_result = np.logical_or.reduceat(counted.reshape(-1), starts)
    scores = np.full(positions.shape, -np.inf)
    scores[is_first] = np.where(is_result, np.round(sums, _DECIMALS), -np.inf)
    return scores
