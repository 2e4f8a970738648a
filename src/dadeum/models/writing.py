"""What all engines share: the recipe's `generation` section as arguments of transformers' `generate`, and answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import Turn
from dadeum.core.generation import Generation

Counter = Callable[[int], None]
"""Told how many more rows are done."""


@dataclass(frozen=True)
class Written:
    """A free answer."""

    text: str
    finished: bool
    """False where the limit on its length cut it off."""


class Writer(ABC):
    """What every engine does with the one way of writing that is its own; `close` frees the weights."""

    model: Any

    @abstractmethod
    def write_candidates(
        self,
        prompts: list[list[Turn]],
        number: int,
        max_new_tokens: int,
        batch_size: int,
        progress: Counter | None = None,
        generation: Generation = Generation(),  # noqa: B008
        seed: int = 42,
    ) -> list[list[Written]]:
        """`number` answers per prompt: drawn where there is a temperature, else the likeliest beams, the best first.

        What is drawn depends on seed, settings and the prompt's place, not on the batch that it is written in.
        """

    def write(
        self, prompts: list[list[Turn]], max_new_tokens: int, batch_size: int, progress: Counter | None = None,
        generation: Generation = Generation(), seed: int = 42,  # noqa: B008
    ) -> list[Written]:  # fmt: skip
        """One answer per prompt, in their order, without the end token, and which of them came to an end.

        `candidates` and `finish` are not this method's: `models/candidates.py` and `core/finishing` see to them.
        """
        found = self.write_candidates(prompts, 1, max_new_tokens, batch_size, progress, generation, seed)
        return [written[0] for written in found]

    def generate(
        self, prompts: list[list[Turn]], max_new_tokens: int, batch_size: int, progress: Counter | None = None
    ) -> list[str]:
        """Greedy answers in the order of `prompts`, without the end token."""
        return [written.text for written in self.write(prompts, max_new_tokens, batch_size, progress)]

    def close(self) -> None:
        self.model = None


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
