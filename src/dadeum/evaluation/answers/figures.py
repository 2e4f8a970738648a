"""Figures of free answers: which there are, one value per row, means with intervals, and paired differences.

Rows of one group (one conversation, near duplicates) are drawn together: they say less than as many strangers. An
interval that leaves out 0 is what this module calls better or worse; few groups decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dadeum.core.plugins import find, names
from dadeum.core.stats import Interval, bootstrap_counts
from dadeum.evaluation.answers.scores import Better, Difference, Outcome
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.scores import Measured, Notice

METRICS = "evaluation.metrics"
OF_MODELS: dict[str, Better] = {"loss": "lower", "perplexity": "lower"}
"""Teacher-forced figures, in nats per answer token and as its exponential: only models have them."""
CLOSENESS = ("similarity", "chrf", "rouge_l")
"""Figures that compare an answer with the one a person wrote: the verdict rests on them."""
MIN_GROUPS = 6
"""Fewer pairs cannot differ significantly, even if all point one way: 2 / 2^5 is more than 0.05."""
_FIRST = (*CLOSENESS, *OF_MODELS)

PerRow = dict[str, np.ndarray]


def metrics_of(task: str) -> dict[str, Better]:
    """Every figure of a task and its better side, those that the verdict rests on first."""
    found: dict[str, Better] = dict(OF_MODELS)
    for name in names(METRICS):
        module = find(METRICS, name)
        if task in module.TASKS:
            found[name] = module.BETTER
    found["cut_off"] = "lower"
    return dict(sorted(found.items(), key=lambda item: _FIRST.index(item[0]) if item[0] in _FIRST else len(_FIRST)))


def rate(asked: Asked, progress: Callable[[int, int], None]) -> PerRow:
    """Every figure of one system's answers that a file in `metrics/` gives, one value per row."""
    modules = [name for name in metrics_of(asked.recipe.task.type) if name in names(METRICS)]
    found: PerRow = {}
    for number, name in enumerate(modules):
        progress(number, len(modules))
        found[name] = np.asarray(find(METRICS, name).per_row(asked), dtype=float)
    progress(len(modules), len(modules))
    return found


def notices_of(asked: Asked) -> list[Notice]:
    """What the figures themselves have to say, of the tuned model's answers."""
    found: list[Notice] = []
    for name in metrics_of(asked.recipe.task.type):
        if name in names(METRICS) and hasattr(find(METRICS, name), "notices"):
            found += find(METRICS, name).notices(asked)
    return found


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: which group every row belongs to, the seed, and how often."""

    groups: Sequence[str]
    seed: int
    samples: int

    @cached_property
    def numbers(self) -> np.ndarray:
        return np.unique(np.asarray(self.groups, dtype=object).astype(str), return_inverse=True)[1]

    @property
    def num_groups(self) -> int:
        return len(set(self.groups))

    def mean(self, metric: str, values: np.ndarray) -> Measured | None:
        """Mean of the rows that could be judged; None without any."""
        judged = ~np.isnan(values)
        if not judged.any():
            return None
        found = self._interval(judged, lambda mean: _as(metric, mean(values)))
        return Measured(value=found.value, low=found.low, high=found.high)

    def difference(self, metric: str, better: Better, first: np.ndarray, second: np.ndarray) -> Difference | None:
        """first − second on the rows that both could be judged on, each resample the same for both."""
        judged = ~np.isnan(first) & ~np.isnan(second)
        if not judged.any():
            return None
        found = self._interval(judged, lambda mean: _as(metric, mean(first)) - _as(metric, mean(second)))
        num_groups = len(np.unique(self.numbers[judged]))
        return Difference(
            value=found.value, low=found.low, high=found.high, num_rows=int(judged.sum()),
            outcome=outcome_of(found, better, num_groups),
        )  # fmt: skip

    def _interval(
        self, judged: np.ndarray, statistic: Callable[[Callable[[np.ndarray], np.ndarray]], np.ndarray]
    ) -> Interval:
        """`statistic` gets a function from per-row values to their mean in every resample of groups."""
        members, cell = np.unique(self.numbers[judged], return_inverse=True)
        sizes = np.bincount(cell)

        def of_draws(drawn: np.ndarray) -> np.ndarray:
            return statistic(lambda values: drawn @ np.bincount(cell, values[judged]) / (drawn @ sizes))

        return bootstrap_counts(of_draws, np.ones(len(members), dtype=int), self.seed, self.samples)


def _as(metric: str, mean: np.ndarray) -> np.ndarray:
    """Perplexity is the exponential of the mean loss."""
    return np.exp(mean) if metric == "perplexity" else mean


def outcome_of(interval: Interval, better: Better, num_groups: int) -> Outcome:
    """What a paired difference says: its interval lies above 0, below 0, or holds it."""
    if num_groups < MIN_GROUPS:
        return "undecided"
    if interval.low <= 0 <= interval.high:
        return "as_good"
    if better == "neither":
        return "different"
    return "better" if (interval.low > 0) == (better == "higher") else "worse"
