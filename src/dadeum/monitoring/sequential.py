"""Intervals that hold at every look: who peeks daily at a fixed-sample test ends with 3 of 10 false alarms.

Sources: Robbins 1970 (mixtures); Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021, "Time-uniform central limit
theory and asymptotic confidence sequences" (means); Howard, Ramdas, McAuliffe & Sekhon 2021 (beta-binomial mixture
for shares). numpy only; every function takes arrays, so a thousand experiments are simulated at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ALPHA = 0.05
PLANNED = 2000
"""Users at which an interval is narrowest in relation to a fixed sample; anywhere else it is valid too, only wider."""
_STEPS = 60
"""Of bisection: 2^-60 is exact to the last digit."""
_POWER = 0.8416212335729143
"""Normal quantile of 0.8."""
_FIXED = 1.959963984540054
_EDGE = 1e-12
_GOLDEN = (math.sqrt(5) - 1) / 2
Numbers = Any
"""A float or an array; what goes in comes out."""


@dataclass(frozen=True)
class Arm:
    """One value per user of a variant."""

    num: Numbers
    mean: Numbers
    variance: Numbers

    @classmethod
    def of(cls, values: np.ndarray) -> Arm:
        mean = float(values.mean()) if values.size else math.nan
        return cls(int(values.size), mean, float(values.var()) if values.size else math.nan)

    @classmethod
    def of_counts(cls, successes: Numbers, num: Numbers) -> Arm:
        share = successes / num
        return cls(num, share, share * (1 - share))


@dataclass(frozen=True)
class Effect:
    """Challenger − control."""

    value: Numbers
    low: Numbers
    high: Numbers
    p: Numbers
    """Valid at whatever look the experiment is stopped."""
    detectable: Numbers
    """Smallest true difference that this many users would show with 80 % probability."""


# -- means ----------------------------------------------------------------------------------------
def tuning(planned: float = PLANNED, alpha: float = ALPHA) -> float:
    """Squared ρ of the mixture that is narrowest at `planned` users (Waudby-Smith et al. 2021, appendix B.2)."""
    twice = -2 * math.log(alpha)
    return (twice + math.log(twice) + 1) / planned


def reach(deviation: Numbers, num: Numbers, alpha: float = ALPHA, rho2: float | None = None) -> Numbers:
    """Half the width of the asymptotic confidence sequence of a mean after `num` values (theorem 2.2).

    By hand: deviation 1, 2,000 values, α 0.05, ρ² = 8.782 / 2000: √(2 · 9.782 / (2000 · 8.782) · ln(√9.782 / 0.05))
    = 0.0679, where a fixed sample has 1.96 / √2000 = 0.0438.
    """
    rho2 = tuning(alpha=alpha) if rho2 is None else rho2
    grown = num * rho2 + 1
    return deviation * np.sqrt(2 * grown / (num * num * rho2) * np.log(np.sqrt(grown) / alpha))


def fixed_reach(deviation: Numbers, num: Numbers) -> Numbers:
    """What a test that looks once would have."""
    return _FIXED * deviation / np.sqrt(num)


def difference(control: Arm, challenger: Arm, alpha: float = ALPHA, planned: float = PLANNED) -> Effect:
    """Challenger − control, for values of any kind.

    The variance of an arm is never taken below that of both together: a small arm that has seen one rare event of the
    eight it should have has hardly any variance of its own, and 16 of 100 equal pairs would be called different
    (share 0.02, weights 90:10, 60 looks). With the floor it is fewer than 2.
    """
    num = control.num + challenger.num
    middle = (control.num * control.mean + challenger.num * challenger.mean) / num
    both = sum(arm.num * (arm.variance + (arm.mean - middle) ** 2) for arm in (control, challenger)) / num
    scatter = sum(np.maximum(arm.variance, both) / arm.num for arm in (control, challenger))
    deviation = np.sqrt(num * scatter)
    rho2 = tuning(planned, alpha)
    value = challenger.mean - control.mean
    half = reach(deviation, num, alpha, rho2)
    with np.errstate(divide="ignore", invalid="ignore"):
        score2 = np.where(deviation > 0, (num * value / deviation) ** 2, 0.0)
    grown = num * rho2 + 1
    # The mixture martingale against "no difference" (Ville): its inverse is a p-value at any time.
    p = np.minimum(1.0, np.exp(0.5 * np.log(grown) - rho2 * score2 / (2 * grown)))
    return Effect(value, value - half, value + half, p, half + _POWER * deviation / np.sqrt(num))


def users_needed(effect: float, deviation: float, weight: float, alpha: float = ALPHA) -> int:
    """Users of both arms together until a true `effect` is seen with 80 % probability, when planned for just that.

    `deviation` is that of one user's value, `weight` the challenger's share of the users.
    """
    both = deviation / math.sqrt(weight * (1 - weight))

    def enough(num: float) -> bool:
        return bool(reach(both, num, alpha, tuning(num, alpha)) + _POWER * both / math.sqrt(num) <= effect)

    most = 2.0
    while not enough(most):
        most *= 2
    least = most / 2
    while most - least > 1:
        middle = (least + most) / 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return math.ceil(most)


# -- shares ---------------------------------------------------------------------------------------
def log_martingale(successes: Numbers, num: Numbers, share: Numbers) -> Numbers:
    """Log of what a bettor who mixes over all shares (Beta(½, ½)) has won against somebody who says `share`."""
    from scipy.special import betaln, xlogy

    failures = num - successes
    mixed = betaln(successes + 0.5, failures + 0.5) - math.log(math.pi)
    return mixed - xlogy(successes, share) - xlogy(failures, 1 - share)


def share_interval(successes: Numbers, num: Numbers, alpha: float = ALPHA) -> tuple[Numbers, Numbers]:
    """Every share that the bettor has not refuted yet: exact for any number of looks and any number of rows."""
    successes, num = np.asarray(successes, dtype=float), np.asarray(num, dtype=float)
    found = successes / np.maximum(num, 1)
    limit = -math.log(alpha)

    def refuted(share: Numbers) -> Numbers:
        return log_martingale(successes, num, np.clip(share, _EDGE, 1 - _EDGE)) >= limit

    low = np.where(num > 0, _bisected(refuted, np.zeros_like(found), found), 0.0)
    high = np.where(num > 0, _bisected(refuted, np.ones_like(found), found), 1.0)
    # At 0 and 1 nothing was refuted on the far side.
    return np.where(successes == 0, 0.0, low)[()], np.where(successes == num, 1.0, high)[()]


def _bisected(refuted: Callable[[Numbers], Numbers], outer: Numbers, inner: Numbers) -> Numbers:
    """The border between an end that may be refuted and a point that is not."""
    for _ in range(_STEPS):
        middle = (outer + inner) / 2
        out = refuted(middle)
        outer, inner = np.where(out, middle, outer), np.where(out, inner, middle)
    return outer


def difference_of_shares(control: tuple[int, int], challenger: tuple[int, int], alpha: float = ALPHA) -> Effect:
    """Challenger − control of (successes, rows), exact at any number: for rare events and small arms.

    The product of both bettors' gains is a martingale at the true pair of shares; the interval holds every difference
    that some unrefuted pair has. Both gains are convex in the share, so the pair is found by searching one line.
    """
    limit = -math.log(alpha)
    value = challenger[0] / challenger[1] - control[0] / control[1]

    def least(gap: float) -> float:
        return _least_gain(control, challenger, gap)

    low, high = (_border(least, value, end, limit) for end in (-1.0, 1.0))
    detectable = max(high - value, value - low)
    return Effect(value, low, high, min(1.0, math.exp(-least(0.0))), detectable)


def _mixed(successes: int, num: int) -> float:
    """The first term of `log_martingale`, of plain numbers."""
    return math.lgamma(successes + 0.5) + math.lgamma(num - successes + 0.5) - math.lgamma(num + 1) - math.log(math.pi)


def _least_gain(control: tuple[int, int], challenger: tuple[int, int], gap: float) -> float:
    """Over all pairs of shares that lie `gap` apart, the smallest log gain (golden section)."""
    low, high = max(0.0, -gap) + _EDGE, min(1.0, 1.0 - gap) - 2 * _EDGE
    if low >= high:
        return math.inf

    mixed = _mixed(*control) + _mixed(*challenger)
    wins, losses = control[0], control[1] - control[0]
    more_wins, more_losses = challenger[0], challenger[1] - challenger[0]

    def gain(share: float) -> float:
        told = wins * math.log(share) + losses * math.log(1 - share)
        return mixed - told - more_wins * math.log(share + gap) - more_losses * math.log(1 - share - gap)

    first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_first, at_second = gain(first), gain(second)
    for _ in range(_STEPS):
        if at_first < at_second:
            high, second, at_second = second, first, at_first
            first = high - _GOLDEN * (high - low)
            at_first = gain(first)
        else:
            low, first, at_first = first, second, at_second
            second = low + _GOLDEN * (high - low)
            at_second = gain(second)
    return min(at_first, at_second)


def _border(least: Callable[[float], float], inner: float, outer: float, limit: float) -> float:
    for _ in range(_STEPS // 2):
        middle = (inner + outer) / 2
        inner, outer = (inner, middle) if least(middle) >= limit else (middle, outer)
    return outer
