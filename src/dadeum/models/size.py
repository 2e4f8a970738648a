"""How big a model is and how long training it will take, from its configuration alone: no weights are read.

The time is rough (documented error in docs/lab-log.md) and is shown as such by `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.models.encoders import empty_encoder
from dadeum.models.load import auto_class, is_seq2seq, load_config
from dadeum.models.targets import linear_layers, resolve_targets

_EFFICIENCY = 0.63
"""Share of the probed step rate that a whole run reaches: ragged batches, the head, validation (docs/lab-log.md)."""


@dataclass(frozen=True)
class Size:
    """Counts of parameters; no unit but pieces."""

    total: int
    embedding: int
    adapter: int
    """Trained parameters: of the adapter, or all when there is none."""
    hidden: int
    layers: int
    intermediate: int
    vocabulary: int
    encoder: int = 0
    """Parameters that see the source only, without the embedding; 0 for a decoder alone."""


def measure_size(model: Model, embeds: bool = False) -> Size:
    """Build the architecture on the meta device and count its parameters; `embeds`: of an embedding model.

    Also resolves the adapter targets: a name that matches nothing is a ModelError here, before any weight is read.
    """
    import torch

    with torch.device("meta"):
        empty = empty_encoder(model) if embeds else _empty(model)
    config = empty.config
    total = sum(parameter.numel() for parameter in empty.parameters())
    words = empty.get_input_embeddings().weight
    text = config.get_text_config()
    return Size(
        total=total,
        embedding=words.numel(),
        adapter=_adapter_parameters(empty, model, total),
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        intermediate=getattr(text, "intermediate_size", 4 * text.hidden_size) or 4 * text.hidden_size,
        vocabulary=words.shape[0],
        encoder=_encoder_parameters(empty, words) if is_seq2seq(config) else 0,
    )


def _empty(model: Model) -> Any:
    config = load_config(model)
    return auto_class(config).from_config(config, trust_remote_code=model.trust_remote_code)


def _encoder_parameters(empty: Any, words: Any) -> int:
    return sum(one.numel() for one in empty.get_encoder().parameters() if one.shape != words.shape)


def _adapter_parameters(empty: Any, model: Model, total: int) -> int:
    if isinstance(model.adapter, NoAdapter):
        return total
    wanted = resolve_targets(empty, model.adapter.targets)
    count = 0
    for name in linear_layers(empty):
        if any(name == target or name.endswith(f".{target}") for target in wanted):
            weight = empty.get_submodule(name).weight
            count += model.adapter.r * sum(weight.shape)
    return count


def training_seconds(recipe: Recipe, size: Size, num_tokens: float, gflops: float) -> float:
    """Seconds to train on `num_tokens` (all epochs): 4 FLOPs a frozen weight and token, 6 a trained one.

    Forward costs 2, the gradient of the activations 2, the gradient of the weights 2 (Kaplan et al. 2020, §2.1).
    """
    flops = num_tokens * (_per_weight(recipe) * (size.total - size.embedding) + 6 * _added(recipe, size))
    return flops / (gflops * 1e9 * _EFFICIENCY)


def seq2seq_seconds(recipe: Recipe, size: Size, source_tokens: float, target_tokens: float, gflops: float) -> float:
    """The same for an encoder-decoder: each half sees its own side, and targets also meet the whole vocabulary."""
    decoder = size.total - size.embedding - size.encoder
    by_source = _per_weight(recipe) * size.encoder + 6 * _added(recipe, size) / 2
    by_target = _per_weight(recipe) * (decoder + size.embedding) + 6 * _added(recipe, size) / 2
    flops = source_tokens * by_source + target_tokens * by_target
    return flops / (gflops * 1e9 * _EFFICIENCY)


def _per_weight(recipe: Recipe) -> int:
    return 6 if isinstance(recipe.model.adapter, NoAdapter) else 4


def _added(recipe: Recipe, size: Size) -> int:
    """Weights that training adds to the model's own."""
    return 0 if isinstance(recipe.model.adapter, NoAdapter) else min(size.adapter, size.total)
