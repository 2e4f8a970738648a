"""How well the model in training finds gold chunks of validation questions: MRR@10 over the whole corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dadeum.retrieval.dense import nearest
from dadeum.training.contrastive.lessons import Asked

K = 10
_MOST_CHUNKS = 4096
"""Of a larger corpus this many are searched, gold ones among them: reading all would take longer than the training."""


@dataclass(frozen=True)
class Searched:
    """What is searched: places of chunks, and the questions with their right chunks."""

    asked: Sequence[Asked]
    places: np.ndarray

    @classmethod
    def of(cls, asked: Sequence[Asked], num_chunks: int, seed: int) -> Searched:
        gold = sorted({at for one in asked for at in one.right})
        others = np.setdiff1d(np.arange(num_chunks), gold)
        room = max(_MOST_CHUNKS - len(gold), 0)
        if len(others) > room:
            others = np.random.default_rng(seed).choice(others, room, replace=False)
        return cls(asked, np.sort(np.concatenate([np.array(gold, dtype=np.int64), others])))

    def mrr(self, questions: np.ndarray, chunks: np.ndarray) -> float:
        """Mean of 1 / rank of the first right chunk, 0 beyond 10; `chunks` are the vectors of `places`."""
        ranking = nearest(questions, chunks, K)
        ranks = []
        for one, row in zip(self.asked, ranking.positions, strict=True):
            hits = [
                rank for rank, at in enumerate(row.tolist(), start=1) if at >= 0 and int(self.places[at]) in one.right
            ]
            ranks.append(1 / hits[0] if hits else 0.0)
        return float(np.mean(ranks))
