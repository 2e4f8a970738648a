"""Faithfulness: share of an answer's sentences that the shown chunks support.

Supported: no number and no name that chunks and question do not have, and at least `ENOUGH` of its content words there.
A refusal claims nothing and is faithful; an empty answer is 0, so that nobody gains by silence. Words are compared, not
meaning: a right number at the wrong place and a `not` too many are not seen, so a high value is no proof.
"""

from __future__ import annotations

import numpy as np

from dadeum.core.korean import nfc
from dadeum.core.letters import tidy
from dadeum.core.morphemes import kiwi, morphemes
from dadeum.core.rouge import is_content
from dadeum.core.task import Answer
from dadeum.evaluation.asked import Asked
from dadeum.evaluation.metrics._grounded import plain_answers, source_of
from dadeum.evaluation.metrics._refusals import refuses
from dadeum.evaluation.metrics.unsupported import names, numbers

TASKS = ("answer",)
BETTER = "higher"
GROUNDED = True

ENOUGH = 0.7
"""Of 23 sentences written by hand about 14 welfare documents, 22 are supported by their own document, 3 by three drawn
at random, 13 by the three most similar, many of which say the same."""
_NUMBERS = ("SN", "NR")
"""Asked about by value, not by form."""


def per_row(asked: Asked) -> np.ndarray:
    """0..1; 0 for an answer without a word."""
    task = asked.recipe.task
    if not isinstance(task, Answer):
        return np.full(len(asked.rows), np.nan)
    found = np.zeros(len(asked.rows))
    for place, (said, row) in enumerate(zip(plain_answers(asked), asked.rows, strict=True)):
        text = tidy(said)
        if refuses(task, text):
            found[place] = 1.0
        elif sentences := sentences_of(text):
            source = source_of(asked, row)
            found[place] = np.mean([is_supported(sentence, source) for sentence in sentences])
    return found


def sentences_of(text: str) -> list[str]:
    return [one.text for one in kiwi().split_into_sents(text) if any(map(str.isalnum, one.text))] if text else []


def is_supported(sentence: str, source: str) -> bool:
    return coverage(sentence, source) >= ENOUGH and not numbers(sentence, source) and not names(sentence, source)


def coverage(sentence: str, source: str) -> float:
    """Share of distinct content words that the source has, as words or inside longer ones; 1 without any.

    By hand: of 지원금, 매월, 지급 and 토끼 a source with 월지원금, 매월 and 지급 has 3: 0.75.
    """
    source = nfc(source)
    wanted = {word.form for word in morphemes([nfc(sentence)])[0] if is_content(word) and word.tag not in _NUMBERS}
    if not wanted:
        return 1.0
    known = {word.form for word in morphemes([source])[0] if is_content(word)}
    letters = "".join(source.split())
    return sum(word in known or (len(word) > 1 and word in letters) for word in wanted) / len(wanted)
