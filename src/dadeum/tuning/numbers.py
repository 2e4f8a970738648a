"""Figures that follow from the trials of a search: best so far, Pareto front, importances, gain against noise.

Nothing here is drawn at random: the same record gives the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dadeum.core.tune import Range, Scalar
from dadeum.tuning.record import Objective, Repeated, Search, Tried

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

LEAST_FOR_IMPORTANCES = 10


@dataclass(frozen=True)
class Gain:
    """What the winner gains over the recipe's own settings when only the seed changes."""

    value: float
    """Difference of the means, above 0 where the winner is better."""
    needed: float
    """What the difference must exceed to be more than the seeds' doing (95 %, pooled spread)."""
    spread: float
    """Pooled standard deviation over seeds."""
    num: int
    """Runs of both settings together."""

    @property
    def is_beyond_noise(self) -> bool:
        return self.value > self.needed


# -- trials ---------------------------------------------------------------------------------------
def complete(search: Search) -> list[Tried]:
    """Trials with a finite value, in their order."""
    return [
        one for one in search.tried if one.state == "complete" and one.values and all(map(math.isfinite, one.values))
    ]


def trial(search: Search, number: int | None) -> Tried | None:
    return next((one for one in search.tried if one.number == number), None)


def default_trial(search: Search) -> Tried | None:
    """The recipe's own settings, where they came through."""
    return next((one for one in complete(search) if one.is_default), None)


def sign(objective: Objective) -> int:
    """1 where more is better."""
    return 1 if objective.direction == "maximize" else -1


def best(search: Search) -> Tried | None:
    """Of the first objective; of equals the earlier."""
    better = sign(search.objectives[0])
    return max(complete(search), key=lambda one: (better * one.values[0], -one.number), default=None)


def best_so_far(search: Search) -> list[tuple[int, float]]:
    """Number of each complete trial and the best first objective until then."""
    better, found = sign(search.objectives[0]), -math.inf
    line = []
    for one in sorted(complete(search), key=lambda one: one.number):
        found = max(found, better * one.values[0])
        line.append((one.number, better * found))
    return line


def front(search: Search) -> tuple[int, ...]:
    """Complete trials than which none is better in one objective without being worse in another."""
    signs = [sign(objective) for objective in search.objectives]
    points = {
        one.number: [way * value for way, value in zip(signs, one.values, strict=True)] for one in complete(search)
    }
    return tuple(number for number, own in points.items() if not any(_beats(other, own) for other in points.values()))


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


# -- noise ----------------------------------------------------------------------------------------
def repeated(search: Search, number: int | None) -> Repeated | None:
    return next((one for one in search.repeated if one.number == number), None)


def gain(search: Search) -> Gain | None:
    """None where the winner or the recipe's own settings were not run with two seeds at least."""
    own = next((one.number for one in search.tried if one.is_default), None)
    winner, default = repeated(search, search.winner), repeated(search, own)
    if winner is None or default is None or winner.number == default.number:
        return None
    nums = [len(winner.values), len(default.values)]
    if min(nums) < 2:
        return None
    from scipy.stats import t

    freedom = sum(nums) - 2
    squares = sum((num - 1) * one.spread**2 for num, one in zip(nums, (winner, default), strict=True))
    spread = math.sqrt(squares / freedom)
    needed = float(t.ppf(0.975, freedom)) * spread * math.sqrt(sum(1 / num for num in nums))
    value = sign(search.objectives[0]) * (winner.mean - default.mean)
    return Gain(value=value, needed=needed, spread=spread, num=sum(nums))


# -- importances ----------------------------------------------------------------------------------
def importances(search: Search) -> dict[str, float]:
    """Share of the first objective's variation that a key explains (fANOVA, seeded); the most important first.

    Empty below ten complete trials, and where all of them are equal.
    """
    points = [one for one in complete(search) if _is_placed(one, search)]
    if len(points) < LEAST_FOR_IMPORTANCES or len({one.values[0] for one in points}) < 2:
        return {}
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    with _silent():
        study = _study(search, points)
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {key: round(float(share), 6) for key, share in found.items()}


def _is_placed(one: Tried, search: Search) -> bool:
    """Whether every searched key has a value of the kind that its range asks for."""
    return all(
        key in one.params and (not isinstance(over, Range) or _is_number(one.params[key]))
        for key, over in search.space.items()
    )


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _study(search: Search, points: Sequence[Tried]) -> Study:
    """In memory; of the first objective alone."""
    import optuna

    study = optuna.create_study(direction=search.objectives[0].direction)
    held = {key: _distribution(over, [one.params[key] for one in points]) for key, over in search.space.items()}
    study.add_trials([_frozen(one, held) for one in points])
    return study


def _frozen(one: Tried, held: dict[str, BaseDistribution]) -> FrozenTrial:
    import optuna

    params = {key: one.params[key] for key in held}
    return optuna.create_trial(params=params, distributions=held, value=one.values[0])


def _distribution(over: Range | tuple[Scalar, ...], seen: Sequence[Scalar]) -> BaseDistribution:
    """What was searched, widened by the recipe's own value where that lies outside."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not isinstance(over, Range):
        return CategoricalDistribution([*over, *(value for value in dict.fromkeys(seen) if value not in over)])
    values = [float(value) for value in seen if isinstance(value, int | float)]
    low, high = min(over.low, *values), max(over.high, *values)
    return FloatDistribution(low, high, log=over.log and low > 0)


@contextmanager
def _silent() -> Iterator[None]:
    """Optuna says on the terminal that it made a study, which is none of the user's business."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
