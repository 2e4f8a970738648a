"""How a stage will be computed: shared prefix, output head, compiled layers. Tried on real rows, said with reasons.

The plain path (padded rows, the model's own logits) is the judge: whatever gives other gradients on the first rows is
not used, and a warning says so.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import CalledProcessError
from typing import Any

import torch

from dadeum.core.errors import ModelError, first_line
from dadeum.core.messages import text
from dadeum.core.run import fingerprint
from dadeum.core.stages import Sft
from dadeum.models.kept import known, once
from dadeum.models.precision import Precision
from dadeum.models.threads import use_threads
from dadeum.models.tree_attention import trees
from dadeum.training.out_of_memory import is_out_of_memory
from dadeum.training.prefix import (
    TOLERANCE,
    Row,
    gradients,
    plain_pass,
    relative_difference,
    rows_to_try,
    transformer_layers,
    tree_pass,
)

log = logging.getLogger(__name__)

FAILURES = (
    ModelError, NotImplementedError, RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError,
)  # fmt: skip
"""What an unknown architecture answers to inputs that it does not expect; a lack of memory is told apart before."""
COMPILE_PAYS_FROM_S = 600.0
"""Compiling takes 25 to 60 s on a CPU and makes steps about a seventh shorter (docs/lab-log.md)."""


@dataclass(frozen=True)
class Choices:
    """What was chosen for one stage; stands in the manifest."""

    prefix_shared: bool
    """Rows are packed as trees: no padding, common beginnings once."""
    prefix_difference: float | None
    """Relative gradient difference against the plain path; None: switched off by the recipe, not tried."""
    own_head: bool
    """The head is computed in chunks at answer tokens; otherwise the model's own logits are used."""
    compiled: bool
    compile_reason: str
    """Message key."""
    expected_s: float
    """Seconds of training, extrapolated from the rows that were tried; more than it will take where much is shared."""
    threads: int
    tokens_per_pass: int
    """Most tokens in one forward pass; what it was at the end, once training is over."""
    halved: list[int] = field(default_factory=list)
    """Tokens of a pass after each lack of memory; empty when there was always enough."""


def choose(
    trainer: Any, stage: Sft, rows: list[Row], precision: Precision, stack: ExitStack, untrained: Any = None
) -> Choices:
    """Set the trainer up; model and attention stay switched until `stack` is closed.

    Inside `keeping()`, what was tried with the same numbers (`untrained`, None: unknown) is not tried again.
    """
    threads = use_threads()
    trying = rows_to_try(rows, trainer.data_collator.tokens_per_pass)
    if stage.gradient_checkpointing:  # the trainer switches it on later, and trying must not take more than training
        trainer.model.activation_checkpointing_enable()
    settings = [trying, stage.share_prefix, stage.gradient_checkpointing, stage.trainer_args, precision.dtype, threads]
    key = untrained and (untrained, fingerprint(settings))
    with trainer.compute_loss_context_manager():
        tried = known("choices", key) if key else None
        if tried is None or _not_compiled(stage, tried.expected(trainer, rows)) is None:
            tried, plain = _try(trainer, stage, trying, precision, stack)
            if key:
                once("choices", lambda: key, lambda: tried)
        else:
            plain = []  # only compiled layers are compared with it
            trainer.own_head = tried.own_head
            if tried.shared:
                stack.enter_context(trees(trainer.model))
        trainer.data_collator.share = tried.shared
        expected = tried.expected(trainer, rows)
        compiled, reason = _compile(trainer, stage, trying, plain, precision, expected)
    return Choices(
        tried.shared, tried.difference, tried.own_head, compiled, f"train.compile.{reason}", round(expected, 1),
        threads, trainer.data_collator.tokens_per_pass,
    )  # fmt: skip


@dataclass(frozen=True)
class _Tried:
    """What the first rows showed."""

    shared: bool
    difference: float | None
    own_head: bool
    seconds_per_row: float

    def expected(self, trainer: Any, rows: list[Row]) -> float:
        return self.seconds_per_row * _rows_to_train(trainer, rows)


