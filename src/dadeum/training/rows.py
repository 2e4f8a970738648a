"""Examples → token ids, labels and loss weights: what the trainer's collator pads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.examples import read_examples
from dadeum.core.recipe import Recipe, Sft
from dadeum.models.render import Renderer, label_spans
from dadeum.tasks import decide


def encode(recipe: Recipe, renderer: Renderer, stage: Sft, path: Path) -> list[dict[str, Any]]:
    """Rows of {input_ids, labels, weights} of one split; DataError when one is over the recipe's limit."""
    spans = label_spans(renderer, decide.candidates(recipe.task))
    limit = recipe.render.max_length_tokens
    rows: list[dict[str, Any]] = []
    for example in read_examples(path):
        rendered = renderer.render(example)
        if len(rendered.input_ids) > limit:
            raise DataError("train.row_too_long", id=example.id, limit=limit)
        prompt = rendered.num_prompt_tokens
        weights = token_weights(rendered.input_ids[prompt:], spans, stage.label_weight)
        rows.append({"input_ids": rendered.input_ids, "labels": rendered.labels, "weights": [0.0] * prompt + weights})
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
