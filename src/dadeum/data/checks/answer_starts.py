"""Answers begin in many ways; where most begin alike, the model settles its first token before it reads.

First answers of conversations and later ones are judged apart: "네, 물론입니다." stands before the first. Measured: 128
healthy answers begin with 122 different words; 3,500 broken correction rows with 19.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dadeum.core.findings import Finding, Hit
from dadeum.core.korean import masked
from dadeum.data.context import Context, short
from dadeum.data.texts.turns import AnswerTurn, answer_turns

CODE = "KO110"
NAME = "answer_starts"

MAX_TOP = 0.3
"""Share of answers with one and the same first word (or two) from which this is a warning."""
MAX_SENTENCE = 0.2
"""Share of answers with one and the same first sentence, and more after it; of 264 answers to questions of documents
11 % begin with "아니요.", of 11,823 chat answers no sentence begins 0.1 %."""
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
_MIN_SENTENCE = 4
"""Letters of a first sentence; "네." and "아니요." answer a question."""
_SENTENCE_END = re.compile(r"[.!?…。\n]+\s*(?=\S)")
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
    sentence: str
    """The commonest first sentence that is not the whole answer, names and numbers masked; empty for none."""
    sentence_share: float


def starts(answers: Sequence[str]) -> Starts:
    """Raises ValueError for no answers."""
    if not answers:
        raise ValueError("no answers")
    first = Counter(_start(answer, 1) for answer in answers)
    two = Counter(_start(answer, 2) for answer in answers)
    top = two.most_common(1)[0] if two.most_common(1)[0][1] >= MAX_TOP * len(answers) else first.most_common(1)[0]
    entropy = sum(count / len(answers) * math.log(len(answers) / count) for count in first.values())
    marks = sum(_begins_with_mark(answer) for answer in answers)
    sentences = Counter(sentence for answer in answers if (sentence := _first_sentence(answer)))
    sentence, times = sentences.most_common(1)[0] if sentences else ("", 0)
    num = len(answers)
    return Starts(top[0], top[1] / num, entropy, len(first), marks / num, sentence, times / num)


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "text"):
        return []
    turns = answer_turns([example for _, example in context.placed])
    first = [turn for turn in turns if turn.is_first]
    later = [turn for turn in turns if not turn.is_first]
    judged = [(group, why) for group in (first, later) if (why := _judge(group))]
    if not judged and later and (why := _judge(turns)):
        judged = [(turns, why)]
    if not judged:
        return []
    hits = [hit for group, why in judged for hit in _hits(group, why)]
    values = _values(*judged[0], first, later)
    return context.finding(CODE, NAME, "warn", hits, values, len({turn.row for turn in turns}))


def _judge(turns: Sequence[AnswerTurn]) -> str:
    """What is wrong with how these answers begin; empty where nothing is, or too little to tell."""
    texts = [turn.text for turn in turns]
    distinct = list(dict.fromkeys(texts))
    if len(texts) < MIN_ANSWERS or sum(map(len, texts)) < MIN_CHARACTERS * len(texts):
        return ""
    return _why(starts(texts), len(texts)) or (
        _why(starts(distinct), len(distinct)) if len(distinct) >= MIN_ANSWERS else ""
    )


def _hits(turns: Sequence[AnswerTurn], why: str) -> list[Hit]:
    every = starts([turn.text for turn in turns])
    return [
        Hit(turn.row, turn.part, found={"start": short(_start(turn.text))})
        for turn in turns
        if why == "few"
        or (why == "marks" and _begins_with_mark(turn.text))
        or (why == "sentence" and _first_sentence(turn.text) == every.sentence)
        or (why == "top" and _start(turn.text).startswith(every.top))
    ]


def _values(
    turns: Sequence[AnswerTurn], why: str, first: Sequence[AnswerTurn], later: Sequence[AnswerTurn]
) -> dict[str, Any]:
    """Figures of the answers that begin too much alike, beside the shares of `top` in first and later answers."""
    texts = [turn.text for turn in turns]
    distinct = list(dict.fromkeys(texts))
    every = starts(texts)
    return {
        "why": why, "top": short(every.top), "share": every.share, "distinct_share": starts(distinct).share,
        "entropy": every.entropy, "starts": every.distinct, "per_answer": every.distinct / len(texts),
        "answers": len(texts), "distinct": len(distinct), "marks": every.marks,
        "sentence": short(every.sentence) or "-", "sentence_share": every.sentence_share,
        "first": len(first), "first_share": _share(first, every.top),
        "later": len(later), "later_share": _share(later, every.top),
    }  # fmt: skip


def _share(turns: Sequence[AnswerTurn], top: str) -> float:
    """Of answers that begin with `top`; 0 for no answers."""
    return sum(_start(turn.text).startswith(top) for turn in turns) / max(len(turns), 1)


def _why(found: Starts, num: int) -> str:
    """What is wrong: marks, top, sentence, few, or nothing."""
    if found.marks >= MAX_MARKS:
        return "marks"
    if found.share >= MAX_TOP:
        return "top"
    if found.sentence_share >= MAX_SENTENCE:
        return "sentence"
    return "few" if math.exp(found.entropy) < min(MIN_SPREAD * num, MIN_STARTS) else ""


def _begins_with_mark(answer: str) -> bool:
    text = answer.lstrip()
    return bool(text) and unicodedata.category(text[0])[0] in "PS" and not text.startswith(_FORMATS)


def _start(answer: str, num_words: int = 2) -> str:
    """The first words; masked names such as "#Person1#은" before them follow the input and are left out."""
    words = answer.split(maxsplit=num_words + _MAX_MASKS)
    named = next((number for number, word in enumerate(words[:_MAX_MASKS]) if not _MASK.match(word)), 0)
    return " ".join(words[named : named + num_words])


def _first_sentence(answer: str) -> str:
    """Masked; empty where it is all that is said, or too short to be one."""
    head, *rest = _SENTENCE_END.split(answer, maxsplit=1)
    sentence = masked(head)
    return sentence if rest and sum(map(str.isalpha, sentence)) >= _MIN_SENTENCE else ""
