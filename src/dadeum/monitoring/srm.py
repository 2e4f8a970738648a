"""Sample ratio mismatch: users that arrive in other numbers than the weights say are users that were lost on the way.

Whatever lost them (a crash, a time-out, a cache) also chose who is left, so no effect may be read while this rings.
Sources: Pearson's chi-square for one look; Lindon & Malek 2020, "Sequential testing of multinomial hypotheses with
applications to detecting implementation errors and missing data in randomized experiments" for any number of looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

ALARM = 0.001
_CONCENTRATION = 100.0
"""Of the Dirichlet prior around the weights: mismatches of a few per cent are found soonest."""


@dataclass(frozen=True)
class Mismatch:
    expected: dict[str, float]
    """Users that the weights would have brought."""
    found: dict[str, int]
    chi_square_p: float
    """As if nobody had looked before."""
    p: float
    """Of the sequential test: holds however often it is looked at, and the smallest so far counts."""

    @property
    def rings(self) -> bool:
        return self.p < ALARM


def chi_square(counts: np.ndarray, weights: np.ndarray) -> float:
    """p of Pearson's test; 1.0 without users."""
    from scipy.special import chdtrc

    total = counts.sum()
    if not total:
        return 1.0
    expected = total * weights / weights.sum()
    return float(chdtrc(len(weights) - 1, float(((counts - expected) ** 2 / expected).sum())))


def sequential(counts: np.ndarray, weights: np.ndarray, concentration: float = _CONCENTRATION) -> np.ndarray:
    """p at every look, for cumulative `counts` of shape (…, looks, variants): the inverse of the largest Bayes factor.

    By hand: weights 1:1, concentration 2 (a uniform prior), counts (3, 0): B(4, 1) / B(1, 1) / 0.5³ = 0.25 · 8 = 2,
    so p = 0.5.
    """
    from scipy.special import gammaln, xlogy

    shares = weights / weights.sum()
    prior = concentration * shares
    total = counts.sum(-1)
    factor = gammaln(concentration) - gammaln(concentration + total)
    factor = factor + (gammaln(prior + counts) - gammaln(prior)).sum(-1) - xlogy(counts, shares).sum(-1)
    largest = np.maximum(np.maximum.accumulate(factor, axis=-1), 0.0)
    found: np.ndarray = np.exp(-largest)
    return found


def mismatch(by_look: np.ndarray, weights: Mapping[str, float]) -> Mismatch:
    """`by_look` has shape (looks, variants): users so far at the end of each day, variants as in `weights`."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], dtype=float)
    shares = shares / shares.sum()
    last = by_look[-1] if len(by_look) else np.zeros(len(names), dtype=int)
    expected = {name: float(last.sum() * share) for name, share in zip(names, shares, strict=True)}
    p = float(sequential(by_look, shares)[-1]) if len(by_look) else 1.0
    found = {name: int(num) for name, num in zip(names, last, strict=True)}
    once = chi_square(np.asarray(last, dtype=float), shares)
    return Mismatch(expected, found, once, p if math.isfinite(p) else 1.0)
