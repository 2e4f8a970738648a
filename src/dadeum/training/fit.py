"""Does a stage fit into this machine, and if not, what to change: same effective batch first, then what costs time.

In this order: a smaller micro-batch with more accumulation, gradient checkpointing, a lighter adapter or base. The
first two give the same gradient, the last ones another model: proposed only when nothing else helps. Embedding models
learn from the wrong chunks of their batch, so that there checkpointing comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from dadeum.core.errors import DadeumError, first_line
from dadeum.core.messages import text
from dadeum.core.model import Lora, NoAdapter, QLora
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Contrastive, Sft
from dadeum.models.memory import left_mb, used_mb
from dadeum.training.memory import Need, Passes, expected

_ROOM = 0.95
"""Share of the machine's free memory that a plan may count on."""
UNTRACEABLE = (NotImplementedError, RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError)
"""What an architecture that needs real numbers to choose its path answers to tensors without contents."""


@dataclass(frozen=True)
class Fit:
    """Need of a stage beside what there is."""

    need: Need | None
    """None where the architecture cannot be traced; `unknown_because` says why."""
    room_mb: float | None
    """What the process may grow to; None where the machine does not say."""
    changes: dict[str, Any] | None = None
    """Settings that fit, as `{"stages": {name: {…}}, "model": {…}}`; None when it fits as it is or nothing does."""
    changed_mb: float | None = None
    unknown_because: str | None = None
    needs_whole_batch: bool = False
    """The rows of a batch are learnt from together: a smaller one learns otherwise."""

    @property
    def fits(self) -> bool | None:
        """None when one side is not known."""
        if self.need is None or self.room_mb is None:
            return None
        return self.need.total <= self.room_mb

    def lines(self, stage: str) -> list[str]:
        """What `plan` says under a stage that does not fit, or cannot be counted; nothing when it fits."""
        if self.need is None:
            return [text("train.memory.not_traced", stage=stage, detail=self.unknown_because)]
        if self.room_mb is None or self.fits:
            return []
        said = [text("train.memory.does_not_fit", stage=stage, need=self.need.total / 1024, room=self.room_mb / 1024)]
        if self.changes is None or self.changed_mb is None:
            return [*said, text("train.memory.nothing_fits")]
        settings = yaml.safe_dump(self.changes, default_flow_style=True, sort_keys=False, width=1000).strip()
        said.append(text("train.memory.try_this", need=self.changed_mb / 1024, settings=settings[1:-1]))
        return [*said, text(self._effect(stage))]

    def _effect(self, stage: str) -> str:
        """The sentence about what the change does to the result."""
        assert self.changes is not None
        if "model" in self.changes:
            return "train.memory.other_model"
        if self.needs_whole_batch and "batch_size" in self.changes["stages"][stage]:
            return "plan.retrieve.fewer_negatives"
        return "train.memory.same_step"


def fit(recipe: Recipe, stage: AnyStage, dtype: str, rows: Passes) -> Fit:
    """Trace the stage; where it does not fit, trace smaller ones until one does."""
    import torch

    on_gpu, left = torch.cuda.is_available(), left_mb()
    room = None if left is None else (left + used_mb()) * _ROOM
    try:
        need = expected(recipe, stage, dtype, rows, on_gpu)
        if room is None or need.total <= room:
            return Fit(need, room)
        for changes, other, smaller in _smaller(recipe, stage):
            found = expected(other, smaller, dtype, rows, on_gpu).total
            if found <= room:
                return Fit(need, room, changes, found, needs_whole_batch=isinstance(stage, Contrastive))
    except DadeumError:
        raise
    except UNTRACEABLE as error:
        return Fit(None, room, unknown_because=first_line(error))
    return Fit(need, room)


def _smaller(recipe: Recipe, stage: AnyStage) -> Iterator[tuple[dict[str, Any], Recipe, AnyStage]]:
    """(changes, recipe, stage) from the least change to the greatest."""
    for settings in [] if isinstance(stage, Contrastive) else _batches(stage):
        yield {"stages": {stage.name: settings}}, recipe, stage.model_copy(update=settings)
    for settings in ({}, *_batches(stage)):
        settings = settings | {"gradient_checkpointing": True}
        yield {"stages": {stage.name: settings}}, recipe, stage.model_copy(update=settings)
    for adapter in [] if isinstance(stage, Contrastive) else _lighter(recipe.model.adapter):
        other = recipe.model_copy(update={"model": recipe.model.model_copy(update={"adapter": adapter})})
        said = {"model": {"adapter": {"type": adapter.type}}}
        for settings in ({}, *_batches(stage)):
            settings = settings | {"gradient_checkpointing": True}
            yield said | {"stages": {stage.name: settings}}, other, stage.model_copy(update=settings)


def _batches(stage: AnyStage) -> Iterator[dict[str, int | None]]:
    """The same effective batch in ever smaller parts, down to one row."""
    together = stage.batch_size * stage.accumulation_steps
    size = stage.batch_size
    while size > 1:
        size //= 2
        while together % size:
            size -= 1
        # Room that the recipe gives in tokens would stay as large as it was.
        smaller: dict[str, int | None] = {"batch_size": size, "accumulation_steps": together // size}
        in_tokens = isinstance(stage, Sft) and stage.tokens_per_pass
        yield smaller | {"tokens_per_pass": None} if in_tokens else smaller


def _lighter(adapter: Any) -> Iterator[Lora | QLora]:
    if isinstance(adapter, NoAdapter):
        yield Lora(type="lora")
        yield QLora(type="qlora")
    elif not isinstance(adapter, QLora):
        yield QLora.model_validate(adapter.model_dump() | {"type": "qlora"})
    elif adapter.bits == 8:
        yield adapter.model_copy(update={"bits": 4})
