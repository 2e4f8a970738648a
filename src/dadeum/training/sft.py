"""Supervised fine-tuning: trl's SFTTrainer with our mask, our order, shared prefixes, the head only at answers.

One batch of the data loader is one optimizer step; `training/prefix.py` cuts it into forward passes. How it is cut
changes time and memory, never the gradient: the loss is divided by the answer tokens of the whole step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch.utils.data import Sampler
from trl import SFTTrainer

from dadeum.core.errors import ModelError, first_line
from dadeum.training.head import IGNORED, add_answer_head, has_plain_head
from dadeum.training.order import LengthWindowSampler
from dadeum.training.out_of_memory import Halvings, is_out_of_memory, recut, smaller
from dadeum.training.prefix import answer_log_probs, weighted_loss


class AnswerTrainer(SFTTrainer):
    """SFTTrainer on rows that are already token ids, with weighted answer tokens."""

    groups: list[int] | None = None
    """For every training row a number that rows of one prompt have in common."""
    ways: list[list[int]] | None = None
    """Places in the training data of each row's ways to ask, where every epoch draws one (training/instructions.py)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            # Both take a backward pass for a step, or shard the head: several passes a step would be silently wrong.
            raise ModelError("train.not_sharded")
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        self.has_own_head = self.own_head = has_plain_head(base)
        self.tokens_computed = 0
        self.halvings = Halvings()
        if self.has_own_head:
            add_answer_head(base)
        for parameter in self.model.parameters():
            # trl puts the adapter of a quantised base in bf16, where small updates are lost; ours stay fp32.
            if parameter.requires_grad and parameter.dtype is not torch.float32:
                parameter.data = parameter.data.float()

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["input_ids", "labels", "weights"]

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        # The ranks take turns at batches of one step: together they see what a single process would.
        step_size = self.args.train_batch_size * self.args.world_size
        return LengthWindowSampler(lengths, step_size, self.args.seed, self.groups, self.ways)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """Answer tokens of the whole optimizer step, on all devices."""
        labels = [one["answer_labels"] for batch in batch_samples for one in batch["passes"]]
        count = torch.stack([(one != IGNORED).sum() for one in labels]).sum().to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Every pass of one step; where one does not fit, all of them again in smaller ones (out_of_memory.py)."""

        def forget() -> None:
            # One batch is one step, so every gradient there is comes from this step and is made again.
            model.zero_grad(set_to_none=True)

        return self._within_memory(inputs, lambda batch: self._passes(model, batch, num_items_in_batch), forget)

    def _passes(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any) -> torch.Tensor:
        """Gradients travel between devices with the last pass only."""
        total = torch.zeros((), device=self.args.device)
        for number, one in enumerate(inputs["passes"], start=1):
            last = number == len(inputs["passes"])
            with nullcontext() if last else self.accelerator.no_sync(model):
                total += super().training_step(model, one, num_items_in_batch)
        return total

    def _within_memory(self, batch: dict[str, Any], work: Callable[[Any], Any], forget: Callable[[], None]) -> Any:
        """work(batch), again and again in smaller passes until it fits; what the failed try counted is taken back."""
        batch = recut(batch, self.data_collator)
        while True:
            counted = (self.tokens_seen, self.tokens_computed, {k: list(v) for k, v in self._mode.items()})
            try:
                return work(batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.args.world_size > 1 or self.args.gradient_accumulation_steps > 1:
                    # The others wait for this rank's gradients; and earlier batches' would be lost with this one's.
                    raise ModelError("train.memory.several", tokens=self.data_collator.tokens_per_pass) from error
                reason = first_line(error)
            # Past the except block: until here the error's traceback holds every tensor of the failed pass.
            forget()
            self._total_train_tokens, self.tokens_computed, metrics = counted
            self._mode.clear()
            self._mode.update(metrics)
            batch = smaller(batch, self.data_collator, self.halvings, reason, self.state.global_step + 1)

    @property
    def _mode(self) -> dict[str, Any]:
        found: dict[str, Any] = self._metrics["train" if self.model.training else "eval"]
        return found

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Validation loss of one batch: mean over its answer tokens."""
        count = self._get_num_items_in_batch([inputs], self.args.device)

        def losses(batch: dict[str, Any]) -> torch.Tensor:
            found = []
            with torch.no_grad(), self.compute_loss_context_manager():
                for one in batch["passes"]:
                    found.append(self.compute_loss(model, self._prepare_inputs(one), num_items_in_batch=count))
            return torch.stack(found).sum()

        return self._within_memory(inputs, losses, lambda: None), None, None

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
