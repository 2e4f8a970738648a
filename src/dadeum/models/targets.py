"""LoRA targets by role: `attention` and `all-linear` mean the right layers whatever they are called.

EXAONE-3.5 names its attention output `out_proj`, GPT-NeoX has one `query_key_value`: a fixed list of names would
silently tune a part of them. So layers are found by place, and a name that matches nothing is an error.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

from dadeum.core.errors import ModelError

_ATTENTION = re.compile(
    r"(^|[._])(attn|attention|self_attn|self_attention|selfattention|encdecattention)([._]|$)", re.IGNORECASE
)


def linear_layers(model: Any) -> list[str]:
    """Full names of all linear layers but the output head."""
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head and not name.endswith("lm_head")
    ]


def resolve_targets(model: Any, targets: str | tuple[str, ...]) -> list[str]:
    """Last name parts of the layers that get an adapter, sorted; raises ModelError for a name that matches none."""
    layers = linear_layers(model)
    if targets == "all-linear":
        return _last_parts(layers)
    if targets == "attention":
        inside = [name for name in layers if _ATTENTION.search(name.rpartition(".")[0])]
        if not inside:
            raise ModelError("train.no_attention", found=", ".join(_last_parts(layers)))
        # A feed-forward layer may share its last name with one of attention (GPT-NeoX: `dense`): then full names.
        last, outside = _last_parts(inside), _last_parts([name for name in layers if name not in set(inside)])
        return sorted(inside) if set(last) & set(outside) else last
    known = _last_parts(layers)
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in layers):
            near = difflib.get_close_matches(target, known, n=1, cutoff=0.3)
            raise ModelError("train.no_target", target=target, near=near[0] if near else "-", known=", ".join(known))
    return sorted(targets)


def _last_parts(names: list[str]) -> list[str]:
    return sorted({name.rpartition(".")[2] for name in names})
