"""Answers begin in many ways; where most begin alike, the model settles its first token before it reads.

Measured: 128 healthy answers begin with 122 different words; 3,500 broken correction rows with 19; half of a public
summary set with "두 화자는".
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from dadeum.core.examples import answer_of
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, short

CODE = "KO110"
NAME = "answer_starts"

MAX_TOP = 0.3
"""Share of answers with one and the same first word (or two) from which this is a warning."""
MAX_MARKS = 0.2
"""Share of answers that begin with a punctuation mark or symbol."""
MIN_ANSWERS = 50
MIN_DISTINCT = 30
"""Different answers below which their starts are not the trouble; few_distinct_texts is."""
MIN_CHARACTERS = 15
"""Mean length of answers; shorter ones ("예", "긍정") are labels."""
MIN_SPREAD = 0.01
"""Effective number of different starts (exp of the entropy) per answer; the broken correction file has 0.005."""
MIN_STARTS = 30
"""Effective starts that are enough for any number of answers."""
_MASK = re.compile("#[A-Za-z]+[0-9]*#")
_MAX_MASKS = 4
_FORMATS = ("```", "**", "#", "{", "[", "<", "(", "$", "http", "|")
"""Beginnings of Markdown, JSON, tags, masks such as #Person1# and formulas: a format, not a collapse."""


@dataclass(frozen=True)
class Starts:
    """How a list of answers begins."""

    top: str
    """The commonest first word, or first two where even those are the same in MAX_TOP of the answers."""
    share: float
    """Of the answers that begin with `top`."""
    entropy: float
    """Of the first words, in nats."""
    distinct: int
    """Different first words."""
    marks: float
    """Share of answers that begin with a mark or symbol."""


def starts(answers: list[str]) -> Starts:
    """Raises ValueError for no answers."""
    if not answers:
        raise ValueError("no answers")
    first = Counter(_start(answer, 1) for answer in answers)
    two = Counter(_start(answer, 2) for answer in answers)
    top = two.most_common(1)[0] if two.most_common(1)[0][1] >= MAX_TOP * len(answers) else first.most_common(1)[0]
    entropy = sum(count / len(answers) * math.log(len(answers) / count) for count in first.values())
    marks = sum(_begins_with_mark(answer) for answer in answers)
    return Starts(top[0], top[1] / len(answers), entropy, len(first), marks / len(answers))


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "text"):
        return []
    answers = {row: answer for row, (_, example) in enumerate(context.placed) if (answer := answer_of(example).strip())}
    distinct = list(dict.fromkeys(answers.values()))
    if len(answers) < MIN_ANSWERS or sum(map(len, answers.values())) < MIN_CHARACTERS * len(answers):
        return []
    every, different = starts(list(answers.values())), starts(distinct)
    why = _why(every, len(answers)) or (_why(different, len(distinct)) if len(distinct) >= MIN_ANSWERS else "")
    if not why:
        return []
    hits = [
        Hit(row, _part(context, row), found={"start": short(_start(answer))})
        for row, answer in answers.items()
        if why == "few" or (_begins_with_mark(answer) if why == "marks" else _start(answer).startswith(every.top))
    ]
    values = {
        "why": why, "top": short(every.top), "share": every.share, "distinct_share": different.share,
        "entropy": every.entropy, "starts": every.distinct, "answers": len(answers), "distinct": len(distinct),
        "marks": every.marks,
    }  # fmt: skip
    return context.finding(CODE, NAME, "warn", hits, values, len(answers))


def _why(found: Starts, num: int) -> str:
    """What is wrong: marks, top, few, or nothing."""
    if found.marks >= MAX_MARKS:
        return "marks"
    if found.share >= MAX_TOP:
        return "top"
    return "few" if math.exp(found.entropy) < min(MIN_SPREAD * num, MIN_STARTS) else ""


def _begins_with_mark(answer: str) -> bool:
    text = answer.lstrip()
    return bool(text) and unicodedata.category(text[0])[0] in "PS" and not text.startswith(_FORMATS)


def _start(answer: str, num_words: int = 2) -> str:
    """The first words; masked names such as "#Person1#은" before them follow the input and are left out."""
    words = answer.split(maxsplit=num_words + _MAX_MASKS)
    named = next((number for number, word in enumerate(words[:_MAX_MASKS]) if not _MASK.match(word)), 0)
    return " ".join(words[named : named + num_words])


def _part(context: Context, row: int) -> str:
    example = context.placed[row][1]
    return f"assistant.{len(example.prompt) + len(example.completion)}"
