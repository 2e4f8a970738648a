"""Ranking: for every question the best positions, best first; equal scores by position, so every run is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOTHING = -1
"""Stands where a question has fewer results than were asked for."""


@dataclass(frozen=True)
class Ranking:
    """Two arrays of shape (questions, at most k); what is missing stands at the end of a row."""

    positions: np.ndarray
    """Places in the corpus, int64; NOTHING where there is no further result."""
    scores: np.ndarray
    """float32, falling; -inf beside NOTHING."""

    def rows(self) -> list[list[tuple[int, float]]]:
        """Per question its (position, score), without what is missing."""
        return [
            [(int(at), float(score)) for at, score in zip(*row, strict=True) if at != NOTHING]
            for row in zip(self.positions, self.scores, strict=True)
        ]

    def names(self, ids: list[str]) -> list[list[str]]:
        """Per question the ids of its results."""
        return [[ids[at] for at in row if at != NOTHING] for row in self.positions.tolist()]


def empty(num_questions: int, k: int) -> Ranking:
    return Ranking(
        np.full((num_questions, k), NOTHING, dtype=np.int64), np.full((num_questions, k), -np.inf, dtype=np.float32)
    )


def best(positions: np.ndarray, scores: np.ndarray, k: int) -> Ranking:
    """The k best of each row. Positions of a row that have equal scores must stand in rising order already."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    scores = np.take_along_axis(scores, order, axis=1)
    positions = np.take_along_axis(positions, order, axis=1)
    return Ranking(np.where(np.isneginf(scores), NOTHING, positions), scores.astype(np.float32))
