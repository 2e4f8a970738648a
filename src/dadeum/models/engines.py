"""Engine: score candidate answers, generate, and weigh what people wrote, many rows at a time.

Deciding a label needs no generation: `models/scoring.py` reads it off one forward pass. What all prompts begin with
(the instruction) is computed once, for scores and for free answers (`models/generation.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.examples import Example, Turn
from dadeum.core.recipe import Recipe
from dadeum.models.likelihood import Labelled, Likelihood, log_likelihoods
from dadeum.models.load import load_base, load_tokenizer, load_trained
from dadeum.models.precision import choose_precision
from dadeum.models.render import Renderer, common_prefix, label_spans, loss_on
from dadeum.models.threads import use_threads

Counter = Callable[[int], None]


@dataclass(frozen=True)
class Written:
    """A free answer."""

    text: str
    finished: bool
    """False where the limit on its length cut it off."""


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
        return [written.text for written in self.write(prompts, max_new_tokens, batch_size, progress)]

    def write(
        self,
        prompts: list[list[Turn]],
        max_new_tokens: int,
        batch_size: int,
        progress: Counter | None = None,
    ) -> list[Written]:
        """Greedy answers in the order of `prompts`, without the end token, and which of them came to an end."""
        import torch

        from dadeum.models.generation import Greedy, generate_batch, shared_beginning

        tokenizer = self.renderer.tokenizer
        greedy = Greedy(max_new_tokens, self.renderer.stop_ids, tokenizer.pad_token_id)
        rows = [self.renderer.prompt_ids(prompt) for prompt in prompts]
        answers = [Written("", False)] * len(rows)
        with torch.inference_mode():
            beginning = shared_beginning(self.model, rows, greedy)
            for indices in _batches(rows, batch_size):
                found = generate_batch(self.model, [rows[index] for index in indices], greedy, beginning)
                for index, ids in zip(indices, found, strict=True):
                    answers[index] = Written(str(tokenizer.decode(ids)), finished=len(ids) < max_new_tokens)
                if progress:
                    progress(len(indices))
        return answers

    def log_likelihoods(
        self, examples: list[Example], batch_size: int, progress: Counter | None = None
    ) -> list[Likelihood]:
        """How probable what people answered is to this model: every token that training takes the loss on."""
        import torch

        rendered = [self.renderer.render(example) for example in examples]
        rows = [Labelled(row.input_ids, row.labels) for row in rendered]
        pad_id = self.renderer.tokenizer.pad_token_id
        with torch.inference_mode():
            return log_likelihoods(self.model, rows, batch_size, pad_id, progress or (lambda newly: None))


def _batches(rows: list[list[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, so that a lack of memory shows at once."""
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index]), index))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def load_engine(recipe: Recipe, weights: Path | None) -> Engine:
    """The untuned base (`weights` None) or the base with what a stage trained."""
    precision = choose_precision(recipe.model.precision)
    use_threads()
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render, loss_on(recipe))
    if weights is None:
        return Engine(load_base(recipe.model, precision), renderer)
    return Engine(_merged(load_trained(recipe.model, precision, weights)), renderer)


def _merged(model: Any) -> Any:
    """The adapter added to fp32 weights: apart it costs a fifth of every pass. In fewer digits it would be rounded."""
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    if not hasattr(model, "merge_and_unload"):
        return model
    # Layers on disk would stay in memory once they are merged.
    if any(one.dtype != torch.float32 or one.is_meta for one in model.parameters()):
        return model
    base = model.get_base_model()
    # Tied embeddings and head are one tensor: what is merged into one of them would change the other.
    if any(isinstance(one, BaseTunerLayer) for one in (base.get_input_embeddings(), base.get_output_embeddings())):
        return model
    return model.merge_and_unload()
