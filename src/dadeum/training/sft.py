"""Supervised fine-tuning: trl's SFTTrainer with our mask, our order, and the head only where answers stand.

Rows are padded on the left, so all answers end in the last column and `logits_to_keep` gives exactly their
positions on any architecture: soft-capping, logit scale and head bias stay the model's own business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import Sampler
from trl import SFTTrainer

IGNORED = -100
_WINDOW_BATCHES = 16


class AnswerCollator:
    """Rows of {input_ids, labels, weights} → left-padded tensors, each (rows, longest)."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)

        def left(key: str, fill: float, dtype: torch.dtype) -> torch.Tensor:
            return torch.tensor([[fill] * (longest - len(row[key])) + list(row[key]) for row in rows], dtype=dtype)

        mask = [[0] * (longest - len(row["input_ids"])) + [1] * len(row["input_ids"]) for row in rows]
        attention = torch.tensor(mask)
        return {
            "input_ids": left("input_ids", self.pad_id, torch.long),
            "attention_mask": attention,
            "position_ids": (attention.cumsum(-1) - 1).clamp(min=0),
            "labels": left("labels", IGNORED, torch.long),
            "weights": left("weights", 0.0, torch.float32),
        }


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


class AnswerTrainer(SFTTrainer):  # type: ignore[misc]
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
        labels, weights = inputs["labels"], inputs["weights"]
        # The label of column j is predicted by column j-1, so one more column than the longest answer is needed.
        width = int((labels != IGNORED).sum(-1).max()) + 1
        forward = {key: inputs[key] for key in ("input_ids", "attention_mask", "position_ids")}
        outputs = model(**forward, use_cache=False, logits_to_keep=width)
        wanted, scale = labels[:, 1 - width :], weights[:, 1 - width :]
        labelled = wanted != IGNORED
        logits = outputs.logits[:, :-1][labelled].float()
        losses = functional.cross_entropy(logits, wanted[labelled], reduction="none")
        count = labelled.sum() if num_items_in_batch is None else num_items_in_batch
        loss = (losses * scale[labelled]).sum() / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        self._count(inputs, logits, wanted[labelled])
        return (loss, outputs) if return_outputs else loss

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
            self._total_train_tokens += int(inputs["attention_mask"].sum())
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
