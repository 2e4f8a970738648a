"""Supervised fine-tuning: trl's SFTTrainer with our mask, our order, the prefix shared, the head only at answers.

Rows are padded on the left, so all answers end in the last column and `logits_to_keep` gives exactly their
positions on any architecture (`training/prefix.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer

from dadeum.training.prefix import weighted_loss_sum

_WINDOW_BATCHES = 16


class LengthWindowSampler(Sampler[int]):
    """Shuffled rows, sorted by length inside windows of a few batches, batches shuffled again.

    The order is a function of (seed, epoch) alone, so a resumed run sees the same rows as an uninterrupted one.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        shuffled = torch.randperm(len(self.lengths), generator=random).tolist()
        window = self.batch_size * _WINDOW_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(shuffled), window):
            rows = sorted(shuffled[start : start + window], key=lambda row: self.lengths[row])
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        # The one short batch must stay last, or the loader would cut the others at the wrong places.
        short = [batch for batch in batches if len(batch) < self.batch_size]
        full = [batch for batch in batches if len(batch) == self.batch_size]
        for index in torch.randperm(len(full), generator=random).tolist():
            yield from full[index]
        for batch in short:
            yield from batch


class AnswerTrainer(SFTTrainer):
    """SFTTrainer on rows that are already token ids, with weighted answer tokens."""

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "weights"]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        return LengthWindowSampler(lengths, self.args.train_batch_size, self.args.seed)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted cross-entropy on labelled tokens; equals the plain loss when all weights are 1."""
        total, logits, wanted = weighted_loss_sum(model, inputs)
        count = wanted.numel() if num_items_in_batch is None else num_items_in_batch
        loss = total / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        self._count(inputs, logits, wanted)
        return (loss, {"logits": logits}) if return_outputs else loss

    @property
    def tokens_seen(self) -> int:
        """Prompt and answer tokens of all training batches so far, padding not counted."""
        return int(self._total_train_tokens)

    def _count(self, inputs: dict[str, Any], logits: torch.Tensor, wanted: torch.Tensor) -> None:
        """The two metrics that trl logs beside the loss."""
        mode = "train" if self.model.training else "eval"
        right = (logits.detach().argmax(-1) == wanted).float().mean().item() if wanted.numel() else 0.0
        self._metrics[mode]["mean_token_accuracy"].append(right)
        if mode == "train":
            # The mask spans the shared prefix on every row: tokens of the data, not of the work saved.
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
