"""Figures of rankings from the places of what is right: per question, as means with intervals, as paired differences.

All columns are drawn together, so that two hundred figures cost one bootstrap. The draws are those of
`core.stats.bootstrap_counts` with the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dadeum.core.measured import Measured
from dadeum.core.stats import Interval
from dadeum.evaluation.answers.figures import outcome_of
from dadeum.evaluation.answers.scores import Better, Difference
from dadeum.evaluation.retrieve.scores import SHOWN
from dadeum.retrieval.figures import KS, NAMES, figures

PerQuestion = dict[str, np.ndarray]
"""`recall@5` → one value per question."""
_NUMBERS_AT_ONCE = 2_000_000


def metrics() -> dict[str, Better]:
    """Every figure, those of the first table first."""
    names = [f"{name}@{k}" for name in NAMES for k in KS]
    return dict.fromkeys([*SHOWN, *(name for name in names if name not in SHOWN)], "higher")


def per_question(ranks: Sequence[Sequence[int]], num_gold: Sequence[int]) -> PerQuestion:
    """`ranks`: places of what is right, from 1; `num_gold`: how much there is. Laws of rankings are checked."""
    depth = max(KS)
    found, gold = {}, {}
    for row, (places, num) in enumerate(zip(ranks, num_gold, strict=True)):
        number = {place: right for right, place in enumerate(places)}
        found[str(row)] = [f"right {number[p]}" if p in number else f"other {p}" for p in range(1, depth + 1)]
        gold[str(row)] = {f"right {right}": 1.0 for right in range(num)}
    return figures(found, gold).per_question


def reciprocal(places: Sequence[int]) -> float:
    """By hand: first right one at rank 4: 1/4; at rank 11: 0."""
    return 1 / places[0] if places and places[0] <= 10 else 0.0


@dataclass(frozen=True)
class Drawing:
    """How intervals are drawn: which group every question belongs to, the seed, and how often."""

    groups: Sequence[str]
    seed: int
    samples: int

    @cached_property
    def _cells(self) -> np.ndarray:
        return np.unique(np.asarray(self.groups, dtype=object).astype(str), return_inverse=True)[1]

    @property
    def num_groups(self) -> int:
        return len(set(self.groups))

    def intervals(self, columns: Mapping[str, np.ndarray]) -> dict[str, Interval]:
        """Name → mean of the column over questions, with its interval; each draw is the same for all columns."""
        names = list(columns)
        values = np.stack([columns[name] for name in names], axis=1)
        sizes = np.bincount(self._cells)
        sums = np.zeros((len(sizes), len(names)))
        np.add.at(sums, self._cells, values)
        draws = self._draws(sums, sizes)
        low, high = np.quantile(draws, [0.025, 0.975], axis=0)
        means = sums.sum(axis=0) / sizes.sum()
        return {name: Interval(float(means[at]), float(low[at]), float(high[at])) for at, name in enumerate(names)}

    def _draws(self, sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        num = len(sizes)
        block = max(1, _NUMBERS_AT_ONCE // num)
        shares = np.full(num, 1 / num)
        drawn = (
            random.multinomial(num, shares, size=min(block, self.samples - start)).astype(float)
            for start in range(0, self.samples, block)
        )
        return np.concatenate([each @ sums / (each @ sizes)[:, None] for each in drawn])

    def measured(self, systems: Mapping[str, PerQuestion]) -> dict[str, dict[str, Measured]]:
        """System → figure → mean with interval."""
        flat = {f"{system} {name}": values for system, found in systems.items() for name, values in found.items()}
        found = self.intervals(flat)
        return {
            system: {name: Measured(**vars(found[f"{system} {name}"])) for name in columns}
            for system, columns in systems.items()
        }

    def differences(self, first: PerQuestion, second: PerQuestion, names: Sequence[str]) -> dict[str, Difference]:
        """first − second on the same questions, paired."""
        found = self.intervals({name: first[name] - second[name] for name in names})
        return {
            name: Difference(**vars(one), num_rows=len(self.groups), outcome=outcome_of(one, "higher", self.num_groups))
            for name, one in found.items()
        }
