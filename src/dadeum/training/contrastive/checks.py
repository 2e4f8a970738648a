"""What cannot work in a recipe that tunes an embedding model; reads the model's configuration only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dadeum.core.errors import MissingExtra, ModelError, RecipeError
from dadeum.core.model import QLora
from dadeum.core.recipe import Recipe
from dadeum.core.stages import Contrastive
from dadeum.core.task import Retrieve
from dadeum.models.embed import EMBEDDERS, check_max_seq_length, embedder_config
from dadeum.models.fresh import is_fresh
from dadeum.models.load import ALIASES

_WRITERS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
"""Ends of the names of architectures that write text."""


def contrastive_problems(recipe: Recipe) -> list[RecipeError]:
    """Model and stages of task `retrieve`."""
    if not isinstance(recipe.task, Retrieve):
        return []
    stages = [stage for stage in recipe.stages if isinstance(stage, Contrastive)]
    problems = [*_settings(recipe), *(problem for stage in stages for problem in _losses(stage))]
    base, revision = recipe.model.base, recipe.model.revision
    if is_fresh(recipe.model) or base in ALIASES:
        return [*problems, _no_embedder(base, base)]
    try:
        config, modules = embedder_config(base, revision)
        check_max_seq_length(base, revision, recipe.task.max_seq_length)
    except RecipeError as error:
        return [*problems, error]
    except (ModelError, MissingExtra):  # is told where the model is needed
        return problems
    return [*problems, *_model(base, config, modules), *_dimensions(stages, config, modules)]


def _settings(recipe: Recipe) -> Iterator[RecipeError]:
    if isinstance(recipe.model.adapter, QLora):
        yield RecipeError("train.contrastive.qlora", base=recipe.model.base)
    if recipe.model.trust_remote_code:
        yield RecipeError("train.contrastive.remote_code", base=recipe.model.base)


def _losses(stage: Contrastive) -> Iterator[RecipeError]:
    if stage.loss != "mnr" and not stage.negatives.number:
        yield RecipeError("train.contrastive.no_negatives", stage=stage.name, loss=stage.loss)
    if stage.loss == "mnr" and stage.batch_size == 1 and not stage.negatives.number:
        yield RecipeError("train.contrastive.alone", stage=stage.name)


def _model(base: str, config: dict[str, Any], modules: list[str] | None) -> Iterator[RecipeError]:
    from transformers import CONFIG_MAPPING

    if modules is not None:
        return
    kinds = config.get("architectures") or ["-"]
    writes = config.get("is_encoder_decoder") or any(kind.endswith(_WRITERS) for kind in kinds)
    if writes or config.get("model_type") not in CONFIG_MAPPING:
        yield _no_embedder(base, kinds[0])


def _no_embedder(base: str, kind: str) -> RecipeError:
    return RecipeError("train.contrastive.no_embedder", base=base, kind=kind, aliases=", ".join(EMBEDDERS))


def _dimensions(stages: list[Contrastive], config: dict[str, Any], modules: list[str] | None) -> Iterator[RecipeError]:
    full = config.get("hidden_size")
    if full is None or "Dense" in (modules or ()):  # then it is known once the model is loaded
        return
    for stage in stages:
        if max(stage.matryoshka, default=0) > full:
            yield RecipeError("train.contrastive.matryoshka", stage=stage.name, asked=max(stage.matryoshka), full=full)
