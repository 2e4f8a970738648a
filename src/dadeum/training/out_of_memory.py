"""What to do when a pass does not fit: the same optimizer step again, in passes half as large, said aloud.

A step's gradient does not depend on how its rows are cut into passes, so training goes on as if there had been room.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from dadeum.core.errors import ModelError
from dadeum.core.messages import text
from dadeum.models.memory import return_freed

log = logging.getLogger(__name__)
_SAID = (
    "can't allocate memory", "not enough memory", "std::bad_alloc", "could not create a memory object", "out of memory",
)  # fmt: skip
"""How torch, the C++ library, oneDNN and CUDA say it in a RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """An error of torch, Python or a library below that means: no more memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


@dataclass
class Step:
    """Rows of one optimizer step, to be cut again; travels beside its passes, past accelerate's moving of tensors."""

    rows: list[dict[str, Any]]
    budget: int
    """Tokens of a pass when it was cut."""


@dataclass
class Halvings:
    """How often passes had to become smaller, and whom to tell."""

    tell: Callable[..., None] = lambda **_: None
    tokens: list[int] = field(default_factory=list)
    """Tokens of a pass after each lack of memory, falling."""


def smaller(batch: dict[str, Any], collator: Any, halvings: Halvings, reason: str, step: int) -> dict[str, Any]:
    """The batch in passes of half the tokens; ModelError when each of them is a single row already."""
    gc.collect()
    return_freed()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    largest = max(one["input_ids"].numel() for one in batch["passes"])
    if len(batch["passes"]) >= len(batch["step"].rows):
        raise ModelError("train.memory.one_row", tokens=largest, detail=reason)
    budget = min(largest, collator.tokens_per_pass) // 2
    collator.tokens_per_pass = budget
    halvings.tokens.append(budget)
    log.warning(text("train.memory.halved", step=step, tokens=largest, now=budget, detail=reason))
    halvings.tell(step=step, tokens=largest, now=budget, detail=reason)
    return recut(batch, collator)


def recut(batch: dict[str, Any], collator: Any) -> dict[str, Any]:
    """The batch as it is, or cut anew where it was cut before passes became smaller."""
    if batch["step"].budget <= collator.tokens_per_pass:
        return batch
    again: dict[str, Any] = collator(batch["step"].rows)
    return again
