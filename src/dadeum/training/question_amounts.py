"""What a `contrastive` stage makes of the questions: steps, tokens and work; and lengths as `plan` tells them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.core.stages import Contrastive
from dadeum.models.embed import EMBEDDERS
from dadeum.models.render import Fitted
from dadeum.training.amounts import Amount, forward_share
from dadeum.training.arguments import steps_per_epoch
from dadeum.training.memory_contrastive import Questions

Splits = Mapping[str, Sequence[Fitted]]


class Limited(Protocol):
    """What has counted the tokens (data/lengths/tokens.py)."""

    limit: int | None
    """Tokens that the model reads of a text."""


def length_notes(recipe: Recipe, splits: Splits, counter: Limited) -> list[str]:
    """Tokens of questions and of what answers them, and what the model is known to be bad at."""
    limit = counter.limit
    rows = [row for split in splits.values() for row in split]
    asked, gold = (sorted(getattr(row, name) for row in rows) for name in ("prompt_tokens", "answer_tokens"))
    said = {"q50": _share(asked, 0.5), "q95": _share(asked, 0.95), "q_longest": asked[-1]}
    said |= {"c50": _share(gold, 0.5), "c95": _share(gold, 0.95), "c_longest": gold[-1]}
    notes = [text("plan.retrieve.lengths", **said)]
    if limit and (cut := sum(tokens > limit for tokens in gold)):
        values = {"num": cut, "total": len(gold), "share": cut / len(gold), "limit": limit}
        notes.append(text("plan.retrieve.gold_cut", **values))
    if limit and (cut := sum(tokens > limit for tokens in asked)):
        notes.append(text("plan.retrieve.questions_cut", num=cut, total=len(asked), limit=limit))
    packaged = EMBEDDERS.get(recipe.model.base)
    if packaged and packaged.language == "en":
        notes.append(text("plan.retrieve.english", base=recipe.model.base))
    return notes


def prompt_notes(splits: Splits) -> list[str]:
    """How long what the answerer is shown is on average, question and instruction among it."""
    rows = [row for split in splits.values() for row in split]
    mean = sum(row.prompt_tokens for row in rows) / len(rows)
    return [text("plan.retrieve.contexts", mean=mean, longest=max(row.prompt_tokens for row in rows))]


def _share(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def contrastive_amount(
    recipe: Recipe, stage: Contrastive, splits: Splits, chunks: Sequence[int], counter: Limited
) -> Amount:
    """`splits`: questions as prompts and their right chunks as answers; `chunks`: tokens of every chunk."""
    limit = counter.limit

    def read(tokens: int) -> int:
        return min(tokens, limit) if limit else tokens

    rows = splits["train"]
    questions = [read(row.prompt_tokens) for row in rows]
    gold = [read(row.answer_tokens) for row in rows]
    cut = [read(tokens) for tokens in chunks]
    mean = sum(cut) / max(len(cut), 1)
    number = stage.negatives.number
    # A negative of the losses on pairs is read with its question once more.
    pairs = 1 if stage.loss == "mnr" else 1 + number
    per_epoch = sum(questions) * pairs + sum(gold) + number * mean * len(rows)
    asked = [row for split in ("train", "validation") for row in splits.get(split, [])]
    looked = sum(cut) + sum(read(row.prompt_tokens) for row in asked)
    times = (1 if number else 0) + math.ceil(stage.epochs)  # before the training, and at each validation
    steps = math.ceil(steps_per_epoch(len(rows) * pairs, stage) * stage.epochs)
    held = len(chunks) + len(asked)
    return Amount(
        steps=steps,
        tokens=int(per_epoch * stage.epochs),
        computed=per_epoch * stage.epochs + looked * times * forward_share(recipe),
        rows=Questions(max(questions, default=1), max(gold, default=1), max(cut, default=1), held),
    )
