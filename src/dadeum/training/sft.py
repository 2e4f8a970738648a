"""Supervised fine-tuning: trl's SFTTrainer with our mask, our order, shared prefixes, the head only at answers.

One batch of the data loader is one optimizer step; `training/prefix.py` cuts it into forward passes. How it is cut
changes time and memory, never the gradient: the loss is divided by the answer tokens of the whole step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer

from dadeum.core.errors import ModelError
from dadeum.training.head import IGNORED, add_answer_head, has_plain_head
from dadeum.training.prefix import answer_log_probs, weighted_loss

_WINDOW_STEPS = 16


class LengthWindowSampler(Sampler[int]):
    """Shuffled rows, sorted by length inside windows of a few steps, steps shuffled again.

    The order is a function of (seed, epoch) alone, so a resumed run sees the same rows as an uninterrupted one, and
    every row is seen once an epoch. Inside a window, rows of one prompt (`groups`) stand together before length
    counts, so that steps share it.
    """

    def __init__(self, lengths: list[int], step_size: int, seed: int, groups: list[int] | None = None) -> None:
        self.lengths = lengths
        self.groups = groups or [0] * len(lengths)
        self.step_size = step_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        shuffled = torch.randperm(len(self.lengths), generator=random).tolist()
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


class AnswerTrainer(SFTTrainer):
    """SFTTrainer on rows that are already token ids, with weighted answer tokens."""

    groups: list[int] | None = None
    """For every training row a number that rows of one prompt have in common."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            # Both take a backward pass for a step, or shard the head: several passes a step would be silently wrong.
            raise ModelError("train.not_sharded")
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        self.has_own_head = self.own_head = has_plain_head(base)
        self.tokens_computed = 0
        if self.has_own_head:
            add_answer_head(base)

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "weights"]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        # The ranks take turns at batches of one step: together they see what a single process would.
        step_size = self.args.train_batch_size * self.args.world_size
        return LengthWindowSampler(lengths, step_size, self.args.seed, self.groups)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """Answer tokens of the whole optimizer step, on all devices."""
        labels = [one["answer_labels"] for batch in batch_samples for one in batch["passes"]]
        count = torch.stack([(one != IGNORED).sum() for one in labels]).sum().to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Every pass of one step; gradients travel between devices with the last one only."""
        total = torch.zeros((), device=self.args.device)
        for number, one in enumerate(inputs["passes"], start=1):
            last = number == len(inputs["passes"])
            with nullcontext() if last else self.accelerator.no_sync(model):
                total += super().training_step(model, one, num_items_in_batch)
        return total

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Validation loss of one batch: mean over its answer tokens."""
        count = self._get_num_items_in_batch([inputs], self.args.device)
        losses = []
        with torch.no_grad(), self.compute_loss_context_manager():
            for one in inputs["passes"]:
                losses.append(self.compute_loss(model, self._prepare_inputs(one), num_items_in_batch=count))
        return torch.stack(losses).sum(), None, None

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted cross-entropy on labelled tokens; equals the plain loss when all weights are 1."""
        log_probs, right = self.answer_log_probs(model, inputs)
        count = len(log_probs) if num_items_in_batch is None else num_items_in_batch
        loss = weighted_loss(log_probs, inputs) / torch.as_tensor(count).clamp(min=1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes
        self._count(inputs, right)
        return (loss, {"log_probs": log_probs}) if return_outputs else loss

    def answer_log_probs(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log probabilities at answer tokens, by our own head where it is a plain one."""
        if not self.own_head:
            return answer_log_probs(model, inputs)
        out = model(**{key: value for key, value in inputs.items() if key != "answer_weights"})
        return out["log_probs"], out["right"]

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # transformers would count tokens that were never computed

    @property
    def tokens_seen(self) -> int:
        """Prompt and answer tokens of all training rows so far: of the data, not of the work that was saved."""
        return int(self._total_train_tokens)

    def _count(self, inputs: dict[str, Any], right: torch.Tensor) -> None:
        """The two metrics that trl logs beside the loss."""
        mode = "train" if self.model.training else "eval"
        self._metrics[mode]["mean_token_accuracy"].append(right.float().mean().item() if len(right) else 0.0)
        if mode == "train":
            tree = inputs.get("tree")
            tokens = inputs["attention_mask"].sum() if tree is None else sum(len(path) + 1 for path in tree.paths)
            self._total_train_tokens += int(tokens)
            self.tokens_computed += inputs["input_ids"].numel()
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
