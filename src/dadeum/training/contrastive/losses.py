"""The losses of embedding training, on embeddings; those of sentence-transformers where they are what is wanted.

Its MultipleNegativesRankingLoss takes every other chunk of a batch for wrong. Where a question's own chunk, or one
that says the same, stands in another row of the batch, ours leaves it out of the softmax, and counts a chunk once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers.sentence_transformer.losses import CoSENTLoss, CosineSimilarityLoss
from torch import Tensor, nn
from torch.nn import functional

from dadeum.core.stages import Contrastive

NO_CHUNK = -1
"""In place of a negative that was not found."""


class RankedInBatch(nn.Module):
    """The right chunk against the chunks of all rows that are wrong for the question."""

    def __init__(self, right: Sequence[Iterable[int]], temperature: float) -> None:
        super().__init__()
        self.right = [np.fromiter(places, dtype=np.int64) for places in right]
        self.temperature = temperature

    def forward(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """`labels`: per row the question's number and the places of its chunks, gold first."""
        questions = functional.normalize(embeddings[0], dim=-1)
        chunks = functional.normalize(torch.cat(embeddings[1:]), dim=-1)
        scores = questions @ chunks.T / self.temperature
        scores = scores.masked_fill(~self.counted(labels).to(scores.device), -torch.inf)
        return functional.cross_entropy(scores, torch.arange(len(scores), device=scores.device))

    def counted(self, labels: Tensor) -> Tensor:
        """(rows, columns) that stand in the softmax; columns: all gold chunks, all first negatives, and so on."""
        numbers = labels[:, 0].tolist()
        columns = labels[:, 1:].T.flatten().cpu().numpy()
        _, first = np.unique(columns, return_index=True)
        is_first = np.zeros(len(columns), dtype=bool)
        is_first[first] = True
        is_first &= columns != NO_CHUNK
        counted = np.stack([is_first & ~np.isin(columns, self.right[number]) for number in numbers])
        counted[np.arange(len(numbers)), np.arange(len(numbers))] = True
        return torch.from_numpy(counted)


class EmbeddingLoss(nn.Module):
    """Reads the columns of a batch and sums the loss of the stage over the dimensions that must work alone."""

    def __init__(self, model: Any, stage: Contrastive, right: Sequence[Iterable[int]]) -> None:
        super().__init__()
        self.model = model
        self.inner = _inner(stage, right)
        full = int(model.get_embedding_dimension())
        self.dimensions = sorted({full, *stage.matryoshka}, reverse=True)

    def forward(self, features: Iterable[dict[str, Any]], labels: Tensor) -> Tensor:
        embeddings = self.embed(list(features))
        total = torch.zeros((), device=embeddings[0].device)
        # Cosines divided by a temperature need more digits than half precision has.
        with torch.autocast(embeddings[0].device.type, enabled=False):
            for size in self.dimensions:
                total = total + self.on([one[:, :size].float() for one in embeddings], labels)
        return total

    def embed(self, features: list[dict[str, Any]]) -> list[Tensor]:
        # One pass per column: questions are short and chunks are long, together they would be mostly padding.
        return [self.model(dict(column))["sentence_embedding"] for column in features]

    def on(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The stage's loss on embeddings of one size."""
        inner: Any = self.inner
        if isinstance(inner, RankedInBatch):
            found: Tensor = inner(embeddings, labels)
        else:
            found = inner.compute_loss_from_embeddings(embeddings, labels)
        return found


def _inner(stage: Contrastive, right: Sequence[Iterable[int]]) -> nn.Module:
    if stage.loss == "mnr":
        return RankedInBatch(right, stage.temperature)
    # They are given embeddings, so they need no model; it would stand among the parameters twice.
    if stage.loss == "cosent":
        return CoSENTLoss(nn.Identity(), scale=1 / stage.temperature)
    return CosineSimilarityLoss(nn.Identity())
