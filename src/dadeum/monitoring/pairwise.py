"""Bradley-Terry: several models put into one order by blind votes between two of them at a time.

Sources: Bradley & Terry 1952; Davidson 1970 (ties: ν·√(πᵢπⱼ)); Davidson & Beaver 1977 (a side that is liked). Log
strengths, tie and side enter linearly, so the likelihood is concave and Newton finds its top. Votes of one rater are
not independent of each other: intervals draw raters anew, or questions where there are too few raters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.measured import Measured, Part
from dadeum.evaluation.comparison.votes import Key
from dadeum.evaluation.comparison.votes_result import Votes

MIN_RATERS = 6
"""With fewer, drawing raters anew says next to nothing."""
_SAMPLES = 400
_HELD = 0.25
"""Precision of the prior that holds strengths back where their maximum lies at infinity: a deviation of 2."""
_LOOSE = 1e-7
"""Where the maximum is finite: enough to fix the mean of the strengths, which votes leave open."""
_ROUNDS = 60
Outcome = Literal["left", "right", "tie"]
_OUTCOMES: tuple[Outcome, ...] = ("left", "right", "tie")


@dataclass(frozen=True)
class Ballot:
    rater: str
    row: str
    left: str
    """Models."""
    right: str
    outcome: Outcome


class Ranked(Part):
    name: str
    strength: Measured
    """Log of Bradley-Terry's π; the mean over all models is 0."""
    chance: float
    """Of winning a decided vote against a model of strength 0."""


class Ranking(Part):
    models: list[Ranked]
    """Strongest first."""
    side: Measured
    """Log odds that the left answer wins between equals; 0: no side is liked."""
    tie_share: float
    """Of votes between equals."""
    num_votes: int
    num_raters: int
    drawn: Literal["rater", "row"]
    is_separated: bool
    """A group of models never lost to the others: without being held back, strengths would be endless."""


def ballots(key: Key, given: Sequence[tuple[str, Votes]]) -> list[Ballot]:
    """What `judge_votes` read from the files of one vote."""
    rows = {row.row: row for row in key.rows}
    names = {"a": key.a, "b": key.b}
    found = []
    for rater, votes in given:
        for row, vote in votes.items():
            left = rows[row].left
            right: Literal["a", "b"] = "b" if left == "a" else "a"
            outcome: Outcome = "tie" if vote == "tie" else "left" if vote == left else "right"
            found.append(Ballot(rater, row, names[left], names[right], outcome))
    return found


def rank(given: Sequence[Ballot], seed: int = 42, samples: int = _SAMPLES) -> Ranking:
    """DataError without votes, or where no votes lead from some models to others."""
    if not given:
        raise DataError("monitoring.pairwise.nothing")
    names = sorted({name for ballot in given for name in (ballot.left, ballot.right)})
    _require_connected(names, given)
    raters = {ballot.rater for ballot in given}
    drawn: Literal["rater", "row"] = "rater" if len(raters) >= MIN_RATERS else "row"
    table = _Table(names, given, drawn)
    everything = table.counts.sum(axis=0)
    best = table.fit(everything)
    chance = np.random.default_rng(seed)
    num = len(table.counts)
    others = []
    for _ in range(samples if num > 1 else 0):
        counts = chance.multinomial(num, np.full(num, 1 / num)) @ table.counts
        if table.is_connected(counts):
            others.append(table.fit(counts, best))
    spread = np.array(others) if others else best[np.newaxis]
    side = len(names)
    # Without the tie, which is −∞ where there was none.
    low, high = np.quantile(spread[:, : side + 1], [0.025, 0.975], axis=0)
    order = np.argsort(-best[:side], kind="stable")
    tie = np.exp(best[side + 1]) if np.isfinite(best[side + 1]) else 0.0
    return Ranking(
        models=[
            Ranked(name=names[row], strength=_measured(best, low, high, row), chance=float(_odds(best[row])))
            for row in order
        ],
        side=_measured(best, low, high, side),
        tie_share=float(tie / (tie + 2)),
        num_votes=len(given),
        num_raters=len(raters),
        drawn=drawn,
        is_separated=not table.is_strong(everything),
    )


def _measured(best: np.ndarray, low: np.ndarray, high: np.ndarray, row: int) -> Measured:
    return Measured(value=float(best[row]), low=float(low[row]), high=float(high[row]))


def _odds(strength: float) -> float:
    return float(1 / (1 + np.exp(-strength)))


