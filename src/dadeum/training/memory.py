"""What a stage will hold at its peak: weights, optimizer, one pass, and what the process holds anyway.

The pass is counted by `training/memory_trace.py`; what is added here has a reason each. `benchmarks/memory_plan.py`
compares the sum with measured runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Contrastive, Sft
from dadeum.models.memory import used_mb
from dadeum.models.token_budget import cut_padded
from dadeum.training.memory_trace import EmptyModel
from dadeum.training.order import LengthWindowSampler
from dadeum.training.prefix import Row, cut, plain_pass, tree_pass

_MB = 2**20
_STARTED_MB = 120
"""What a run holds and `plan` does not: trl, accelerate, datasets, and the code and buffers of the first products."""
_HEAP_SLACK = 1.6
"""glibc keeps tensors of up to 32 MiB in one heap whose holes are not all filled again: what they take there for every
byte. Measured 1.5 to 1.9 (docs/lab-log.md); pages of their own would cost half the speed."""
_HEAP_SLACK_OF_COLUMNS = 1.2
"""The same for embedding models, whose columns of like size fill each other's holes: measured once, on minilm-l6 with
16 questions and 32 chunks of 200 tokens, 4.4 GB where this gives 4.5."""
_STEPS_LOOKED_AT = 3
"""Longest optimizer steps whose passes are packed to find the largest one."""


@dataclass(frozen=True)
class Need:
    """Peak of a stage in MiB, and what it is made of."""

    process: float
    """Interpreter, libraries and rows; 0 on a GPU."""
    weights: float
    optimizer: float
    """Moments of the trained weights."""
    computing: float
    """Activations, gradients and logits of the largest pass, or the optimizer's own step where that is more, or the
    file that the weights are read and cast from, before there is any of these."""

    @property
    def total(self) -> float:
        return self.process + self.weights + self.optimizer + self.computing


@dataclass(frozen=True)
class Peak:
    """Bytes that a method needs beside the weights it trains."""

    training: int
    """Of the largest pass."""
    before: int = 0
    """Of what is written and tried before the optimizer holds anything."""
    held: int = 0
    """Of other weights that stay: a reference, a reward model."""
    process: int = 0
    """Of libraries that `plan` has not loaded."""


class Passes(Protocol):
    """What a stage makes of its rows, as far as memory depends on it."""

    def peak(self, model: EmptyModel, stage: Any, seed: int) -> Peak: ...


class _OnePass:
    """The largest pass of a step is all there is."""

    def largest_pass(self, stage: Any, seed: int) -> tuple[dict[str, Any], int]:
        raise NotImplementedError

    def peak(self, model: EmptyModel, stage: Any, seed: int) -> Peak:
        inputs, num_passes = self.largest_pass(stage, seed)
        return Peak(model.pass_bytes(inputs, gradients_exist=num_passes > 1))


class StageRows(_OnePass):
    """Lengths of all training rows, and their tokens when asked for."""

    def __init__(self, lengths: Sequence[int], row_at: Callable[[int], Row]) -> None:
        self.lengths = list(lengths)
        self.row_at = row_at

    def largest_pass(self, stage: Sft, seed: int) -> tuple[dict[str, Any], int]:
        """(inputs of the pass with the most tokens, number of passes of its step)."""
        budget = stage.tokens_per_pass or stage.batch_size * max(self.lengths)
        found: list[tuple[dict[str, Any], int]] = []
        for step in self._longest_steps(stage, seed):
            rows = [self.row_at(index) for index in step]
            if stage.share_prefix:
                passes = [tree_pass(part) for part in cut(rows, budget)]
            else:
                parts = cut_padded([row["input_ids"] for row in rows], budget)
                passes = [plain_pass([rows[index] for index in part], pad_id=0) for part in parts]
            found += [(one, len(passes)) for one in passes]
        return max(found, key=lambda one: one[0]["input_ids"].numel())

    def _longest_steps(self, stage: Sft, seed: int) -> list[list[int]]:
        size = stage.batch_size * stage.accumulation_steps
        sampler = LengthWindowSampler(self.lengths, size, seed)
        steps = []
        for epoch in range(math.ceil(min(stage.epochs, 2))):
            sampler.set_epoch(epoch)
            order = list(sampler)
            steps += [order[start : start + size] for start in range(0, len(order), size)]
        return sorted(steps, key=lambda step: -sum(self.lengths[index] for index in step))[:_STEPS_LOOKED_AT]


class PairRows(_OnePass):
    """Lengths of all sources and targets, and a batch of rows when asked for."""

    def __init__(self, lengths: Sequence[tuple[int, int]], batch: Callable[[list[int]], dict[str, Any]]) -> None:
        self.lengths = list(lengths)
        self.batch = batch

    def largest_pass(self, stage: AnyStage, seed: int) -> tuple[dict[str, Any], int]:
        """As the trainer cuts them: rows of like length together, `batch_size` at once."""
        step = stage.batch_size * stage.accumulation_steps
        sampler = LengthWindowSampler([sum(pair) for pair in self.lengths], step, seed)
        passes = []
        for epoch in range(math.ceil(min(stage.epochs, 2))):
            sampler.set_epoch(epoch)
            order = list(sampler)
            passes += [order[start : start + stage.batch_size] for start in range(0, len(order), stage.batch_size)]
        return self.batch(max(passes, key=self._padded)), stage.accumulation_steps

    def _padded(self, rows: list[int]) -> int:
        sources, targets = zip(*(self.lengths[row] for row in rows), strict=True)
        return int(len(rows) * (max(sources) + max(targets)))


def expected(recipe: Recipe, stage: AnyStage, dtype: str, rows: Passes, on_gpu: bool) -> Need:
    """Peak of `stage` where it is trained with `dtype`; loads no weights, takes a second or two."""
    # Under gradient checkpointing freed pages go back at once (models/memory.py), so nothing is left in a heap.
    slack = _HEAP_SLACK_OF_COLUMNS if isinstance(stage, Contrastive) else _HEAP_SLACK
    heap_slack = 1.0 if on_gpu or stage.gradient_checkpointing else slack
    model = EmptyModel(recipe.model, stage, dtype, heap_slack)
    peak = rows.peak(model, stage, recipe.seed)
    process = 0.0 if on_gpu else used_mb() + _STARTED_MB + peak.process / _MB
    moments = model.trained_bytes // 4 * moment_bytes(stage.optim, on_gpu)
    stepping = model.trained_bytes + _step_bytes(model, on_gpu)
    mapped = 0 if on_gpu else model.mapped_bytes
    loading = 0 if on_gpu else model.file_bytes - mapped - moments - peak.held
    before = peak.before + model.largest_layer - moments
    computing = max(peak.training + model.largest_layer, stepping, loading, before)
    weights = model.weight_bytes + mapped + peak.held
    return Need(process, weights / _MB, moments / _MB, computing / _MB)


def moment_bytes(optim: str, on_gpu: bool) -> float:
    """Bytes of optimizer state a trained weight."""
    if on_gpu and "paged" in optim:
        return 0.0  # managed memory outside torch's own, which moves to the host when the GPU is full
    if "8bit" in optim:
        return 2.03
    if "4bit" in optim:
        return 1.06
    if optim.startswith("sgd") or optim == "adafactor":
        return 0.1  # plain SGD keeps nothing, Adafactor a row and a column of each matrix
    return 4.0 if any(name in optim for name in ("lion", "rmsprop", "adagrad")) else 8.0


def _step_bytes(model: EmptyModel, on_gpu: bool) -> float:
    """What the optimizer's step holds for a moment: on a GPU of all weights at once (foreach), else of one."""
    return model.trained_bytes if on_gpu else 2 * max(parameter.nbytes for parameter in model.trained)
