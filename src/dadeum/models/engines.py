"""Engine: score candidate answers and generate, in padded batches sorted by length.

Deciding a label needs no generation: the prompt and the common beginning of the candidates go through the model
once, then only the few tokens that tell the labels apart, on the same key-value cache. What all prompts begin with
(the instruction) is computed once for all.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dadeum.core.examples import Turn
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.models.load import load_base, load_tokenizer, load_trained
from dadeum.models.precision import choose_precision
from dadeum.models.render import Renderer, common_prefix, label_spans

log = logging.getLogger(__name__)

Counter = Callable[[int], None]

_MIN_PREFIX_TOKENS = 8
_PREFIX_TOLERANCE = {"fp32": 1e-3, "half": 0.25}
"""Largest difference of a log probability between the shared and the plain path: rounding, not another mask."""


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
        answers = [self.renderer.answer_ids(candidate) for candidate in candidates]
        start = answers[0][: common_prefix(answers)]
        spans = label_spans(self.renderer, candidates)
        rows = [self.renderer.prompt_ids(prompt) + start for prompt in prompts]
        shared = self._shared(rows, spans)
        prefix = self._prefix_cache(rows[0][:shared]) if shared else None
        scores = np.zeros((len(rows), len(candidates)))
        for indices in _batches(rows, batch_size):
            scores[indices] = self._score_batch([rows[index][shared:] for index in indices], spans, prefix)
            if progress:
                progress(len(indices))
        return scores

    def _shared(self, rows: list[list[int]], spans: list[list[int]]) -> int:
        """Leading tokens that all rows share and that may be computed once; 0 when that changes the scores.

        Tried on two rows first: a cache that forgets (sliding windows) would be wrong without any error.
        """
        if len(rows) < 2:
            return 0
        shared = min(common_prefix(rows), min(map(len, rows)) - 1)
        if shared < _MIN_PREFIX_TOKENS:
            return 0
        whole = self._score_batch(rows[:2], spans, None)
        split = self._score_batch([row[shared:] for row in rows[:2]], spans, self._prefix_cache(rows[0][:shared]))
        difference = float(np.abs(whole - split).max())
        tolerance = _PREFIX_TOLERANCE["fp32" if "float32" in str(self.model.dtype) else "half"]
        if difference > tolerance:
            log.warning(text("train.prefix_scores_differ", difference=f"{difference:.3g}"))
            return 0
        return shared

    def _prefix_cache(self, ids: list[int]) -> Any:
        import torch

        with torch.inference_mode():
            row = torch.tensor([ids], device=self.model.device)
            return self.model(input_ids=row, use_cache=True, logits_to_keep=1).past_key_values

    def _score_batch(self, rows: list[list[int]], spans: list[list[int]], prefix: Any) -> np.ndarray:
        import torch

        with torch.inference_mode():
            ids, mask = self._pad_left(rows)
            cache, since = None, 0
            if prefix is not None:
                cache, since = copy.deepcopy(prefix), prefix.get_seq_length()
                cache.batch_repeat_interleave(len(rows))
                mask = torch.cat([mask.new_ones(len(rows), since), mask], dim=1)
            multi_token = max(map(len, spans)) > 1
            inputs = self._inputs(ids, mask, since)
            out = self.model(**inputs, past_key_values=cache, use_cache=multi_token or since > 0, logits_to_keep=1)
            first = out.logits[:, -1].float().log_softmax(-1)
            totals = torch.stack([first[:, span[0]] for span in spans], dim=1)
            for column, span in enumerate(spans):
                if len(span) > 1:
                    totals[:, column] += self._continue(out.past_key_values, mask, span)
            scores: np.ndarray = totals.double().cpu().numpy()
        return scores

    def _continue(self, cache: Any, mask: Any, span: list[int]) -> Any:
        """Sum of log probabilities of `span[1:]` after `span[0]`, on a copy of the prompt's cache; shape (rows,)."""
        import torch

        rows = mask.shape[0]
        ids = torch.tensor([span[:-1]] * rows, device=mask.device)
        longer = torch.cat([mask, torch.ones_like(ids)], dim=1)
        inputs = self._inputs(ids, longer, since=mask.shape[1])
        logits = self.model(**inputs, past_key_values=copy.deepcopy(cache), use_cache=True).logits.float()
        wanted = torch.tensor(span[1:], device=mask.device).expand(rows, -1)
        return logits.log_softmax(-1).gather(-1, wanted.unsqueeze(-1)).squeeze(-1).sum(-1)

    def generate(
        self,
        prompts: list[list[Turn]],
        max_new_tokens: int,
        batch_size: int,
        progress: Counter | None = None,
    ) -> list[str]:
        """Greedy answers in the order of `prompts`, without the end token."""
        rows = [self.renderer.prompt_ids(prompt) for prompt in prompts]
        answers = [""] * len(rows)
        for indices in _batches(rows, batch_size):
            for index, answer in zip(
                indices, self._generate_batch([rows[i] for i in indices], max_new_tokens), strict=True
            ):
                answers[index] = answer
            if progress:
                progress(len(indices))
        return answers

    def _generate_batch(self, rows: list[list[int]], max_new_tokens: int) -> list[str]:
        import torch

        tokenizer = self.renderer.tokenizer
        with torch.inference_mode():
            ids, mask = self._pad_left(rows)
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=self.renderer.end_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        return [self._until_end(row[ids.shape[1] :].tolist()) for row in out]

    def _until_end(self, ids: list[int]) -> str:
        end = self.renderer.end_id
        return str(self.renderer.tokenizer.decode(ids[: ids.index(end)] if end in ids else ids))

    def _pad_left(self, rows: list[list[int]]) -> tuple[Any, Any]:
        """Token ids and mask, both (rows, longest), int64; the last column is every row's last token."""
        import torch

        longest = max(map(len, rows))
        pad = self.renderer.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        device = self.model.device
        return ids.to(device), mask.to(device)

    @staticmethod
    def _inputs(ids: Any, mask: Any, since: int = 0) -> dict[str, Any]:
        """Explicit positions: with padding on the left, a model would count the padding too."""
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, since:]
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}


def _batches(rows: list[list[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices in batches of similar length, longest first, so that a lack of memory shows at once."""
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index]), index))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def load_engine(recipe: Recipe, weights: Path | None) -> Engine:
    """The untuned base (`weights` None) or the base with what a stage trained."""
    precision = choose_precision(recipe.model.precision)
    renderer = Renderer(load_tokenizer(recipe.model), recipe.render)
    if weights is None:
        return Engine(load_base(recipe.model, precision), renderer)
    return Engine(load_trained(recipe.model, precision, weights), renderer)
