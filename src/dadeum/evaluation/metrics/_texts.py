"""What several figures need to know of a text: its words, what was taught."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dadeum.core.examples import Example, answer_of
from dadeum.core.letters import tidy

_BUDGET_CHARACTERS = 200_000
"""Training answers read to learn what is usual: two or three seconds of Kiwi, and some thousand answers."""


def question_of(row: Example) -> str:
    """What the user said last."""
    asked = [turn["content"] for turn in row.prompt if turn["role"] == "user"]
    return asked[-1] if asked else row.text


def taught_sample(train: Sequence[Example], seed: int) -> tuple[str, ...]:
    """Distinct training answers in seeded order, until they are `_BUDGET_CHARACTERS` long; at least one."""
    distinct = sorted({answer for row in train if (answer := tidy(answer_of(row)))})
    random.Random(seed).shuffle(distinct)
    chosen, length = [], 0
    for answer in distinct:
        if length >= _BUDGET_CHARACTERS:
            break
        chosen.append(answer)
        length += len(answer)
    return tuple(chosen)


@cache
def word_list(name: str) -> dict[str, Any]:
    """`<name>.yaml` beside the metrics: patterns of words, kept apart from code because they are of a language."""
    file = resources.files("dadeum.evaluation.metrics").joinpath(f"{name}.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found
