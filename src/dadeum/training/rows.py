"""Examples → token ids, labels and loss weights: what the trainer's collator pads."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from dadeum.core.errors import DataError
from dadeum.core.examples import Example, read_examples
from dadeum.core.messages import text
from dadeum.core.recipe import Recipe
from dadeum.core.run import file_hash, fingerprint
from dadeum.core.stages import Sft, Supervised
from dadeum.core.task import Decide
from dadeum.models.kept import once
from dadeum.models.load import published_as
from dadeum.models.render import IGNORED, Renderer, label_spans
from dadeum.tasks import decide

T = TypeVar("T")

log = logging.getLogger(__name__)

_INSTRUCTION_TOKENS = 32


def once_per_split(recipe: Recipe, stage: Supervised, path: Path, make: Callable[[], T]) -> T:
    """`make()`, which turns the split at `path` into token ids: once inside `keeping()`, with what it says about rows.

    Nobody may change what comes back.
    """

    def key() -> tuple[Any, ...]:
        asked = [getattr(stage, name, None) for name in ("method", "label_weight", "instructions", "augment")]
        wanted = [file_hash(path), asked, *(part.model_dump(mode="json") for part in (recipe.task, recipe.render))]
        return published_as(recipe.model), fingerprint(wanted)

    return once("rows", key, make)


def encode(recipe: Recipe, renderer: Renderer, stage: Sft, path: Path) -> list[dict[str, Any]]:
    """Rows of {input_ids, labels, weights} of one split; DataError when one is over the recipe's limit."""
    return encode_examples(recipe, renderer, stage, read_examples(path), path)


def encode_examples(
    recipe: Recipe, renderer: Renderer, stage: Sft, examples: list[Example], path: Path
) -> list[dict[str, Any]]:
    """The same for examples of the split at `path`, in their order.

    Every answer token that is learnt weighs 1; in a decision the tokens that tell the labels apart weigh more.
    """
    task = recipe.task
    spans = label_spans(renderer, decide.candidates(task)) if isinstance(task, Decide) else []
    limit = recipe.render.max_length_tokens
    rows: list[dict[str, Any]] = []
    escaped: list[tuple[str, str]] = []
    for example in examples:
        rendered = renderer.render(example)
        if len(rendered.input_ids) > limit:
            raise DataError("train.row_too_long", id=example.id, limit=limit)
        escaped += [(example.id, token) for token in renderer.control_tokens(example)[:1]]
        labels, prompt = rendered.labels, rendered.num_prompt_tokens
        weights = [0.0 if label == IGNORED else 1.0 for label in labels[:prompt]]
        weights += token_weights(rendered.input_ids[prompt:], spans, stage.label_weight)
        rows.append({"input_ids": rendered.input_ids, "labels": labels, "weights": weights})
    if escaped:
        row, token = escaped[0]
        log.warning(text("models.families.escaped", path=path, rows=len(escaped), id=row, token=token))
    return rows


def token_weights(answer: list[int], spans: list[list[int]], label_weight: float) -> list[float]:
    """Loss weights of one answer's tokens, mean 1: the label's own tokens count `label_weight` times.

    `{"action": "BLOCK"}` is eight tokens of which two carry the decision; the other six are learnt in ten steps.
    """
    weights = [1.0] * len(answer)
    for span in sorted(spans, key=len, reverse=True):
        for start in range(len(answer) - len(span) + 1):
            if answer[start : start + len(span)] == span:
                weights[start : start + len(span)] = [label_weight] * len(span)
                mean = sum(weights) / len(weights)
                return [weight / mean for weight in weights]
    return weights


def prompt_groups(rows: list[list[int]], step_size: int) -> list[int]:
    """A number for every row; rows under the same long instruction have the same, all others 0.

    An instruction is a beginning that a step's worth and 2 % of the rows share, `_INSTRUCTION_TOKENS` longer than
    what all rows share. Less would put mails of one wording into one step, and the step's gradient would lean.
    """
    at_least = max(step_size, math.ceil(0.02 * len(rows)), 2)
    order = sorted(range(len(rows)), key=rows.__getitem__)
    if len(rows) < 2 * at_least:
        return [0] * len(rows)
    everywhere = _shared(rows[order[0]], rows[order[-1]])
    numbers: dict[tuple[int, ...], int] = {}
    groups = [0] * len(rows)
    done = 0
    for first, last in enumerate(range(at_least - 1, len(order))):
        if _shared(rows[order[first]], rows[order[last]]) >= everywhere + _INSTRUCTION_TOKENS:
            for row in order[max(first, done) : last + 1]:
                beginning = tuple(rows[row][everywhere : everywhere + _INSTRUCTION_TOKENS])
                groups[row] = numbers.setdefault(beginning, len(numbers) + 1)
            done = last + 1
    return groups


def _shared(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
