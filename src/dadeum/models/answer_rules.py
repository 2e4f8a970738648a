"""What changes token scores while a decoder writes: rules on the answer alone, and drawing that no batch can change.

transformers counts a decoder's prompt as written: a ban on repeated n-grams would forbid a name of the dialogue in its
summary. Its sampling takes numbers from one stream for the whole batch; here every answer has numbers of its own, so
what is drawn depends on seed, row and settings, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)

from dadeum.core.generation import Generation


def rules(generation: Generation, num_before: int, draws: np.ndarray | None) -> LogitsProcessorList:
    """What `generate` is given; `num_before` ids are no part of the answer, `draws` come one row per answer."""
    found = LogitsProcessorList()
    if generation.repetition_penalty != 1.0:
        found.append(OfTheAnswer(RepetitionPenaltyLogitsProcessor(generation.repetition_penalty), num_before))
    if generation.no_repeat_ngram:
        found.append(OfTheAnswer(NoRepeatNGramLogitsProcessor(generation.no_repeat_ngram), num_before))
    if generation.temperature:
        if draws is None:
            raise ValueError("answers are drawn with numbers: give one row of them per answer")
        found.append(Drawn(generation.temperature, generation.top_p, num_before, draws))
    return found


class OfTheAnswer(LogitsProcessor):
    """A rule of transformers that does not see what stood before the answer."""

    def __init__(self, rule: Any, num_before: int) -> None:
        self.rule = rule
        self.num_before = num_before

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.rule(input_ids[:, self.num_before :], scores)
        return changed


class Drawn(LogitsProcessor):
    """Leaves one token per row, drawn by one number of that row's own: greedy search then takes it."""

    def __init__(self, temperature: float, top_p: float, num_before: int, draws: np.ndarray) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self.num_before = num_before
        self.draws = draws

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        numbers = torch.from_numpy(self.draws[:, input_ids.shape[1] - self.num_before]).to(scores.device)
        chosen = draw(scores, self.temperature, self.top_p, numbers)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def draw(scores: torch.Tensor, temperature: float, top_p: float, numbers: torch.Tensor) -> torch.Tensor:
    """One token per row: the place where the probabilities, summed likeliest first, reach the row's number in [0, 1).

    Only the fewest likeliest tokens that together have `top_p` take part. By hand: probabilities .5 .3 .2 and top_p .7
    leave .5 and .3; the number .6 of their .8 is .48, the first token; .7 is .56, the second.
    """
    ordered, tokens = (scores.double() / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    total = ordered.cumsum(-1)
    # One more than the tokens that together stay below top_p; rounding may leave the whole sum a little below 1.
    last = (total < top_p - 1e-12).sum(-1).clamp(max=scores.shape[-1] - 1)
    reach = numbers * total.gather(1, last[:, None])[:, 0]
    place = torch.minimum((total <= reach[:, None]).sum(-1), last)
    return tokens.gather(1, place[:, None])[:, 0]


def numbers_of(seed: int, answers: Sequence[tuple[int, int]], length: int) -> np.ndarray:
    """Numbers in [0, 1), (answers, length): every answer, known by its row and its place in it, has its own."""
    drawn = [np.random.default_rng([seed, *answer]).random(length) for answer in answers]
    return np.array(drawn).reshape(len(answers), length)
