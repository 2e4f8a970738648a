"""Engine: score candidate answers and generate, many rows at a time.

Deciding a label needs no generation: `models/scoring.py` reads it off one forward pass. What all prompts begin with
(the instruction) is computed once, for scores and for free answers (`models/generation.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.examples import Turn
from dadeum.core.recipe import Recipe
from dadeum.models.load import load_base, load_tokenizer, load_trained
from dadeum.models.precision import choose_precision
from dadeum.models.render import Renderer, common_prefix, label_spans
from dadeum.models.threads import use_threads

Counter = Callable[[int], None]


class Engine:
    """A loaded model with its renderer; `close` frees the weights."""

    def __init__(self, model: Any, renderer: Renderer) -> None:
        self.model = model.eval()
        self.renderer = renderer

    def close(self) -> None:
        self.model = None

    def score(
        self,
        prompts: list[list[Turn]],
        candidates: list[str],
        batch_size: int,
        progress: Counter | None = None,
    ) -> np.ndarray:
        """Natural-log probabilities, shape (prompts, candidates), of the tokens that tell the candidates apart."""
        import torch

        from dadeum.models.scoring import Scorer

        answers = [self.renderer.answer_ids(candidate) for candidate in candidates]
        start = answers[0][: common_prefix(answers)]
        spans = label_spans(self.renderer, candidates)
        rows = [self.renderer.prompt_ids(prompt) + start for prompt in prompts]
        scores = np.zeros((len(rows), len(candidates)))
        scorer = Scorer(self.model, spans, self.renderer.tokenizer.pad_token_id)
        with torch.inference_mode(), ExitStack() as stack:
            scorer.choose_path(rows, stack)
            for indices in scorer.parts(rows, batch_size):
                scores[indices] = scorer([rows[index] for index in indices])
                if progress:
                    progress(len(indices))
        return scores

    def generate(
        self,
        prompts: list[list[Turn]],
        max_new_tokens: int,
        batch_size: int,
        progress: Counter | None = None,
    ) -> list[str]:
        """Greedy answers in the order of `prompts`, without the end token."""
        import torch

        from dadeum.models.generation import Greedy, generate_batch, shared_beginning

        tokenizer = self.renderer.tokenizer
        greedy = Greedy(max_new_tokens, self.renderer.end_id, tokenizer.pad_token_id)
        rows = [self.renderer.prompt_ids(prompt) for prompt in prompts]
        answers = [""] * len(rows)
        with torch.inference_mode():
            beginning = shared_beginning(self.model, rows, greedy)
            for indices in _batches(rows, batch_size):
                found = generate_batch(self.model, [rows[index] for index in indices], greedy, beginning)
                for index, ids in zip(indices, found, strict=True):
                    answers[index] = str(tokenizer.decode(ids))
                if progress:
                    progress(len(indices))
        return answers


def _batches(rows: list[list[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, so that a lack of memory shows at once."""
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index]), index))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def load_engine(recipe: Recipe, weights: Path | None) -> Engine:
    """The untuned base (`weights` None) or the base with what a stage trained."""
    precision = choose_precision(recipe.model.precision)
    use_threads()
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render)
    if weights is None:
        return Engine(load_base(recipe.model, precision), renderer)
    return Engine(_merged(load_trained(recipe.model, precision, weights)), renderer)


def _merged(model: Any) -> Any:
    """The adapter added to fp32 weights: apart it costs a fifth of every pass. In fewer digits it would be rounded."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not hasattr(model, "merge_and_unload") or any(one.dtype != torch.float32 for one in model.parameters()):
        return model
    base = model.get_base_model()
    # Tied embeddings and head are one tensor: what is merged into one of them would change the other.
    if any(isinstance(one, BaseTunerLayer) for one in (base.get_input_embeddings(), base.get_output_embeddings())):
        return model
    return model.merge_and_unload()
