"""Character F1 with numbers by value: KorQuAD's rule, but 35만 원 is 350,000원, and a wrong date is wrong.

The digits of a number count together or not at all, so the same digits in another order share nothing.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from dadeum.core.korean_quantities import quantities
from dadeum.core.letters import tidy
from dadeum.core.morphemes import morphemes
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._grounded import digits
from dadeum.evaluation.metrics._references import references_of
from dadeum.evaluation.metrics.char_f1 import letters_of

TASKS = ("answer",)
BETTER = "higher"


def per_row(asked: Asked) -> np.ndarray:
    """0..1; 0 for an empty answer, NaN without a reference."""
    said = [tidy(answer) for answer in asked.answers]
    morphemes([*said, *(one for wanted in references_of(asked) for one in wanted)])  # all in one go
    pairs = zip(said, references_of(asked), strict=True)
    return np.array([max((value_f1(one, other) for other in wanted), default=np.nan) for one, wanted in pairs])


def value_f1(answer: str, reference: str) -> float:
    """By hand: 1998년 5월 21일 of 1989년 2월 15일 shares 년, 월 and 일 of 10 characters each: 0.3."""
    ours, theirs = units(answer), units(reference)
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def units(text: str) -> Counter[tuple[str, int]]:
    """Letters, and one unit per digit of each number, which no other number has."""
    found: Counter[tuple[str, int]] = Counter()
    at = 0
    for each in quantities(text):
        found.update((letter, -1) for letter in letters_of(text[at : each.start]))
        number = digits(each.value)
        found.update((number, place) for place in range(len(number)))
        at = each.end
    found.update((letter, -1) for letter in letters_of(text[at:]))
    return found
