"""Instruction augmentation: the same rows asked for in several ways, so that a model does not learn one wording.

`copy` trains on every row in every way; `sample` holds them all and draws one per row and epoch (`training/order.py`),
so that an epoch stays as long as without. Validation keeps the task's own instruction: it is what will be asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dadeum.core.errors import RecipeError
from dadeum.core.examples import Example
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Supervised
from dadeum.core.task import Summarize
from dadeum.models.render import Fitted
from dadeum.tasks.summarize import ask_otherwise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ways:
    """The rows of a split in all ways to ask."""

    examples: list[Example]
    """Every row in every way that fits, the ways of one row side by side."""
    per_row: list[list[int]]
    """Places in `examples` of each row's ways."""
    is_sampled: bool
    num_left_out: int = 0
    """Ways that would have made a row longer than the recipe allows."""
    num_cut: int = 0
    """Ways whose input was shortened for them, as the recipe says (`truncation: cut_input`)."""

    @property
    def num_rows(self) -> int:
        """Rows of one epoch."""
        return len(self.per_row) if self.is_sampled else len(self.examples)

    @property
    def drawn_from(self) -> list[list[int]] | None:
        """What the sampler draws one of per row and epoch; None where it takes every place as a row."""
        return self.per_row if self.is_sampled else None

    @property
    def figures(self) -> dict[str, float]:
        """For the manifest; {} without augmentation."""
        most = max(map(len, self.per_row), default=1)
        if most == 1 and not self.num_left_out:
            return {}
        return {"ways_to_ask": most, "ways_left_out": self.num_left_out, "ways_cut": self.num_cut}


def ways(recipe: Recipe, stage: Supervised, examples: list[Example], fit: Callable[[Example], Fitted]) -> Ways:
    """The training rows as the stage asks them. A way in which a row is too long is cut or left out, as `fit` says.

    What is left out is counted and warned of. A row that fits in no way keeps the task's own instruction, in which it
    was measured.
    """
    task = recipe.task
    if not stage.instructions or not isinstance(task, Summarize):
        return Ways(examples, [[place] for place in range(len(examples))], is_sampled=False)
    found: list[Example] = []
    per_row: list[list[int]] = []
    num_cut = 0
    for example in examples:
        asked = [fit(ask_otherwise(task, example, instruction)) for instruction in stage.instructions]
        fitting = [one.example for one in asked if one.example] or [example]
        num_cut += sum(one.was_cut for one in asked)
        per_row.append(list(range(len(found), len(found) + len(fitting))))
        found += fitting
    num_left_out = len(examples) * len(stage.instructions) - len(found)
    made = Ways(found, per_row, stage.augment == "sample", num_left_out, num_cut)
    if made.num_left_out:
        log.warning(
            text(
                "train.instructions.too_long",
                stage=stage.name,
                num=made.num_left_out,
                total=len(examples) * len(stage.instructions),
                limit=recipe.render.max_length_tokens,
            )
        )
    return made


def rows_per_epoch(stage: AnyStage, num_rows: int) -> int:
    """How many rows an epoch of this stage has, where every way to ask fits."""
    copies = len(stage.instructions) if isinstance(stage, Supervised) and stage.augment == "copy" else 1
    return num_rows * max(copies, 1)


def instruction_problems(recipe: Recipe) -> list[RecipeError]:
    """Stages with instructions that could not be put in the place of the task's own."""
    problems = []
    for stage in recipe.stages:
        if not isinstance(stage, Supervised) or not stage.instructions:
            continue
        values: dict[str, Any] = {"stage": stage.name}
        if not isinstance(recipe.task, Summarize):
            problems.append(RecipeError("train.instructions.other_task", **values, task=recipe.task.type))
        elif not recipe.task.instruction:
            problems.append(RecipeError("train.instructions.none_to_replace", **values))
    return problems
