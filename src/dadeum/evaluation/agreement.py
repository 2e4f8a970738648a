"""Do two ratings of the same thing agree more than chance would? Kappa, alpha, and the sign test.

Sources: Cohen 1960 (kappa); Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability" (alpha, ordinal).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Agreement beyond chance of two raters on the same items, 1 at best; NaN without items or with one category.

    By hand: 20 items both yes, 5 only the first, 10 only the second, 15 both no: observed 0.7, by chance
    0.5·0.6 + 0.5·0.4 = 0.5, so kappa 0.4.
    """
    total = len(first)
    if total == 0:
        return float("nan")
    categories = set(first) | set(second)
    observed = sum(one == other for one, other in zip(first, second, strict=True)) / total
    chance = sum(list(first).count(one) * list(second).count(one) for one in categories) / total**2
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")


def krippendorff_alpha(ratings: np.ndarray) -> float:
    """Ordinal alpha of `ratings`, shape (raters, items), NaN where one was not given; 1 is full agreement.

    Ratings that all are the same say nothing about agreement: NaN. Items with one rating are left out.
    """
    values, codes = np.unique(ratings[~np.isnan(ratings)], return_inverse=True)
    coded = np.full(ratings.shape, -1)
    coded[~np.isnan(ratings)] = codes
    coincidences = np.zeros((values.size, values.size))
    for item in coded.T:
        counts = np.bincount(item[item >= 0], minlength=values.size)
        if counts.sum() > 1:
            coincidences += (np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1)
    totals = coincidences.sum(0)
    paired = totals.sum()
    if paired == 0:
        return float("nan")
    distance = _ordinal_distances(totals)
    expected = float((np.outer(totals, totals) * distance).sum()) / (paired - 1)
    return 1 - float((coincidences * distance).sum()) / expected if expected > 0 else float("nan")


def _ordinal_distances(totals: np.ndarray) -> np.ndarray:
    """Squared number of ratings between two values, each end counted by half."""
    middles = np.cumsum(totals) - totals / 2
    distances: np.ndarray = (middles[:, None] - middles[None, :]) ** 2
    return distances


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided probability of a split at least so uneven, ties left out; 1 without wins and losses.

    By hand: 8 wins, 2 losses: 2 · (1 + 10 + 45) / 2^10 = 0.109375.
    """
    decided = wins + losses
    tail = sum(math.comb(decided, k) for k in range(min(wins, losses) + 1))
    return min(1.0, float(2 * tail / 2**decided))
