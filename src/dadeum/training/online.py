"""What `rloo`, `grpo` and `ppo` share: their prompts, the limit of answers, and the look before and after.

Only training rows are answered for a reward. The look uses the same validation prompts, greedily answered, both times.
"""

from __future__ import annotations

import difflib
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dadeum.core.errors import DataError, RecipeError
from dadeum.core.examples import Example, read_examples
from dadeum.core.plugins import names
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, Online, Ppo, Reward

if TYPE_CHECKING:
    from dadeum.models.render import Renderer
    from dadeum.training.work import Work

PROBED_ROWS = 32
"""Validation prompts that are answered before and after."""


@dataclass(frozen=True)
class Prompts:
    """The training rows, their prompts as the model reads them, and the most tokens of an answer."""

    rows: list[Example]
    ids: list[list[int]]
    max_new_tokens: int


def read_prompts(work: Work, renderer: Renderer) -> Prompts:
    """DataError for a row over the recipe's limit, and for too few rows to fill one step."""
    path = work.run.split_path("train")
    rows = read_examples(path)
    needed = 1 if isinstance(work.stage, Ppo) else prompts_per_step(work.stage)
    if len(rows) < needed:
        raise DataError(
            "train.reinforcement.too_few_rows", stage=work.stage.name, rows=len(rows), needed=needed, path=path
        )
    rendered = [renderer.render(row) for row in rows]
    limit = work.recipe.render.max_length_tokens
    for row, one in zip(rows, rendered, strict=True):
        if len(one.input_ids) > limit:
            raise DataError("train.row_too_long", id=row.id, limit=limit)
    longest = max(len(one.input_ids) - one.num_prompt_tokens for one in rendered)
    ids = [one.input_ids[: one.num_prompt_tokens] for one in rendered]
    return Prompts(rows, ids, work.stage.max_new_tokens or longest)


def answers_per_step(stage: Online) -> int:
    """An optimizer step sees so many answers on all devices; `batch_size` of them at once on each."""
    return stage.batch_size * stage.accumulation_steps * int(os.environ.get("WORLD_SIZE", "1"))


def prompts_per_step(stage: Online) -> int:
    return max(1, answers_per_step(stage) // stage.generations)


class Decoder:
    """Token ids that were written → the text that is rated: what evaluation would show, without the end token."""

    def __init__(self, renderer: Renderer) -> None:
        self.tokenizer = renderer.tokenizer
        self.stops = frozenset(renderer.stop_ids)

    def __call__(self, ids: Sequence[int]) -> str:
        end = next((place for place, one in enumerate(ids) if one in self.stops), len(ids))
        return str(self.tokenizer.decode(list(ids[:end])))


@dataclass
class Probe:
    """Greedy answers to the same seeded validation prompts, rated before and after the stage."""

    work: Work
    renderer: Renderer
    max_new_tokens: int
    figures: dict[str, float] = field(default_factory=dict)

    def look(self, model: Any, when: str) -> None:
        """Rates what `model` writes now; every figure's name ends in `when`."""
        from dadeum.models.engines import Engine
        from dadeum.training.rewards.base import combined

        rows = probed_rows(self.work)
        if not rows:
            return
        was_training = model.training
        engine = Engine(model, self.renderer)
        written = engine.write([row.prompt for row in rows], self.max_new_tokens, self.work.stage.batch_size)
        model.train(was_training)
        total, parts = combined(self.work, rows, [one.text for one in written])
        found = {"reward": total, **{f"reward_{name}": values for name, values in parts.items()}}
        found["characters"] = np.array([len(one.text) for one in written])
        found["finished"] = np.array([one.finished for one in written])
        self.figures["probed_rows"] = len(rows)
        self.figures |= {f"{name}_{when}": round(float(values.mean()), 6) for name, values in found.items()}

    def told(self, log_history: list[dict[str, Any]]) -> dict[str, float]:
        """The figures of both looks, and how far the model went from where it began (last logged step)."""
        moved = [entry["kl"] for entry in log_history if entry.get("kl") is not None]
        return self.figures | ({"kl": round(float(moved[-1]), 6)} if moved else {})


def probed_rows(work: Work) -> list[Example]:
    """The same rows whenever it is asked."""
    rows = read_examples(work.run.split_path("validation"))
    return random.Random(work.recipe.seed).sample(rows, min(PROBED_ROWS, len(rows)))


def online_problems(recipe: Recipe) -> list[RecipeError]:
    """What stands in the way of the stages that learn from rewards, as far as the recipe alone tells."""
    problems: list[RecipeError] = []
    for number, stage in enumerate(recipe.stages):
        if isinstance(stage, Online):
            problems += _stage_problems(recipe, stage, recipe.stages[:number])
    return problems


def _stage_problems(recipe: Recipe, stage: Online, before: Sequence[AnyStage]) -> list[RecipeError]:
    problems = _reward_problems(stage, before) + _group_problems(stage)
    if recipe.task.type == "decide":
        problems.append(RecipeError("train.reinforcement.decide", stage=stage.name, method=stage.method))
    given = {"eval_steps": stage.eval_steps, "early_stopping": stage.early_stopping}
    problems += [
        RecipeError("train.reinforcement.no_validation_loss", stage=stage.name, method=stage.method, field=name)
        for name, value in given.items()
        if value is not None
    ]
    return problems


def _reward_problems(stage: Online, before: Sequence[AnyStage]) -> list[RecipeError]:
    known = names("training.rewards")
    problems = [
        RecipeError(
            "train.reinforcement.unknown_reward",
            stage=stage.name,
            name=name,
            near=next(iter(difflib.get_close_matches(name, known, n=1)), "-"),
            known=", ".join(known),
        )
        for name in stage.rewards
        if name not in known
    ]
    if "model" in stage.rewards and not any(isinstance(one, Reward) for one in before):
        problems.append(RecipeError("train.reinforcement.no_reward_stage", stage=stage.name))
    return problems


def _group_problems(stage: Online) -> list[RecipeError]:
    if stage.generations < 2 and not isinstance(stage, Ppo):
        return [RecipeError("train.reinforcement.one_generation", stage=stage.name, method=stage.method)]
    answers = answers_per_step(stage)
    if answers % stage.generations == 0:
        return []
    times = answers // stage.batch_size
    sizes = [size for size in range(1, 4 * answers) if size * times % stage.generations == 0]
    near = sorted(sizes, key=lambda size: (abs(size - stage.batch_size), size))[:2]
    numbers = [number for number in range(2, answers + 1) if answers % number == 0]
    return [
        RecipeError(
            "train.reinforcement.groups",
            stage=stage.name,
            answers=answers,
            batch=stage.batch_size,
            times=times,
            generations=stage.generations,
            sizes=", ".join(map(str, sorted(near))),
            numbers=", ".join(map(str, numbers)) or "-",
        )
    ]
