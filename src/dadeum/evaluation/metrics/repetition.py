"""Repetition: how much of an answer says again what it has said, from 0 to nearly 1.

The largest of three shares: word 4-grams that stood before (seq-rep-4 of Welleck et al. 2019), characters in
sentences said before, characters of a loop that the answer ends in. None alone sees a loop of one word, of one
sentence and of glued syllables.
"""

from __future__ import annotations

import re

import numpy as np

from dadeum.core.letters import tidy
from dadeum.core.loops import MIN_ROUNDS, loops
from dadeum.core.measured import Notice
from dadeum.evaluation.asked import Asked

TASKS = ("chat", "summarize", "answer")
BETTER = "lower"

MIN_SENTENCE_CHARACTERS = 10
"""Shorter sentences ("힘내세요.") are said twice on purpose."""
_WORDS = 4
_SENTENCE = re.compile(r"[^\s.!?…。](?:[^.!?…。\n]+|\.(?=\w))*")


def per_row(asked: Asked) -> np.ndarray:
    """0 where nothing is said twice; NaN for an empty answer."""
    return np.array([repetition(tidy(answer)) for answer in asked.answers])


def notices(asked: Asked) -> list[Notice]:
    """How many answers end in a loop."""
    num = sum(loop_share(tidy(answer)) > 0 for answer in asked.answers)
    values: dict[str, str | int | float] = {"num": num, "total": len(asked.answers), "rounds": MIN_ROUNDS}
    return [Notice(key="evaluate.metrics.repetition.loops", values=values)] if num else []


def repetition(text: str) -> float:
    return max(ngram_share(text), sentence_share(text), loop_share(text)) if text else float("nan")


def ngram_share(text: str) -> float:
    """By hand: "가 나 다 라 가 나 다 라" has 5 word 4-grams, 4 of them different: 1/5."""
    words = text.split()
    grams = [tuple(words[start : start + _WORDS]) for start in range(len(words) - _WORDS + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def sentence_share(text: str) -> float:
    """Characters of sentences that were said before, of the characters of all sentences."""
    seen: set[str] = set()
    repeated = total = 0
    for match in _SENTENCE.finditer(text):
        sentence = "".join(match.group().split())
        total += len(sentence)
        if len(sentence) >= MIN_SENTENCE_CHARACTERS and sentence in seen:
            repeated += len(sentence)
        seen.add(sentence)
    return repeated / total if total else 0.0


def loop_share(text: str) -> float:
    """All rounds but the first of a loop that the text ends in, as a share of the text; 0 where it ends in none.

    By hand: "네" and four times " 좋아요", four characters each: 1 + 16 characters, 12 of them said again: 12/17.
    """
    return max(loops(text), default=0) / len(text) if text else 0.0
