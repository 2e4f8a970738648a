"""In which order rows are trained on: shuffled by seed and epoch, rows of like length and instruction together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler

_WINDOW_STEPS = 16


class LengthWindowSampler(Sampler[int]):
    """Shuffled rows, sorted by length inside windows of a few steps, steps shuffled again.

    The order is a function of (seed, epoch) alone, so a resumed run sees the same rows as an uninterrupted one, and
    every row is seen once an epoch. Inside a window, rows of one prompt (`groups`) stand together before length
    counts, so that steps share it. With `ways` a row has several places in the data, of which each epoch draws one.
    """

    def __init__(
        self,
        lengths: list[int],
        step_size: int,
        seed: int,
        groups: list[int] | None = None,
        ways: list[list[int]] | None = None,
    ) -> None:
        self.lengths = lengths
        self.groups = groups or [0] * len(lengths)
        self.ways = ways
        self.step_size = step_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths if self.ways is None else self.ways)

    def drawn(self) -> list[int]:
        """The place in the data of every row of this epoch."""
        if self.ways is None:
            return list(range(len(self.lengths)))
        numbers = np.random.default_rng([self.seed, self.epoch]).random(len(self.ways))
        return [places[int(number * len(places))] for places, number in zip(self.ways, numbers, strict=True)]

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        places = self.drawn()
        shuffled = [places[row] for row in torch.randperm(len(places), generator=random).tolist()]
        window = self.step_size * _WINDOW_STEPS
        steps: list[list[int]] = []
        for start in range(0, len(shuffled), window):
            rows = sorted(shuffled[start : start + window], key=lambda row: (self.groups[row], self.lengths[row]))
            steps += [rows[i : i + self.step_size] for i in range(0, len(rows), self.step_size)]
        # The one short step must stay last, or the loader would cut the others at the wrong places.
        short = [step for step in steps if len(step) < self.step_size]
        full = [step for step in steps if len(step) == self.step_size]
        for index in torch.randperm(len(full), generator=random).tolist():
            yield from full[index]
        for step in short:
            yield from step
