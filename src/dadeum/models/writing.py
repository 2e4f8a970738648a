"""What all engines share: the recipe's `generation` section as arguments of transformers' `generate`, and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dadeum.core.generation import Generation

Counter = Callable[[int], None]
"""Told how many more rows are done."""


@dataclass(frozen=True)
class Written:
    """A free answer."""

    text: str
    finished: bool
    """False where the limit on its length cut it off."""


def by_length(rows: list[list[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, so that a lack of memory shows at once."""
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index]), index))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


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
