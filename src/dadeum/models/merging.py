"""merge_adapters: several adapters on one base become one adapter of the same kind, without any training.

`linear` keeps the exact weighted mean of what the adapters add to the base, at the sum of their ranks: peft's own
`linear` averages both factors apart, and doubles an adapter that is merged with itself at 0.5 + 0.5. `ties` (Yadav et
al. 2023, arXiv 2306.01708) and `dare_ties` (Yu et al. 2023, arXiv 2311.03099) work on the full update, as in the
papers, and keep the largest directions of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dadeum.core.model import Model
from dadeum.models import exaone
from dadeum.models.load import load_base
from dadeum.models.precision import Precision
from dadeum.models.save import save_model

How = Literal["linear", "ties", "dare_ties"]
_MERGED = "default"
"""The name under which peft writes an adapter into the folder itself."""


@dataclass(frozen=True)
class Merged:
    rank: int
    num_trainable: int
    """Weights of the new adapter."""
    num_parameters: int
    """With those of the base."""


def merge_adapters(
    model: Model, precision: Precision, adapters: Sequence[Path], target: Path, how: How,
    shares: Sequence[float], density: float = 0.5, seed: int = 42,
) -> Merged:  # fmt: skip
    """Write the merged adapter into the folder `target`; `shares` are positive and sum to 1.

    `density`: share of each update's weights that `ties` (the largest) and `dare_ties` (drawn with `seed`) keep.
    """
    import torch

    names = [f"member_{number}" for number in range(len(adapters))]
    # Draws of dare must neither depend on what came before nor change what comes after.
    with torch.random.fork_rng(), torch.no_grad():
        merged = _opened(load_base(model, precision), names, adapters)
        torch.manual_seed(seed)
        rank = _merge(merged, names, how, shares, density)
    merged.set_adapter(_MERGED)
    for name in names:
        merged.delete_adapter(name)
    sizes = [(name, parameter.numel()) for name, parameter in merged.named_parameters()]
    target.mkdir(parents=True, exist_ok=True)
    save_model(merged, target)
    return Merged(rank, sum(size for name, size in sizes if "lora_" in name), sum(size for _, size in sizes))


def _opened(base: Any, names: Sequence[str], adapters: Sequence[Path]) -> Any:
    from peft import PeftModel

    with ExitStack() as stack:
        folders = [
            stack.enter_context(exaone.adapter_for_llama(path)) if hasattr(base, "published") else path
            for path in adapters
        ]
        model = PeftModel.from_pretrained(base, str(folders[0]), adapter_name=names[0])
        for name, folder in zip(names[1:], folders[1:], strict=True):
            model.load_adapter(str(folder), adapter_name=name)
    return model


def _merge(model: Any, names: Sequence[str], how: How, shares: Sequence[float], density: float) -> int:
    """Add the adapter `default`; returns its rank."""
    total: int = sum(model.peft_config[name].r for name in names)
    arguments: dict[str, Any] = {"adapters": list(names), "adapter_name": _MERGED}
    if how == "linear":
        model.add_weighted_adapter(**arguments, weights=list(shares), combination_type="cat")
        return total
    rank: int = min(total, _least_side(model))
    # Where signs agree, ties takes the mean of what is there: equal members must come with the weight 1.
    weights = [share * len(names) for share in shares]
    model.add_weighted_adapter(
        **arguments, weights=weights, combination_type=f"{how}_svd", svd_rank=rank, density=density,
        svd_full_matrices=False,
    )  # fmt: skip
    return rank


def _least_side(model: Any) -> int:
    """No update has more directions than its layer has inputs or outputs."""
    from peft.tuners.lora import LoraLayer

    layers = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    return min(min(int(layer.in_features), int(layer.out_features)) for layer in layers)
