"""The answer that a recipe's `generation` asks for: of several candidates the one most like all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dadeum.core.consensus import choose_all
from dadeum.core.examples import Turn
from dadeum.core.generation import Generation
from dadeum.models.writing import Counter, Written

if TYPE_CHECKING:
    from dadeum.models.engines import Engine
    from dadeum.models.seq2seq_engine import Seq2SeqEngine


def write_best(
    engine: Engine | Seq2SeqEngine,
    prompts: list[list[Turn]],
    max_new_tokens: int,
    batch_size: int,
    progress: Counter | None,
    generation: Generation,
    seed: int,
) -> list[Written]:
    """One answer per prompt, before the finishing steps; by minimum Bayes risk where the recipe draws several."""
    if generation.candidates == 1:
        return engine.write(prompts, max_new_tokens, batch_size, progress, generation, seed)
    number = generation.candidates
    drawn = engine.write_candidates(prompts, number, max_new_tokens, batch_size, progress, generation, seed)
    chosen = choose_all([[one.text for one in several] for several in drawn])
    return [several[place] for several, place in zip(drawn, chosen, strict=True)]
