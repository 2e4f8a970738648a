"""How big a model is and what training it will need, from its configuration alone: no weights are read.

The estimates are rough (documented error in docs/lab-log.md) and are shown as such by `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dadeum.core.recipe import Model, NoAdapter, QLora, Recipe, Sft
from dadeum.models.load import load_config
from dadeum.models.targets import linear_layers, resolve_targets

_ADAM_BYTES = 16
"""fp32 weight, gradient and two moments of one trained parameter."""
_EFFICIENCY = 0.63
"""Share of the probed step rate that a whole run reaches: ragged batches, the head, validation (docs/lab-log.md)."""
_HEAD_BYTES = 2 * 64 * 2**20
"""Logits of one chunk and their gradient (training/head.py)."""
_RUNTIME_MB = 900
"""Interpreter, torch and tokenizer before any weight is loaded."""


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


def measure_size(model: Model) -> Size:
    """Build the architecture on the meta device and count its parameters.

    Also resolves the adapter targets: a name that matches nothing is a ModelError here, before any weight is read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = load_config(model)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config, trust_remote_code=model.trust_remote_code)
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
    )


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


def memory_mb(recipe: Recipe, size: Size, stage: Sft, batch_tokens: int, answer_tokens: int, dtype: str) -> float:
    """Peak MiB of a stage: weights, trained parameters with AdamW, activations of one pass, logits of its answers.

    `batch_tokens` is what one forward pass computes, `answer_tokens` the answer tokens among them.
    """
    half = 4 if dtype == "fp32" else 2
    body = size.total - size.embedding
    if isinstance(recipe.model.adapter, QLora):
        # NF4 with double quantisation: half a byte a weight and 0.127 bits of scales (Dettmers et al. 2023).
        weights = body * 0.516 + size.embedding * half
    elif isinstance(recipe.model.adapter, NoAdapter):
        weights = 0.0  # counted once, with their optimizer state
    else:
        weights = size.total * half
    per_token = size.hidden * 12 + size.intermediate * 5
    layers = 1 if stage.gradient_checkpointing else size.layers
    kept = batch_tokens * (per_token * layers + size.hidden * size.layers) * half
    logits = min(answer_tokens * size.vocabulary * 4 * 2, _HEAD_BYTES)
    return float(_RUNTIME_MB + (weights + size.adapter * _ADAM_BYTES + kept + logits) / 2**20)


def training_seconds(recipe: Recipe, size: Size, num_tokens: float, gflops: float) -> float:
    """Seconds to train on `num_tokens` (all epochs): 4 FLOPs a frozen weight and token, 6 a trained one.

    Forward costs 2, the gradient of the activations 2, the gradient of the weights 2 (Kaplan et al. 2020, §2.1).
    """
    per_weight = 6 if isinstance(recipe.model.adapter, NoAdapter) else 4
    flops = num_tokens * (per_weight * (size.total - size.embedding) + 6 * min(size.adapter, size.total))
    return flops / (gflops * 1e9 * _EFFICIENCY)
