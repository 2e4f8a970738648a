"""Which kernel computes attention: torch's SDPA, flash-attention where it can be used, or plain matrix products.

flash-attention is a package that people compile themselves, for 16 bits on newer GPUs: where it cannot be used, SDPA
computes the same, and why is said.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dadeum.core.messages import text
from dadeum.core.model import Model, NoAdapter
from dadeum.core.recipe import Recipe
from dadeum.core.stages import AnyStage, OnPairs, Sft

if TYPE_CHECKING:
    from dadeum.models.precision import Precision

log = logging.getLogger(__name__)

FLASH = "flash_attention_2"
_MIN_CAPABILITY = (8, 0)
"""Ampere. A T4 (7.5) has no kernels in flash-attention 2."""
_WIDEST_HEAD = 256


@dataclass(frozen=True)
class Attention:
    """What was chosen, and why."""

    implementation: str | None
    """As transformers calls it; None: its default, SDPA, or plain products where an architecture has no SDPA."""
    reason: str
    """Message key."""
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return text(self.reason, **self.values)


def choose_attention(
    model: Model, precision: Precision, config_of: Callable[[Model], Any], trainable: bool = False
) -> Attention:
    """`auto` is flash-attention only where package, GPU, arithmetic and architecture all allow it.

    `config_of` is `load_config`, which stands above this module and is asked last.
    """
    if model.attention == "sdpa":
        return Attention(None, "models.attention.asked_sdpa")
    if model.attention == "eager":
        return Attention("eager", "models.attention.asked_eager")
    missing = _lacks_machine() or _lacks_digits(model, precision, trainable)
    missing = missing or _lacks_architecture(config_of(model))
    return missing or Attention(FLASH, "models.attention.flash")


def attention_arguments(
    model: Model, precision: Precision, config_of: Callable[[Model], Any], trainable: bool = False
) -> dict[str, Any]:
    """For `from_pretrained`; says once what `auto` came to."""
    chosen = choose_attention(model, precision, config_of, trainable)
    if model.attention == "auto":
        _say_once(str(chosen), chosen.implementation is None)
    return {} if chosen.implementation is None else {"attn_implementation": chosen.implementation}


def attention_notes(recipe: Recipe, precision: Precision, config_of: Callable[[Model], Any]) -> list[str]:
    """What `plan` says where the recipe leaves the choice to the machine."""
    if recipe.model.attention != "sdpa" and recipe.task.type == "retrieve":
        return [text("models.attention.embedder", attention=recipe.model.attention)]
    if recipe.model.attention != "auto":
        return []
    chosen = choose_attention(recipe.model, precision, config_of, trainable=True)
    packed = [stage.name for stage in recipe.stages if _packs(stage)] if chosen.implementation else []
    return [str(chosen), *([text("models.attention.trees", stages=", ".join(packed))] if packed else [])]


def _packs(stage: AnyStage) -> bool:
    """Rows as trees, which no flash-attention kernel computes (models/tree_attention.py)."""
    return stage.share_prefix if isinstance(stage, Sft) else isinstance(stage, OnPairs)


def attention_in_use(model: Any) -> str | None:
    """What a loaded model computes with at the moment; None where it has no such choice."""
    return getattr(getattr(model, "config", None), "_attn_implementation", None)


@cache
def _say_once(sentence: str, is_fallback: bool) -> None:
    log.log(logging.WARNING if is_fallback else logging.INFO, sentence)


def _lacks_machine() -> Attention | None:
    import torch

    if find_spec("flash_attn") is None:
        return Attention(None, "models.attention.no_package")
    if not torch.cuda.is_available():
        return Attention(None, "models.attention.no_gpu")
    if (found := torch.cuda.get_device_capability()) < _MIN_CAPABILITY:
        return Attention(None, "models.attention.old_gpu", {"found": ".".join(map(str, found))})
    from transformers.utils import is_flash_attn_2_available

    # Older than 2.3.3, or flash-attention 4, which has the same name to import.
    return None if is_flash_attn_2_available() else Attention(None, "models.attention.other_version")


def _lacks_digits(model: Model, precision: Precision, trainable: bool) -> Attention | None:
    if trainable and isinstance(model.adapter, NoAdapter):
        return Attention(None, "models.attention.full")  # its weights stay fp32
    return Attention(None, "models.attention.fp32") if precision.dtype == "fp32" else None


def _lacks_architecture(config: Any) -> Attention | None:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    of_two = getattr(config, "is_encoder_decoder", False)
    known = (AutoModelForSeq2SeqLM if of_two else AutoModelForCausalLM)._model_mapping
    kinds = known.get(type(config), ())
    kind = next(iter(kinds), None) if isinstance(kinds, tuple) else kinds
    if not getattr(kind, "_supports_flash_attn", False):
        return Attention(None, "models.attention.architecture", {"kind": config.model_type})
    width = _head_width(config.get_text_config())
    if width > _WIDEST_HEAD:
        return Attention(None, "models.attention.wide", {"width": width, "widest": _WIDEST_HEAD})
    return None


def _head_width(config: Any) -> int:
    """0 where the configuration does not tell."""
    if width := getattr(config, "head_dim", None):
        return int(width)
    heads = getattr(config, "num_attention_heads", None)
    return int(config.hidden_size // heads) if heads else 0
