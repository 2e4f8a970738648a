"""Engine: score candidate answers, generate, and weigh what people wrote, many rows at a time.

Deciding a label needs no generation: `models/scoring.py` reads it off one forward pass. What all prompts begin with
(the instruction) is computed once, for scores and for free answers (`models/generation.py`).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.errors import RecipeError
from dadeum.core.examples import Example, Turn
from dadeum.core.generation import Generation
from dadeum.core.recipe import Recipe
from dadeum.models.kept import own_weights
from dadeum.models.likelihood import Labelled, Likelihood, log_likelihoods
from dadeum.models.load import load_base, load_trained
from dadeum.models.precision import choose_precision
from dadeum.models.render import Renderer, common_prefix, label_spans
from dadeum.models.seq2seq_engine import Seq2SeqEngine
from dadeum.models.seq2seq_render import Seq2SeqRenderer, load_renderer
from dadeum.models.threads import use_threads
from dadeum.models.writing import Counter, Writer, Written, by_length


class Engine(Writer):
    """A loaded model with its renderer; `close` frees the weights."""

    def __init__(self, model: Any, renderer: Renderer) -> None:
        self.model = model.eval()
        self.renderer = renderer

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
        import torch

        from dadeum.models.answer_rules import numbers_of
        from dadeum.models.generation import Writing, generate_batch, shared_beginning

        tokenizer = self.renderer.tokenizer
        drawn = number if generation.temperature else 1
        writing = Writing(
            max_new_tokens, self.renderer.stop_ids, tokenizer.pad_token_id, generation, best_of_beams=number // drawn
        )
        rows = [self.renderer.prompt_ids(prompt) for prompt in prompts for _ in range(drawn)]
        answers: list[list[Written]] = [[] for _ in rows]
        waiting = [drawn] * len(prompts)
        with torch.inference_mode():
            beginning = shared_beginning(self.model, rows, writing)
            # Beams are rows of their own to the memory.
            for indices in by_length(rows, max(1, batch_size // generation.beams)):
                draws = None
                if generation.temperature:
                    draws = numbers_of(seed, [divmod(index, drawn) for index in indices], max_new_tokens)
                found = generate_batch(self.model, [rows[index] for index in indices], writing, beginning, draws)
                for place, ids in enumerate(found):
                    written = Written(str(tokenizer.decode(ids)), finished=len(ids) < max_new_tokens)
                    answers[indices[place // writing.best_of_beams]].append(written)
                for index in indices:
                    waiting[index // drawn] -= 1
                if progress:
                    progress(len({index // drawn for index in indices if not waiting[index // drawn]}))
        return [[one for each in answers[at : at + drawn] for one in each] for at in range(0, len(rows), drawn)]

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


AnyEngine = Engine | Seq2SeqEngine


def load_engine(recipe: Recipe, weights: Path | None) -> AnyEngine:
    """The untuned base (`weights` None) or the base with what a stage trained."""
    precision = choose_precision(recipe.model.precision)
    use_threads()
    renderer = load_renderer(recipe)
    if weights is None:
        model = load_base(recipe.model, precision)
    else:
        model = _merged(load_trained(recipe.model, precision, weights))
    return Seq2SeqEngine(model, renderer) if isinstance(renderer, Seq2SeqRenderer) else Engine(model, renderer)


def load_decider(recipe: Recipe, weights: Path | None) -> Engine:
    """The same for a task with labels, which only a decoder can score."""
    engine = load_engine(recipe, weights)
    if isinstance(engine, Seq2SeqEngine):
        raise RecipeError("models.seq2seq.no_decisions", base=recipe.model.base)
    return engine


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
    own_weights(model)
    return model.merge_and_unload()
