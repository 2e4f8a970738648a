"""Writing in padded batches, on the keys and values of what all prompts begin with (the instruction).

The beginning is computed once for all rows. Padding then lies between it and the rest of a row, which is exact where
every layer sees the whole row; a sliding window would count the padding, so it must reach over everything.
"""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dadeum.core.errors import first_line
from dadeum.core.generation import Generation
from dadeum.core.messages import text
from dadeum.models.answer_rules import rules
from dadeum.models.prefix_tree import MIN_SHARED_TOKENS
from dadeum.models.render import common_prefix
from dadeum.models.scoring import padded, tolerance
from dadeum.models.token_budget import indices_to_try
from dadeum.models.writing import options

log = logging.getLogger(__name__)

TOLERANCE = {"fp32": 1e-3, "half": 0.1}
"""Relative difference of the first token's log probabilities between the two paths."""
_TRIED_ROWS = 2
_WINDOWS = ("sliding_window", "attention_chunk_size")

Ids = list[int]


@dataclass(frozen=True)
class Beginning:
    """What all rows begin with, and its keys and values for one row."""

    ids: Ids
    cache: Any


@dataclass(frozen=True)
class Writing:
    """Settings of one call: the same for all of its batches."""

    max_new_tokens: int
    stop_ids: tuple[int, ...]
    """Any of them ends an answer."""
    pad_id: int
    generation: Generation = field(default_factory=Generation)
    best_of_beams: int = 1
    """Answers per row, the likeliest beams; answers that are drawn have a row each."""


def shared_beginning(model: Any, rows: list[Ids], writing: Writing) -> Beginning | None:
    """None where sharing would not be exact or saves nothing; tried on the longest and the shortest row."""
    if len(rows) <= 2 * _TRIED_ROWS:
        return None
    num_shared = min(common_prefix(rows), min(map(len, rows)) - 1)
    if num_shared < MIN_SHARED_TOKENS or max(map(len, rows)) + writing.max_new_tokens > _smallest_window(model):
        return None
    tried = [rows[index] for index in indices_to_try(rows, _TRIED_ROWS)]
    plain = first_log_probs(model, tried, writing, None)
    try:
        beginning = Beginning(rows[0][:num_shared], _cache(model, rows[0][:num_shared]))
        shared = first_log_probs(model, tried, writing, beginning)
    except torch.OutOfMemoryError:
        raise
    except (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        # Caches of their own (recurrent layers, remote code) end here: the plain path is right for all of them.
        log.warning(text("train.prefix_scores_fail", model=type(model).__name__, detail=first_line(error)))
        return None
    difference = float((shared - plain).norm() / (plain - plain.mean(-1, keepdim=True)).norm())
    if difference <= tolerance(TOLERANCE, model):
        return beginning
    log.warning(text("train.prefix_answers_differ", difference=f"{difference:.3g}"))
    return None


def _smallest_window(model: Any) -> float:
    config = model.config.get_text_config()
    return min((size for name in _WINDOWS if (size := getattr(config, name, None))), default=math.inf)


def _cache(model: Any, ids: Ids) -> Any:
    return model(input_ids=torch.tensor([ids], device=model.device), use_cache=True, logits_to_keep=1).past_key_values


def first_log_probs(model: Any, rows: list[Ids], writing: Writing, beginning: Beginning | None) -> torch.Tensor:
    """Natural-log probabilities of the first new token, fp32, (rows, vocabulary): one forward pass."""
    once = Writing(1, writing.stop_ids, writing.pad_id)
    out = _generate(model, rows, once, beginning, return_dict_in_generate=True, output_logits=True)
    # A token that the model rules out (-inf) is no difference.
    log_probs: torch.Tensor = out.logits[0].float().log_softmax(-1).clamp(min=-1e4)
    return log_probs


def generate_batch(
    model: Any, rows: list[Ids], writing: Writing, beginning: Beginning | None, draws: np.ndarray | None = None
) -> list[Ids]:
    """The new tokens of each answer, up to and without the first stop token; answers of one row stand together.

    `draws` has one row of numbers per row of ids where tokens are drawn (`answer_rules.numbers_of`).
    """
    longest = max(map(len, rows))
    found = [line[longest:].tolist() for line in _generate(model, rows, writing, beginning, draws)]
    stops = set(writing.stop_ids)
    return [ids[: next((at for at, one in enumerate(ids) if one in stops), len(ids))] for ids in found]


def _generate(
    model: Any,
    rows: list[Ids],
    writing: Writing,
    beginning: Beginning | None,
    draws: np.ndarray | None = None,
    **changes: Any,
) -> Any:
    cache, num_shared = None, 0
    generation = writing.generation
    if beginning is not None:
        cache, num_shared = copy.deepcopy(beginning.cache), len(beginning.ids)
        # Beam search multiplies the ids by itself, but no cache that it is given.
        cache.batch_repeat_interleave(len(rows) * generation.beams)
    # transformers takes the positions from the mask, and the tokens that the cache does not hold yet from the ids.
    ids, mask = padded(rows, writing.pad_id, model.device, at=num_shared)
    # Rules and drawing are our own (answer_rules.py): what is left to transformers is greedy or beam search.
    plain = Generation(beams=generation.beams, length_penalty=generation.length_penalty)
    settings = options(plain, writing.max_new_tokens, writing.stop_ids, writing.pad_id) | {
        "num_return_sequences": writing.best_of_beams,
        "logits_processor": rules(generation, ids.shape[1], draws),
    }
    return model.generate(input_ids=ids, attention_mask=mask, past_key_values=cache, **(settings | changes))
