"""Stock phrases that a data set itself repeats; the known ones are in `core/korean_phrases.py`.

A model that sees "정확한 판단은 전문가에게" in every tenth answer ends up writing it under everything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dadeum.core.korean import masked
from dadeum.data.texts.prose import without_code

MIN_SHARE = 0.02
"""Share of distinct answers from which a sentence is a stock phrase; in 7,779 real chat answers none has 0.3 %."""
MIN_ANSWERS = 5
"""Distinct answers that have it, in small data."""
MIN_DISTINCT = 20
"""Distinct answers below which nothing is mined."""
MIN_HANGUL = 10
"""Syllables of a stock phrase; shorter ones ("할 수 있습니다") are grammar."""
MAX_PHRASES = 50
MAX_MINED = 20_000
"""Distinct answers that phrases are mined from; they are counted in all."""

_HANGUL = re.compile("[가-힣]")
_MASK = re.compile("<[가-힣]+>")
_ORIGINALS = {"<수>": r"\d[\d,.:/-]*", "<이름>": "[가-힣]{2,4}", "<메일>": r"\S+@\S+"}
_SENTENCE_END = re.compile(r"[.!?…\n]+\s*|(?<=[가-힣])\s*[~^]+\s*")
_CLAUSE_END = re.compile(r",\s+|\s[-–—:]\s")
_MARKUP = " \t*_#>-•·\"'“”‘’()[]"


@dataclass(frozen=True)
class Phrase:
    """A sentence or clause that many different answers have."""

    text: str
    """Names and numbers masked (`core.korean.masked`)."""
    count: int
    """Distinct answers that have it."""
    share: float
    """Of the distinct answers."""


def find_phrases(answers: Sequence[str]) -> list[Phrase]:
    """`mine` for answers as they are written."""
    return mine([folded(answer) for answer in dict.fromkeys(answers)])


def mine(answers: Sequence[str]) -> list[Phrase]:
    """Sentences and clauses in MIN_SHARE or more of some distinct answers (`folded`), the commonest first.

    Of a sentence and its own clause only the longer stays where nearly all have both.
    """
    if len(answers) < MIN_DISTINCT:
        return []
    mined = answers[:: max(1, len(answers) // MAX_MINED)]
    least = max(MIN_ANSWERS, MIN_SHARE * len(mined))
    counts = Counter(unit for answer in mined for unit in set(_units(answer)))
    frequent = [unit for unit, count in counts.items() if count >= least and _num_hangul(unit) >= MIN_HANGUL]
    totals = {unit: sum(unit in answer for answer in answers) for unit in frequent}
    phrases = [Phrase(unit, totals[unit], totals[unit] / len(answers)) for unit in _longest(totals)]
    return sorted(phrases, key=lambda phrase: (-phrase.count, phrase.text))[:MAX_PHRASES]


def place_of(phrase: Phrase, answer: str) -> tuple[int, int] | None:
    """Where the phrase stands in an answer as it is written; None when it does not."""
    pattern = re.escape(phrase.text).replace("\\ ", r"\s+")
    for mask, original in _ORIGINALS.items():
        pattern = pattern.replace(re.escape(mask), original)
    match = re.search(pattern, without_code(answer), re.IGNORECASE)
    return match.span() if match else None


def contains(answer: str, phrases: Iterable[Phrase]) -> bool:
    """Whether the answer has one of the phrases, whatever its names and numbers are."""
    text = folded(answer)
    return any(phrase.text in text for phrase in phrases)


def folded(answer: str) -> str:
    """The answer as phrases are compared: code away, names and numbers masked, one line per line."""
    return "\n".join(masked(line) for line in without_code(answer).split("\n"))


def _units(answer: str) -> Iterator[str]:
    """Sentences, and the clauses of those that have several."""
    for sentence in _SENTENCE_END.split(answer):
        if len(sentence) >= MIN_HANGUL:
            yield sentence.strip(_MARKUP)
            if ", " in sentence or " - " in sentence:
                for clause in _CLAUSE_END.split(sentence):
                    if len(clause) >= MIN_HANGUL:
                        yield clause.strip(_MARKUP)


def _num_hangul(unit: str) -> int:
    return len(_HANGUL.findall(_MASK.sub("", unit)))


def _longest(totals: dict[str, int]) -> list[str]:
    """Phrases without those that hardly ever stand outside a longer one."""
    kept: list[str] = []
    for unit in sorted(totals, key=len, reverse=True):
        if not any(unit in longer and totals[longer] >= 0.9 * totals[unit] for longer in kept):
            kept.append(unit)
    return kept
