"""Rows of training as numbers, the texts only when a batch is made, and batches of like length without repetitions.

A gold chunk that stands in a batch twice is left out of the loss there (`losses.py`), a lost negative: so rows of the
same gold chunk go into different batches where that can be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import BatchSampler

from dadeum.core.stages import Contrastive
from dadeum.training.contrastive.losses import NO_CHUNK
from dadeum.training.contrastive.mining import Row

_WINDOW_BATCHES = 16


@dataclass(frozen=True)
class Texts:
    """What the model reads, with its prefixes; rows name both by number."""

    questions: list[str]
    chunks: list[str]


def numbered(rows: Sequence[Row], numbers: dict[str, int], stage: Contrastive) -> dict[str, list[Any]]:
    """Columns `question`, `chunks` and `target`: a row for `mnr`, a row per pair for the losses on pairs."""
    found: list[tuple[int, list[int], list[float]]] = []
    for row in rows:
        number = numbers[row.asked.id]
        if stage.loss == "mnr":
            missing = [NO_CHUNK] * (stage.negatives.number - len(row.negatives))
            chunks = [row.gold, *row.negatives, *missing]
            found.append((number, chunks, [float(number), *map(float, chunks)]))
        else:
            found.append((number, [row.gold], [1.0]))
            found += [(number, [place], [0.0]) for place in row.negatives]
    questions, chunks_of, targets = zip(*found, strict=True) if found else ((), (), ())
    return {"question": list(questions), "chunks": list(chunks_of), "target": list(targets)}


@dataclass(frozen=True)
class Collate:
    """Rows → one padded batch of token ids per column, under the names that sentence-transformers looks for."""

    texts: Texts
    read: Callable[[list[str]], dict[str, Any]]
    on_pairs: bool
    valid_label_columns: tuple[str, ...] = ("label",)

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        columns = [[self.texts.questions[row["question"]] for row in rows]]
        for places in zip(*(row["chunks"] for row in rows), strict=True):
            columns.append([self.texts.chunks[place] if place != NO_CHUNK else "" for place in places])
        batch: dict[str, Any] = {}
        for number, column in enumerate(columns):
            batch |= {f"text_{number}_{name}": value for name, value in self.read(column).items()}
        targets = torch.tensor([row["target"] for row in rows])
        batch["label"] = targets.flatten() if self.on_pairs else targets.long()
        return batch


class DistinctBatches(BatchSampler):
    """Shuffled by (seed, epoch) alone, rows of like length together, rows of one gold chunk apart where possible."""

    def __init__(self, gold: Sequence[int], lengths: Sequence[int], size: int, seed: int) -> None:
        super().__init__(range(len(gold)), batch_size=size, drop_last=False)
        self.gold, self.lengths, self.size, self.seed = gold, lengths, size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self.gold) / self.size)

    def __iter__(self) -> Iterator[list[int]]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        shuffled = torch.randperm(len(self.gold), generator=random).tolist()
        window = self.size * _WINDOW_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(shuffled), window):
            batches += self._cut(shuffled[start : start + window])
        full = [batch for batch in batches if len(batch) == self.size]
        for index in torch.randperm(len(full), generator=random).tolist():
            yield full[index]
        yield from (batch for batch in batches if len(batch) < self.size)

    def _cut(self, rows: list[int]) -> Iterator[list[int]]:
        """Shortest first, but a gold chunk with a row for every batch that is left goes into this one."""
        left = sorted(rows, key=lambda row: self.lengths[row])
        short = len(rows) % self.size
        # The short one while there is most to choose from: at the end it would have to take what is over.
        sizes = [short] * bool(short) + [self.size] * (len(rows) // self.size)
        for number, size in enumerate(sizes):
            batches_left = len(sizes) - number
            counts = Counter(self.gold[row] for row in left)
            order = sorted(left, key=lambda row: counts[self.gold[row]] < batches_left)
            batch: list[int] = []
            later: list[int] = []
            seen: set[int] = set()
            for row in order:
                if len(batch) < size and self.gold[row] not in seen:
                    batch.append(row)
                    seen.add(self.gold[row])
                else:
                    later.append(row)
            missing = size - len(batch)
            yield batch + later[:missing]
            left = sorted(later[missing:], key=lambda row: self.lengths[row])
