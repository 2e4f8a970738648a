"""Pairs of one batch as one packed tree, in trl's trainers: tried against trl's own path first, as `sft` does.

Chosen and rejected share their prompt, so half of what trl computes is computed twice. Where gradients on the first
pairs differ from trl's, or the recipe asks trl for another loss, trl's own path is used, and said so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from dadeum.core.errors import ModelError, first_line
from dadeum.core.messages import text
from dadeum.models.threads import use_threads
from dadeum.models.tree_attention import trees
from dadeum.training.choices import FAILURES
from dadeum.training.out_of_memory import is_out_of_memory
from dadeum.training.prefix import TOLERANCE, relative_difference, transformer_layers
from dadeum.training.work import Work

log = logging.getLogger(__name__)

Pair = dict[str, Any]
_TRIED_PAIRS = 2


@dataclass
class Packed:
    """The pairs of a batch, past accelerate's moving of tensors."""

    pairs: list[Pair]


class PairCollator:
    """Pairs → what trl's own collator makes of them, or the pairs themselves to be packed."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        self.packed = False

    def __call__(self, pairs: list[Pair]) -> dict[str, Any]:
        if self.packed:
            return {"rows": torch.ones(len(pairs), dtype=torch.long), "packed": Packed(pairs)}
        made: dict[str, Any] = self.plain(pairs)
        return made


class PackedPairs:
    """What trl's trainers of pairs have in common here; mixed in before them."""

    work: Work
    tokens_computed = 0
    num_tokens = 0

    def packed_loss(self, model: Any, pairs: list[Pair]) -> torch.Tensor:
        raise NotImplementedError

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # token ids already, by the renderer that serves

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = None  # remove_unused_columns is off

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean over the pairs of the batch."""
        if "packed" in inputs:
            return self.packed_loss(model, inputs["packed"].pairs)
        self.count(int(inputs["attention_mask"].sum()), inputs["input_ids"].numel())
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[misc]

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """The loss alone: nobody reads the logits."""
        with torch.no_grad(), self.compute_loss_context_manager():  # type: ignore[attr-defined]
            return self.compute_loss(model, self._prepare_inputs(inputs)), None, None  # type: ignore[attr-defined]

    def count(self, tokens: int, computed: int) -> None:
        """Tokens of the data, and of what went through the model, while training."""
        if self.model.training:  # type: ignore[attr-defined]
            self.num_tokens += tokens
            self.tokens_computed += computed

    def note(self, **values: torch.Tensor) -> None:
        """Metrics of a batch, logged as trl logs its own; `__` in a name stands for its slash."""
        found = self._metrics["train" if self.model.training else "eval"]  # type: ignore[attr-defined]
        for name, value in values.items():
            found[name.replace("__", "/")].append(float(value.detach().float().mean()))

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().training_step(*args, **kwargs)  # type: ignore[misc]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            stage, step = self.work.stage, self.state.global_step + 1  # type: ignore[attr-defined]
            values = {"stage": stage.name, "size": stage.batch_size, "step": step, "detail": first_line(error)}
            raise ModelError("train.preferences.out_of_memory", **values) from error

    def floating_point_ops(self, inputs: Any) -> int:
        return 0  # transformers would count tokens that were never computed

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None in checkpoints: export writes ours."""


def full_precision(model: Any) -> None:
    """trl puts the adapter of a quantised base in bf16, where small updates are lost; ours stay fp32."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dtype is not torch.float32:
            parameter.data = parameter.data.float()


def choose(trainer: Any, pairs: list[Pair], others: list[str], stack: ExitStack) -> dict[str, Any]:
    """Packs pairs where that gives trl's gradients; attention stays switched until `stack` is closed.

    `others` are trainer_args that our loss does not know.
    """
    work: Work = trainer.work
    threads, difference = use_threads(), None
    if work.stage.gradient_checkpointing:  # trl switches it on with the training, and trying must not take more
        trainer.model.activation_checkpointing_enable()
    if others:
        log.warning(text("train.preferences.trl_path", stage=work.stage.name, names=", ".join(others)))
    else:
        trainer.data_collator.packed, difference = _try(trainer, pairs, stack)
    return {
        "prefix_shared": trainer.data_collator.packed, "prefix_difference": difference, "compiled": False,
        "compile_reason": "train.compile.switched_off", "threads": threads, "halved": [],
    }  # fmt: skip


def _try(trainer: Any, pairs: list[Pair], stack: ExitStack) -> tuple[bool, float | None]:
    model, stage, dtype = trainer.model, trainer.work.stage, trainer.work.precision.dtype
    longest = sorted(pairs, key=lambda pair: -_length(pair))[:_TRIED_PAIRS]
    batch = trainer._prepare_inputs(trainer.data_collator(longest))
    plain = gradients(trainer, lambda: trainer.compute_loss(model, batch))
    difference = None
    switched = stack.enter_context(ExitStack())
    try:
        switched.enter_context(trees(model))
        packed = gradients(trainer, lambda: trainer.packed_loss(model, longest))
        difference = relative_difference(plain, packed)
        if difference <= TOLERANCE[dtype]:
            return True, difference
        log.warning(text("train.preferences.differs", stage=stage.name, difference=f"{difference:.3g}"))
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        log.warning(text("train.preferences.fails", model=type(model).__name__, detail=first_line(error)))
    switched.close()
    return False, difference


def _length(pair: Pair) -> int:
    return sum(len(value) for name, value in pair.items() if name.endswith("_ids"))


def gradients(trainer: Any, loss_of: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of all trained weights, dropout off; metrics and counts of trying are forgotten."""
    trained = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    with evaluating(trainer), trainer.compute_loss_context_manager():
        for layer in transformer_layers(trainer.model):
            layer.training = trainer.work.stage.gradient_checkpointing  # recomputed only while training
        found = torch.autograd.grad(loss_of(), trained, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)]


@contextmanager
def evaluating(trainer: Any) -> Iterator[None]:
    """No dropout, and nothing of what is computed inside is logged."""
    was_training = trainer.model.training
    trainer.model.eval()
    try:
        yield
    finally:
        trainer.model.train(was_training)
        trainer._metrics["eval"].clear()
