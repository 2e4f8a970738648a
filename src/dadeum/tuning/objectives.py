"""What a search improves: figures of the evaluation, on validation rows, and what training costs."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from typing import Any, Literal

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json
from dadeum.tuning.record import Objective
from dadeum.tuning.space import tune_of

LOSS = "eval_loss"
COSTS = (LOSS, "peak_memory_mb", "train_seconds", "num_trainable")
"""What training tells by itself; the less the better."""
_USUAL = {"decide": "macro_f1", "retrieve": "mrr@10", "summarize": "content_rouge_l", "chat": LOSS, "answer": LOSS}
_ANY = ">= -1000000000"
_ONE_EXAMINED = {"similarity": "similarity_model", "bertscore": "bertscore_model"}


def objectives_of(recipe: Recipe) -> tuple[Objective, ...]:
    """The first is the main one. RecipeError for a figure that this task does not have, or that has no better side."""
    names = tune_of(recipe).objectives or (_USUAL[recipe.task.type],)
    return tuple(Objective(name=name, direction=_direction(recipe, name)) for name in names)


def _direction(recipe: Recipe, name: str) -> Literal["maximize", "minimize"]:
    from dadeum.evaluation.gates import better_side

    if name in COSTS:
        return "minimize"
    sides = better_side(recipe)
    if name not in sides:
        known = [*COSTS, *sides]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise RecipeError("tune.no_objective", name=name, near=near[0] if near else "-", known=", ".join(known))
    if sides[name] == "neither":
        raise RecipeError("tune.no_better_side", name=name)
    return "maximize" if sides[name] == "higher" else "minimize"


def examined(objectives: Sequence[Objective]) -> list[str]:
    """Figures for which the model must be evaluated after training."""
    return [one.name for one in objectives if one.name not in COSTS]


def for_a_trial(recipe: Recipe, objectives: Sequence[Objective]) -> Recipe:
    """The recipe with an evaluation of nothing but what is asked for; how it is trained stays."""
    asked = examined(objectives)
    own = recipe.evaluate
    changes: dict[str, Any] = {
        "baselines": (),
        "gates": dict.fromkeys(asked, _ANY),
        "bootstrap_samples": 100,
        "starts": own.starts if "starts" in asked else None,
        "ability": own.ability and "ability" in asked,
        "judge": None,
    }
    changes |= {model: None for name, model in _ONE_EXAMINED.items() if name not in asked}
    if recipe.task.type == "decide" and not any(name.startswith("generation.") for name in asked):
        changes["generate_rows"] = 0
    return recipe.model_copy(update={"evaluate": own.model_copy(update=changes)})


def read_values(recipe: Recipe, run: Run, objectives: Sequence[Objective]) -> tuple[float, ...]:
    """One per objective, of a trial that was trained and evaluated; ModelError's sibling where one is no number."""
    gates = read_json(run.scores_path)["gates"] if examined(objectives) else []
    figures: dict[str, float | None] = {gate["metric"]: gate["value"] for gate in gates}
    figures |= costs(recipe, run)
    for one in objectives:
        value = figures.get(one.name)
        if value is None or not math.isfinite(value):
            raise RecipeError("tune.not_measured", name=one.name, value=json.dumps(value))
    return tuple(float(figures[one.name] or 0.0) for one in objectives)


def costs(recipe: Recipe, run: Run) -> dict[str, float | None]:
    """Of all stages together; the validation loss is that of the last one that trains the model."""
    training = run.manifest().get("training", {})
    stages = [training[stage.name] for stage in recipe.stages if stage.name in training]
    last = training.get(recipe.stages[recipe.policy_stages[-1]].name, {})
    return {
        LOSS: last.get("best_eval_loss"),
        "peak_memory_mb": max((stage["peak_memory_mb"] for stage in stages), default=None),
        "train_seconds": sum(stage["seconds"] for stage in stages),
        "num_trainable": last.get("num_trainable"),
    }
