"""Which methods train which kind of model.

An encoder-decoder learns by `seq2seq`, an embedding model by `contrastive`, a decoder by all others.
"""

from __future__ import annotations

from dadeum.core.errors import ModelError, RecipeError
from dadeum.core.model import NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.stages import Seq2Seq
from dadeum.models.fresh import is_fresh
from dadeum.models.load import is_seq2seq, load_config
from dadeum.training.contrastive.checks import contrastive_problems


def method_problems(recipe: Recipe) -> list[RecipeError]:
    """Stages whose method cannot train the recipe's model; reads its configuration only."""
    if recipe.task.type == "retrieve":
        return contrastive_problems(recipe)
    try:
        of_two = is_fresh(recipe.model) or is_seq2seq(load_config(recipe.model))
    except ModelError:  # is told where the model is needed
        return []
    base = recipe.model.base
    if is_fresh(recipe.model) and not isinstance(recipe.model.adapter, NoAdapter):
        return [RecipeError("models.seq2seq.fresh_adapter", base=base, adapter=recipe.model.adapter.type)]
    if of_two and recipe.task.type == "decide":
        return [RecipeError("models.seq2seq.no_decisions", base=base)]
    key = "models.seq2seq.needs_seq2seq" if of_two else "models.seq2seq.needs_decoder_method"
    wrong = [stage for stage in recipe.stages if isinstance(stage, Seq2Seq) != of_two]
    return [RecipeError(key, base=base, stage=stage.name, method=stage.method) for stage in wrong]
