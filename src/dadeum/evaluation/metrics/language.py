"""Language held: share of letters that are not Hangul, where Korean was taught; code, links and asked words excepted.

A small multilingual model that slides into English or Chinese does so for whole sentences: one such answer is near 1.
"""

from __future__ import annotations

import re

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.core.letters import is_korean, letters, tidy, without_code
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._texts import taught_sample

TASKS = ("chat", "summarize", "answer")
BETTER = "lower"

_LATIN_WORD = re.compile("[A-Za-z]+")


def per_row(asked: Asked) -> np.ndarray:
    """0..1; NaN for an answer without letters, and for all where the training answers are not Korean."""
    if not _taught_korean(asked):
        return np.full(len(asked.answers), np.nan)
    pairs = zip(asked.answers, asked.rows, strict=True)
    return np.array(
        [
            foreign_share(answer, " ".join([*(turn["content"] for turn in row.prompt), answer_of(row)]))
            for answer, row in pairs
        ]
    )


def notices(asked: Asked) -> list[Notice]:
    """That nothing is judged where other languages were taught."""
    return [] if _taught_korean(asked) else [Notice(key="evaluate.metrics.language.not_korean")]


def foreign_share(answer: str, asked: str) -> float:
    """By hand: "좋아요 very good" asked for nothing: 8 of 11 letters; where `very` was asked for, 4 of 7."""
    known = {word.lower() for word in _LATIN_WORD.findall(asked)}
    text = _LATIN_WORD.sub(lambda word: "" if word[0].lower() in known else word[0], without_code(tidy(answer)))
    hangul, total = letters(text)
    return 1 - hangul / total if total else float("nan")


def _taught_korean(asked: Asked) -> bool:
    taught = taught_sample(asked.train, asked.recipe.seed)
    return bool(taught) and is_korean(" ".join(taught))
