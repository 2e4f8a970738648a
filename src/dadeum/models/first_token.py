"""How an answer would begin: the distribution of the first token after the prompt, one forward pass per batch.

What all prompts begin with is computed once, as for free answers. Nothing is drawn and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dadeum.core.examples import Turn
from dadeum.models.engines import Engine
from dadeum.models.writing import by_length


def first_token_log_probs(
    engine: Engine, prompts: list[list[Turn]], batch_size: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """(indices of prompts, natural-log probabilities, shape (indices, vocabulary)), longest prompts first.

    Batch by batch: 200 prompts over a vocabulary of 250,000 would take 200 MB at once.
    """
    import torch

    from dadeum.models.generation import Writing, first_log_probs, shared_beginning

    writing = Writing(1, engine.renderer.stop_ids, engine.renderer.tokenizer.pad_token_id)
    rows = [engine.renderer.prompt_ids(prompt) for prompt in prompts]
    with torch.inference_mode():
        beginning = shared_beginning(engine.model, rows, writing)
    for indices in by_length(rows, batch_size):
        # Left before the caller goes on: the mode must not reach into what it does with the numbers.
        with torch.inference_mode():
            found = first_log_probs(engine.model, [rows[index] for index in indices], writing, beginning)
        yield indices, found.cpu().numpy()