def _try(
    trainer: Any, stage: Sft, trying: list[Row], precision: Precision, stack: ExitStack
) -> tuple[_Tried, list[torch.Tensor]]:
    """What was found, with which the trainer goes on, and the plain path's gradients."""
    plain = gradients(trainer.model, plain_pass(trying, trainer.data_collator.pad_id))
    shared, difference, seconds = False, None, 0.0
    if stage.share_prefix:
        shared, difference, seconds = _try_trees(trainer, trying, plain, precision, stack)
    if not shared:
        difference, seconds = _try_head(trainer, trying, plain, precision, difference)
    return _Tried(shared, difference, trainer.own_head, seconds / len(trying)), plain


def _try_trees(
    trainer: Any, trying: list[Row], plain: list[torch.Tensor], precision: Precision, stack: ExitStack
) -> tuple[bool, float | None, float]:
    """(used, gradient difference, seconds of one pass): with our head, then with the model's own logits."""
    difference, seconds = None, 0.0
    try:
        switched = stack.enter_context(ExitStack())
        switched.enter_context(trees(trainer.model))
        for own_head in [True, False] if trainer.own_head else [False]:
            trainer.own_head = own_head
            difference, seconds = _measure(trainer, tree_pass(trying), plain)
            if difference <= TOLERANCE[precision.dtype]:
                return True, difference, seconds
        log.warning(text("train.prefix_differs", difference=f"{difference:.3g}"))
    except FAILURES as error:
        if is_out_of_memory(error):
            raise
        # Anything that an unknown architecture does with a tree ends here: the plain path is right for all of them.
        log.warning(text("train.prefix_fails", model=type(trainer.model).__name__, detail=first_line(error)))
    switched.close()
    return False, difference, seconds


def _try_head(
    trainer: Any, trying: list[Row], plain: list[torch.Tensor], precision: Precision, difference: float | None
) -> tuple[float | None, float]:
    inputs = plain_pass(trying, trainer.data_collator.pad_id)
    trainer.own_head = trainer.has_own_head
    if trainer.own_head:
        try:
            found, seconds = _measure(trainer, inputs, plain)
            if found <= TOLERANCE[precision.dtype]:
                return difference, seconds
            log.warning(text("train.head_differs", difference=f"{found:.3g}"))
        except FAILURES as error:
            if is_out_of_memory(error):
                raise
            log.warning(text("train.head_fails", model=type(trainer.model).__name__, detail=first_line(error)))
        trainer.own_head = False
    return difference, _measure(trainer, inputs, plain)[1]


def _measure(trainer: Any, inputs: dict[str, Any], plain: list[torch.Tensor]) -> tuple[float, float]:
    """(gradient difference, seconds) of the trainer's path on `inputs`."""
    started = time.perf_counter()
    found = gradients(trainer.model, inputs, trainer.answer_log_probs)
    return relative_difference(plain, found), time.perf_counter() - started


def _rows_to_train(trainer: Any, rows: list[Row]) -> float:
    args = trainer.args
    if args.max_steps > 0:
        return float(args.max_steps * args.train_batch_size * args.gradient_accumulation_steps)
    return float(len(trainer.ways or rows) * args.num_train_epochs / args.world_size)


def _compile(
    trainer: Any, stage: Sft, trying: list[Row], plain: list[torch.Tensor], precision: Precision, expected_s: float
) -> tuple[bool, str]:
    """(compiled, reason): transformer layers one by one, so that all layers share what is compiled once."""
    if not trainer.data_collator.share:
        return False, "switched_off"
    if reason := _not_compiled(stage, expected_s):
        return False, reason
    layers = transformer_layers(trainer.model)
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        difference, _ = _measure(trainer, tree_pass(trying), plain)
    except (RuntimeError, OSError, TypeError, ValueError, CalledProcessError) as error:  # what compilers fail with
        if is_out_of_memory(error):
            raise
        log.warning(text("train.compile_fails", detail=first_line(error)))
        difference = float("inf")
    if layers and difference <= TOLERANCE[precision.dtype]:
        return True, "asked" if stage.compile == "on" else "pays"
    for layer in layers:
        layer._compiled_call_impl = None
    return False, "failed"


def _not_compiled(stage: Sft, expected_s: float) -> str | None:
    """Why layers that share a prefix are not compiled; None: they are."""
    if stage.compile == "off":
        return "switched_off"
    if stage.compile == "auto":
        if torch.cuda.is_available():
            return "not_measured_on_gpu"
        if not shutil.which(os.environ.get("CXX", "g++")):
            return "no_compiler"
        if expected_s < COMPILE_PAYS_FROM_S:
            return "too_short"
    return None
