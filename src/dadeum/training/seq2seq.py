"""transformers' Seq2SeqTrainer with the loss that its models leave out: the mean over the answer tokens of a step.

BART, mBART and T5 take the mean over each batch whatever the trainer asks for, and the trainer believes that they do
not: with accumulation, gradients would be the sum of those means. Validation is one mean over all of its tokens too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import Seq2SeqTrainer

from dadeum.models.render import IGNORED
from dadeum.training.order import LengthWindowSampler


class AnswerSeq2SeqTrainer(Seq2SeqTrainer):
    """Seq2SeqTrainer on rows that are already token ids."""

    loss_is_scaled_for_ga = True
    ways: list[list[int]] | None = None
    """Places of each row in the data, of which every epoch draws one; None where every place is a row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True  # of compute_loss below: the trainer counts a step's answer tokens for it
        self.tokens_seen = 0
        self.tokens_computed = 0
        self._validation: list[torch.Tensor] = []
        for parameter in self.model.parameters():
            # Small updates are lost in half precision.
            if parameter.requires_grad and parameter.dtype is not torch.float32:
                parameter.data = parameter.data.float()

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(row.input_ids) + len(row.labels) for row in rows]
        step_size = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthWindowSampler(lengths, step_size, self.args.seed, ways=self.ways)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross-entropy summed over answer tokens, divided by those of the whole optimizer step."""
        total, count = self._summed(model, inputs)
        loss = total / (count if num_items_in_batch is None else num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over devices
        self.tokens_seen += int(inputs["attention_mask"].sum() + count)
        self.tokens_computed += inputs["input_ids"].numel() + inputs["labels"].numel()
        return (loss, {}) if return_outputs else loss

    def _summed(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        labels = inputs["labels"]
        out = model(**{name: value for name, value in inputs.items() if name != "labels"})
        total = functional.cross_entropy(
            out.logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum",
            label_smoothing=self.args.label_smoothing_factor if model.training else 0.0,
        )  # fmt: skip
        return total, (labels != IGNORED).sum()

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None, **_: Any
    ) -> Any:
        """Loss of one validation batch; its sum and its tokens are remembered for the mean over all of them."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            total, count = self._summed(model, inputs)
        self._validation.append(torch.stack([total.double(), count.double()]))
        return (total / count).detach(), None, None

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers does it, with the mean over answer tokens in place of the mean over batches."""
        self._validation = []
        output = super().evaluation_loop(*args, **kwargs)
        sums = self.accelerator.gather(torch.stack(self._validation).sum(0).unsqueeze(0)).sum(0)
        prefix = kwargs.get("metric_key_prefix", "eval")
        output.metrics[f"{prefix}_loss"] = float(sums[0] / sums[1])
        return output
