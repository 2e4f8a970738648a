"""What a recipe cannot ask of stages on pairs, told before anything is loaded."""

from __future__ import annotations

from pathlib import Path

from dadeum.core.errors import RecipeError
from dadeum.core.messages import Message
from dadeum.core.recipe import Recipe
from dadeum.core.stages import OnPairs

_OURS = {
    "beta": "beta",
    "max_length": "max_length",
    "truncation_mode": "max_length",
    "precompute_ref_log_probs": "reference",
    "sync_ref_model": "reference",
}
"""Names in trainer_args that would undo what the recipe says elsewhere, and what to use instead."""


def preference_problems(recipe: Recipe) -> list[RecipeError]:
    """Files that are not there, and settings of trl that have a place of their own."""
    problems: list[RecipeError] = []
    for stage in recipe.stages:
        if not isinstance(stage, OnPairs):
            continue
        if stage.pairs.path and not Path(stage.pairs.path).is_file():
            problems.append(RecipeError("train.preferences.no_file", stage=stage.name, path=stage.pairs.path))
        for name in stage.trainer_args.keys() & _OURS.keys():
            instead = Message(f"train.preferences.instead.{_OURS[name]}")
            problems.append(RecipeError("train.preferences.own_argument", stage=stage.name, name=name, instead=instead))
    return problems
