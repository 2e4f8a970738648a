"""KorQuAD 1.0's character F1: shared characters of answer and reference, whatever their order.

Kept for comparison with published figures, by the official rule. Its weakness is its definition: a wrong date of the
same digits gets 1.000, and the same amount written otherwise 0.5. Best of several references, as the rule has it.
"""

from __future__ import annotations

import string
from collections import Counter

import numpy as np

from dadeum.core.letters import tidy
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._references import references_of

TASKS = ("summarize", "answer")
BETTER = "higher"

_LEFT_OUT = str.maketrans(
    dict.fromkeys("'\"《》<>〈〉()‘’", " ") | dict.fromkeys(set(string.punctuation) - set("'\"<>()"))
)


def per_row(asked: Asked) -> np.ndarray:
    """0..1; 0 for an empty answer, NaN without a reference."""
    pairs = zip(asked.answers, references_of(asked), strict=True)
    return np.array([max((char_f1(tidy(said), one) for one in wanted), default=np.nan) for said, wanted in pairs])


def char_f1(answer: str, reference: str) -> float:
    """By hand: "15일에" against "15일": 3 shared of 4 and of 3, so F = 6/7."""
    ours, theirs = Counter(letters_of(answer)), Counter(letters_of(reference))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def letters_of(text: str) -> str:
    """Without spaces and punctuation, small."""
    return "".join(text.lower().translate(_LEFT_OUT).split())
