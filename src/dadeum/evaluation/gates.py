"""Gates: the figures that a recipe demands; a failed one is exit code 1. Mistakes are found before weights load."""

from __future__ import annotations

from dadeum.core.errors import RecipeError
from dadeum.core.recipe import Recipe
from dadeum.core.task import Decide, Retrieve


def check_gates_syntax(recipe: Recipe) -> list[RecipeError]:
    """Every gate that this recipe could never judge, one error each; empty when all are sound."""
    if isinstance(recipe.task, Decide):
        from dadeum.evaluation.decide.gates import check_gates_syntax as check
    elif isinstance(recipe.task, Retrieve):
        from dadeum.evaluation.retrieve.gates import check_gates_syntax as check
    else:
        from dadeum.evaluation.answers.gates import check_gates_syntax as check
    return check(recipe)
