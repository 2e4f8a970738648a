"""Gates: the figures that a recipe demands; a failed one is exit code 1. Mistakes are found before weights load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dadeum.core.errors import DadeumError, RecipeError
from dadeum.core.recipe import Recipe
from dadeum.core.task import Decide, Retrieve

if TYPE_CHECKING:
    from dadeum.evaluation.answers.scores import Better


def check_gates_syntax(recipe: Recipe) -> list[DadeumError]:
    """Every gate that this recipe could never judge, and every examination that it could never make, one error each."""
    check: Callable[[Recipe], Sequence[DadeumError]]
    if isinstance(recipe.task, Decide):
        from dadeum.evaluation.decide.gates import check_gates_syntax as check
    elif isinstance(recipe.task, Retrieve):
        from dadeum.evaluation.retrieve.gates import check_gates_syntax as check
    else:
        from dadeum.evaluation.answers.gates import check_gates_syntax as check
    return [*check(recipe), *_of_free_answers(recipe)]


def better_side(recipe: Recipe) -> dict[str, Better]:
    """Every figure that this recipe's evaluation gives, by its name in a gate, and which side of it is better."""
    if isinstance(recipe.task, Decide):
        from dadeum.evaluation.decide.gates import LOWER_IS_BETTER
        from dadeum.evaluation.decide.gates import known_metrics as of_decisions

        return {name: "lower" if name in LOWER_IS_BETTER else "higher" for name in of_decisions(recipe)}
    if isinstance(recipe.task, Retrieve):
        from dadeum.evaluation.retrieve.gates import known_metrics as of_rankings

        return dict.fromkeys(of_rankings(), "higher")
    from dadeum.evaluation.answers.figures import metrics_of
    from dadeum.evaluation.answers.gates import LOWER_IS_BETTER as LOWER
    from dadeum.evaluation.answers.gates import known_metrics

    sides = metrics_of(recipe.task.type)
    return {name: "lower" if name in LOWER else sides.get(name, "higher") for name in known_metrics(recipe)}


def _of_free_answers(recipe: Recipe) -> list[DadeumError]:
    """Labels and embeddings have no beginning to look at."""
    if not isinstance(recipe.task, Decide | Retrieve):
        return []
    asked = {"starts": recipe.evaluate.starts is not None, "ability": recipe.evaluate.ability}
    return [
        RecipeError("evaluate.repair.of_free_answers", field=name, task=recipe.task.type)
        for name, is_asked in asked.items()
        if is_asked
    ]
