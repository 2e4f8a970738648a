"""What several figures need to know of a text: its letters, its words, what was taught."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dadeum.core.examples import Example, answer_of

_BUDGET_CHARACTERS = 200_000
"""Training answers read to learn what is usual: two or three seconds of Kiwi, and some thousand answers."""
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_CODE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|www\.\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+", re.DOTALL | re.ASCII
)


def tidy(text: str) -> str:
    """Composed (NFC) and without space at the ends."""
    return unicodedata.normalize("NFC", text).strip()


def without_code(text: str) -> str:
    """Code, links and addresses as a space."""
    return _CODE.sub(" ", text)


def letters(text: str) -> tuple[int, int]:
    """(Hangul letters, all letters)."""
    return len(_HANGUL.findall(text)), sum(character.isalpha() for character in text)


def is_korean(text: str) -> bool:
    """More than half of its letters are Hangul."""
    hangul, total = letters(text)
    return 2 * hangul > total


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
