"""The recipe's `generation` section as arguments of transformers' `generate`, for decoders and encoder-decoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.core.generation import Generation


def options(generation: Generation, max_new_tokens: int, stop_ids: Sequence[int], pad_id: int) -> dict[str, Any]:
    """Everything spelled out, so that no setting of the model's own `generation_config` decides in its place."""
    sampled = generation.temperature > 0
    return {
        "max_new_tokens": max_new_tokens,
        "do_sample": sampled,
        "temperature": generation.temperature if sampled else None,
        "top_p": generation.top_p if sampled else None,
        "top_k": 0 if sampled else None,
        "num_beams": generation.beams,
        "length_penalty": generation.length_penalty if generation.beams > 1 else None,
        "early_stopping": generation.beams > 1,
        "no_repeat_ngram_size": generation.no_repeat_ngram,
        "repetition_penalty": generation.repetition_penalty,
        "eos_token_id": list(stop_ids),
        "pad_token_id": pad_id,
    }