class _Table:
    """Votes counted per unit that is drawn anew and per cell: (left, right, outcome)."""

    def __init__(self, names: Sequence[str], given: Sequence[Ballot], unit: Literal["rater", "row"]) -> None:
        at = {name: row for row, name in enumerate(names)}
        pairs = sorted({(at[ballot.left], at[ballot.right]) for ballot in given})
        self.num_models = len(names)
        self.pairs = np.array(pairs)
        place = {pair: row for row, pair in enumerate(pairs)}
        units = {name: row for row, name in enumerate(sorted({getattr(ballot, unit) for ballot in given}))}
        self.counts = np.zeros((len(units), len(pairs) * 3))
        for ballot in given:
            cell = 3 * place[at[ballot.left], at[ballot.right]] + _OUTCOMES.index(ballot.outcome)
            self.counts[units[getattr(ballot, unit)], cell] += 1
        self.features = self._features()

    def _features(self) -> np.ndarray:
        """(pairs, 3 outcomes, strengths + side + tie): the log of each outcome's weight is linear in these.

        left: λ_left + side/2, right: λ_right − side/2, tie: (λ_left + λ_right)/2 + tie.
        """
        found = np.zeros((len(self.pairs), 3, self.num_models + 2))
        for row, (left, right) in enumerate(self.pairs):
            found[row, 0, left], found[row, 0, -2] = 1, 0.5
            found[row, 1, right], found[row, 1, -2] = 1, -0.5
            found[row, 2, left], found[row, 2, right], found[row, 2, -1] = 0.5, 0.5, 1
        return found

    def fit(self, counts: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """Strengths (mean 0), side, log tie (−∞ where nothing was tied)."""
        won = counts.reshape(-1, 3)
        has_ties = bool(won[:, 2].sum())
        size = self.num_models + 2
        free = np.ones(size, dtype=bool)
        free[-1] = has_ties
        free[-2] = bool(won[:, :2].sum())
        held = np.zeros(size)
        held[: self.num_models] = _LOOSE if self.is_strong(counts) else _HELD
        held[-2] = _LOOSE if self._side_is_bounded(won) else _HELD
        held[-1] = _LOOSE if won[:, :2].sum() else _HELD
        found = np.zeros(size) if start is None else np.where(np.isfinite(start), start, 0.0)
        found[~free] = 0.0
        for _ in range(_ROUNDS):
            gradient, curvature = self._slopes(won, found, has_ties)
            gradient, curvature = gradient - held * found, curvature + np.diag(held)
            step = np.zeros(size)
            step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
            step *= min(1.0, 2.0 / max(2.0, float(np.abs(step).max())))
            step[: self.num_models] -= step[: self.num_models].mean()
            found = found + step
            if np.abs(step).max() < 1e-9:
                break
        found[: self.num_models] -= found[: self.num_models].mean()
        if not has_ties:
            found[-1] = -np.inf
        return found

    def _slopes(self, won: np.ndarray, at: np.ndarray, has_ties: bool) -> tuple[np.ndarray, np.ndarray]:
        weights = self.features @ at
        if not has_ties:
            weights[:, 2] = -np.inf
        likely = np.exp(weights - weights.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        num = won.sum(axis=1)
        expected = num[:, None] * likely
        flat = self.features.reshape(won.size, -1)
        mean = np.matmul(likely[:, None, :], self.features)[:, 0, :]
        gradient = (won - expected).reshape(-1) @ flat
        return gradient, (flat.T * expected.reshape(-1)) @ flat - (mean.T * num) @ mean

    def _side_is_bounded(self, won: np.ndarray) -> bool:
        return bool(won[:, 0].sum() and won[:, 1].sum())

    def is_connected(self, counts: np.ndarray) -> bool:
        met = counts.reshape(-1, 3).sum(axis=1) > 0
        return _reached(self.num_models, [tuple(pair) for pair in self.pairs[met]], both_ways=True)

    def is_strong(self, counts: np.ndarray) -> bool:
        """Ford 1957: however the models are split in two, each part has won against the other.

        Ties do not count: where one part never wins, its strength may fall and ν rise together without end.
        """
        won = counts.reshape(-1, 3)
        edges = []
        for (left, right), (lefts, rights, _) in zip(self.pairs, won, strict=True):
            edges += [(left, right)] * bool(lefts) + [(right, left)] * bool(rights)
        backwards = [(loser, winner) for winner, loser in edges]
        return _reached(self.num_models, edges) and _reached(self.num_models, backwards)


def _reached(size: int, edges: Sequence[tuple[int, ...]], both_ways: bool = False) -> bool:
    """Whether every model can be reached from the first."""
    return len(_from(0, edges, both_ways)) == size


def _from(start: int, edges: Sequence[tuple[int, ...]], both_ways: bool) -> set[int]:
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        following = {int(end) for begin, end in edges if begin == here}
        if both_ways:
            following |= {int(begin) for begin, end in edges if end == here}
        waiting += following - seen
        seen |= following
    return seen


def _require_connected(names: Sequence[str], given: Sequence[Ballot]) -> None:
    at = {name: row for row, name in enumerate(names)}
    edges = [(at[left], at[right]) for left, right in {(ballot.left, ballot.right) for ballot in given}]
    parts, left = [], set(range(len(names)))
    while left:
        part = _from(min(left), edges, both_ways=True)
        parts.append(", ".join(names[row] for row in sorted(part)))
        left -= part
    if len(parts) > 1:
        raise DataError("monitoring.pairwise.unconnected", parts=" | ".join(parts))
