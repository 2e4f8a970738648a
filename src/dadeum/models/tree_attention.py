"""Attention over a packed tree of rows, registered with transformers: no model is patched.

Everything in a transformer but attention works on single tokens, so a packed row is right by itself once each token
sees the tokens of its own row only, at their logical distance. Sliding windows are applied per layer, from the
`sliding_window` that the layer itself passes: Gemma-3 and EXAONE-4 alternate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional
from transformers import AttentionInterface

from dadeum.core.errors import ModelError
from dadeum.models.prefix_tree import Block, Tree

NAME = "dadeum_tree"
_KINDS = {"full_attention", "sliding_attention"}
_UNKNOWN = ("position_bias", "s_aux", "sinks", "indices", "block_indices")
"""What a layer may hand to its attention and this one does not do."""
_own: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
"""Models inside `trees` → the attention that they have outside."""


@contextmanager
def trees(model: Any) -> Iterator[None]:
    """Inside, `model` takes packed trees and nothing else; afterwards it has its own attention back.

    ModelError where the architecture does not ask transformers' registry for its attention (remote code, ALiBi), or
    mixes tokens by more than attention (convolutions, recurrent states): small weights would hide that from a check.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not base._can_set_attn_implementation():
        raise ModelError("train.no_attention_interface", model=type(base).__name__)
    kinds = set(getattr(base.config.get_text_config(), "layer_types", None) or ())
    if base._is_stateful or kinds - _KINDS or any(isinstance(part, torch.nn.Conv1d) for part in base.modules()):
        raise ModelError("train.not_attention_alone", model=type(base).__name__)
    before = base.config._attn_implementation
    base.set_attn_implementation(NAME)
    _own[base] = before
    try:
        yield
    finally:
        del _own[base]
        base.set_attn_implementation(before)


@contextmanager
def own_attention(model: Any) -> Iterator[None]:
    """Inside `trees`, the attention that the model has outside: for answers that it writes while it learns."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = _own.get(base)
    if own is None:
        yield
        return
    base.set_attn_implementation(own)
    try:
        yield
    finally:
        base.set_attn_implementation(NAME)


def tree_inputs(tree: Tree) -> dict[str, Any]:
    """What a model's forward takes for a packed tree; no mask, because no mask function is registered under NAME."""
    return {
        "input_ids": tree.ids.unsqueeze(0),
        "position_ids": tree.positions.unsqueeze(0),
        "use_cache": False,
        "tree": tree,
    }


@torch.compiler.disable
def tree_attention(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any, **kwargs: Any
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, width) → (1, tokens, heads, width)."""
    tree: Tree | None = kwargs.get("tree")
    if tree is None:
        raise NotImplementedError(f"{type(module).__name__} passes no tree on to its attention")
    for name in _UNKNOWN:
        if kwargs.get(name) is not None:
            raise NotImplementedError(f"{type(module).__name__} passes {name}")
    if kwargs.get("sliding_window") is None and _slides(module):
        raise NotImplementedError(f"{type(module).__name__} has a sliding window and does not pass it on")
    outputs = [_attend(query, key, value, block, kwargs) for block in tree.blocks]
    return torch.cat(outputs).index_select(0, tree.restore).unsqueeze(0), None


def _slides(module: Any) -> bool:
    """The layer sees a window of last tokens, by its configuration."""
    config, layer = module.config, getattr(module, "layer_idx", None)
    kinds = getattr(config, "layer_types", None)
    if kinds and layer is not None:
        return bool(kinds[layer] == "sliding_attention")
    return getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)


AttentionInterface.register(NAME, tree_attention)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, block: Block, options: dict[str, Any]
) -> torch.Tensor:
    """One block's output, (nodes × longest, heads, width). Query heads of one key head are folded into the queries."""
    longest = block.queries.shape[1]
    kv_heads = key.shape[1]
    group = query.shape[1] // kv_heads
    mask = block.mask(options.get("sliding_window"), query.dtype, group)
    q = _gather(query, block.queries)
    k, v = _gather(key, block.keys).transpose(1, 2), _gather(value, block.keys).transpose(1, 2)
    if mask is not None:
        q = q.unflatten(2, (kv_heads, group)).permute(0, 2, 3, 1, 4).flatten(2, 3)
        out = _sdpa(q, k, v, mask, options).unflatten(2, (group, longest)).permute(0, 3, 1, 2, 4).flatten(2, 3)
    else:
        out = _sdpa(q.transpose(1, 2), k, v, None, options).transpose(1, 2)
    return out.flatten(0, 1)


def _gather(states: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, width), (nodes, n) → (nodes, n, heads, width)."""
    _, heads, _, width = states.shape
    rows = states[0].transpose(0, 1).flatten(1)
    return rows.index_select(0, columns.flatten()).view(*columns.shape, heads, width)


def _sdpa(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, options: dict[str, Any]
) -> torch.Tensor:
    """(nodes, heads, n, width); with soft-capping (Gemma-2) written out, since no fused kernel knows it."""
    scale, cap, dropout = options.get("scaling"), options.get("softcap"), options.get("dropout", 0.0)
    if cap is None:
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, scale=scale, is_causal=mask is None,
            enable_gqa=q.shape[1] != k.shape[1],
        )  # fmt: skip
    k, v = (states.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for states in (k, v))
    scores = cap * torch.tanh(q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5) / cap)
    if mask is None:
        mask = torch.full(scores.shape[-2:], -torch.inf, dtype=q.dtype, device=q.device).triu(1)
    weights = (scores + mask).softmax(-1, dtype=torch.float32).to(q.dtype)
    return functional.dropout(weights, dropout) @ v
