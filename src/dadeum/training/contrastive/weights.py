"""The model of a stage: loaded to be trained, with an adapter or without, and saved as one complete folder.

What a stage leaves needs no base model beside it: a low-rank update is added to the weights when it is saved.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from dadeum.core.errors import ModelError
from dadeum.core.model import Lora
from dadeum.core.recipe import Recipe
from dadeum.core.task import Retrieve
from dadeum.models.embed import load_sentence_model
from dadeum.tasks.retrieve import chunk_text, query_text


def trainable_embedder(recipe: Recipe, before: Path | None) -> Any:
    """The untuned model, or what the stage before saved, in fp32."""
    task = recipe.task
    assert isinstance(task, Retrieve)
    name = recipe.model.base if before is None else str(before)
    model = load_sentence_model(name, recipe.model.revision if before is None else None, task.max_seq_length)
    if model.transformers_model is None:
        raise ModelError("train.contrastive.no_transformer", base=recipe.model.base)
    return model


def add_lora(model: Any, adapter: Lora) -> None:
    """A new adapter in the transformer; everything else is frozen."""
    from peft import LoraConfig

    from dadeum.models.targets import resolve_targets

    inner = model.transformers_model
    targets = resolve_targets(inner, adapter.targets)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    inner.add_adapter(
        LoraConfig(r=adapter.r, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=targets)
    )


def save_embedder(model: Any, recipe: Recipe, folder: Path) -> None:
    """A folder that `SentenceTransformer(folder)` loads; `encode_query` and `encode_document` know the prefixes."""
    task = recipe.task
    assert isinstance(task, Retrieve)
    whole = merged(model)
    prompts = whole.prompts
    if task.query_prefix or task.chunk_prefix:
        whole.prompts = {**prompts, "query": query_text(task, ""), "document": chunk_text(task, "")}
    whole.save_pretrained(str(folder), create_model_card=False)
    whole.prompts = prompts


def merged(model: Any) -> Any:
    """The model without adapters, their updates in the weights; the model itself where it has none."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not any(isinstance(module, BaseTunerLayer) for module in model.modules()):
        return model
    whole = copy.deepcopy(model)
    layers = {name: module for name, module in whole.named_modules() if isinstance(module, BaseTunerLayer)}
    for name, layer in layers.items():
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(whole.get_submodule(parent), last, layer.get_base_layer())
    inner = whole.transformers_model
    inner._hf_peft_config_loaded = False  # else it would save the adapter that it no longer has
    del inner.peft_config
    return whole
