"""Decisions of callers that ask at the same time, scored together: what evaluation computes, in as few passes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dadeum.gateway.engine.adapters import Held
from dadeum.models.render import common_prefix, label_spans
from dadeum.models.scoring import Scorer
from dadeum.models.tree_attention import trees

_AT_ONCE = 16
"""Longest rows of one pass."""
_TRIED = 5
"""Rows that the scorer wants before it tries whether a packed tree is exact."""


@dataclass(eq=False)
class Decision:
    """What one caller asks."""

    version: str
    renderer: Any
    prompts: Sequence[list[int]]
    candidates: Sequence[tuple[str, ...]]
    """Of each prompt."""
    future: Future[list[np.ndarray]] = field(default_factory=Future)


def decided(held: Held, asked: Sequence[Decision]) -> list[list[np.ndarray]]:
    """Natural-log probabilities per decision and prompt; equal candidates go together."""
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[int, int]]] = {}
    for number, decision in enumerate(asked):
        for place, candidates in enumerate(decision.candidates):
            groups.setdefault((decision.version, candidates), []).append((number, place))
    found = [[np.empty(0)] * len(decision.prompts) for decision in asked]
    for (version, candidates), places in groups.items():
        prompts = [asked[number].prompts[place] for number, place in places]
        scores = _scored(held, version, asked[places[0][0]].renderer, prompts, list(candidates))
        for (number, place), row in zip(places, scores, strict=True):
            found[number][place] = row
    return found


def _scored(held: Held, version: str, renderer: Any, prompts: list[list[int]], candidates: list[str]) -> np.ndarray:
    """As models/engines.Engine.score; whether trees are exact is tried once per set of weights."""
    answers = [renderer.answer_ids(candidate) for candidate in candidates]
    start = answers[0][: common_prefix(answers)]
    rows = [prompt + start for prompt in prompts]
    scorer = Scorer(held.model, label_spans(renderer, candidates), renderer.tokenizer.pad_token_id)
    scores = np.zeros((len(rows), len(candidates)))
    # The scorer cuts the rows itself: which adapter they take is the same for all.
    with torch.inference_mode(), held.switch.through([held.adapter(version)]), ExitStack() as stack:
        if held.takes_trees is None:
            scorer.choose_path((rows * _TRIED)[: max(_TRIED, len(rows))], stack)
            held.takes_trees = scorer.uses_trees
        elif held.takes_trees:
            stack.enter_context(trees(held.model))
            scorer.uses_trees = True
        for indices in scorer.parts(rows, _AT_ONCE):
            scores[indices] = scorer([rows[index] for index in indices])
    return scores
