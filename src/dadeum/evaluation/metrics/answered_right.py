"""Answered right, from end to end: of all questions that the documents answer, those that got their answer.

A question whose chunk was not found counts as lost, whatever was said. Otherwise right is: no refusal, every number of
the person's answer by value and no number of its own, and at least half of what that answer says beyond the question.
A rule over words, no reader: it follows changes, and does not say that an answer is good.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.korean import nfc
from dadeum.core.korean_quantities import quantities, values
from dadeum.core.letters import tidy
from dadeum.core.morphemes import morphemes
from dadeum.core.rouge import is_content
from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._grounded import plain_answers, source_of
from dadeum.evaluation.metrics._refusals import refuses
from dadeum.evaluation.metrics.unsupported import numbers
from dadeum.tasks import answer

TASKS = ("answer",)
BETTER = "higher"
GROUNDED = True

HALF = 0.5
_NUMBERS = ("SN", "NR")


def per_row(asked: Asked) -> np.ndarray:
    """1 or 0; NaN for questions that the documents do not answer, or whose chunk was kept back."""
    task = asked.recipe.task
    found = np.full(len(asked.rows), np.nan)
    if not isinstance(task, Answer):
        return found
    for place, (said, row) in enumerate(zip(plain_answers(asked), asked.rows, strict=True)):
        text, kind = tidy(said), answer.kind(row)
        if kind == "missed":
            found[place] = 0.0
        elif kind == "answerable":
            right = says(text, tidy(answer.gold_answer(row)), row.text) and not numbers(text, source_of(asked, row))
            found[place] = float(right and not refuses(task, text))
    return found


def says(text: str, gold: str, question: str) -> bool:
    """Whether a text says what the person's answer says.

    By hand: `매월 300,000원을 지급해요` was answered to `얼마인가요?`. `30만 원을 지급합니다` has the number, and of
    매월 and 지급 one: half of them, enough.
    """
    said = values(nfc(text))
    if any(not each.is_among(said) for each in quantities(nfc(gold))):
        return False
    asked = _words(question)
    wanted = _words(gold) - asked or (_words(gold) if not quantities(nfc(gold)) else set())
    return not wanted or len(wanted & _words(text)) / len(wanted) >= HALF


def _words(text: str) -> set[str]:
    """Content words but numbers."""
    return {word.form for word in morphemes([nfc(text)])[0] if is_content(word) and word.tag not in _NUMBERS}
