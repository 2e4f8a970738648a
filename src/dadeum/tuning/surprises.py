"""What a search would not do as its writer may think, said before it begins."""

from __future__ import annotations

from collections.abc import Iterator

from dadeum.core.model import NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.tune import Range
from dadeum.tuning.space import tune_of

_RANK, _ALPHA = "model.adapter.r", "model.adapter.alpha"


def surprises(recipe: Recipe) -> Iterator[tuple[str, dict[str, object]]]:
    """Message keys with their values."""
    tune = tune_of(recipe)
    stage = recipe.stages[recipe.policy_stages[-1]]
    validated_once = stage.eval_steps is None and stage.epochs <= 1
    if tune.pruner != "none" and len(tune.objectives) < 2 and validated_once:
        yield "tune.no_looks", {"stage": stage.name}
    ranks = tune.space.get(_RANK)
    tied = isinstance(ranks, Range) and _ALPHA in ranks.also
    if ranks is not None and not tied and _ALPHA not in tune.space and not isinstance(recipe.model.adapter, NoAdapter):
        yield "tune.alpha_stays", {"place": _RANK, "alpha": _ALPHA}
