"""Exact match: the same answer but for particles, the copula, spaces, punctuation and how numbers are written.

Morphemes are Kiwi's, numbers are compared by value: 30만 원입니다 is 300,000원, 시청에서 is 시청. KorQuAD's own rule
compares letters, so that a right answer with its particle counts as wrong.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.examples import answer_of
from dadeum.core.morphemes import Morpheme, morphemes
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._grounded import by_value

TASKS = ("answer",)
BETTER = "higher"

_LEFT_OUT = ("J", "VCP", "SF", "SP", "SS", "SE", "SO", "SW", "SB")
"""Tags (as beginnings): particles, the copula, marks."""
_ENDINGS = ("EF", "EC", "EP", "ETM", "ETN")


def per_row(asked: Asked) -> np.ndarray:
    """1 or 0; NaN where the reference has nothing to match."""
    said, wanted = normal_forms(asked.answers), normal_forms([answer_of(row) for row in asked.rows])
    return np.array([float(one == other) if other else np.nan for one, other in zip(said, wanted, strict=True)])


def normal_forms(texts: list[str]) -> list[str]:
    """By hand: `서울시청에서 합니다.` → `서울시청합니다`; `월 300,000원이에요` → `월300000원`."""
    valued = by_value(texts)
    return [_normal_form(words) for words in morphemes(valued)]


def _normal_form(words: tuple[Morpheme, ...]) -> str:
    kept, after_copula = [], False
    for word in words:
        # 입니다, 이에요: the endings of the copula say nothing; those of a verb may (할 수 없다).
        after_copula = word.tag.startswith("VCP") or (after_copula and word.tag.startswith(_ENDINGS))
        if not after_copula and not word.tag.startswith(_LEFT_OUT):
            kept.append(word.form)
    return "".join("".join(kept).casefold().split())
