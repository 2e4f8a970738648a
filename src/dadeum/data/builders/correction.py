"""Drafts whose start is broken, and the answer without the fault: what is taught is a function of what is shown.

The public file that this replaces pairs 9 inputs with the same 20 answers; no model can learn that. Here every answer
belongs to one question, and the rest of the draft says which one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from random import Random
from typing import Any, NamedTuple, cast

import yaml

from dadeum.data.builders.korean_sft_rows import korean_sft
from dadeum.data.builders.made_topics import MadeRow, topics
from dadeum.data.builders.no_warning_rows import no_warning
from dadeum.data.checks.answer_copied import MIN_COVERED
from dadeum.data.similar.pairs import folded

MAX_CHARACTERS = 500
"""Of a question with its answer: of longer ones the start is a small part."""
HALF_SHARE = 1 / 3
"""Of the reckoned answers, how many drafts stop half-way: mending alone could be learned by copying."""
_TOLD = "row"
"""`facts` of the topics whose answers come from the bank."""
_MIN_LETTERS_LEFT, _MAX_LOST = 2, 2


@cache
def broken_starts() -> Mapping[str, Any]:
    file = resources.files("dadeum.data.builders").joinpath("broken_starts.yaml")
    return cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))


def correction(num: int, seed: int) -> list[MadeRow]:
    """Up to `num` rows, the ways to break a start as even as they can be; fewer where clean answers run out."""
    bank, draw = broken_starts(), Random(f"{seed} correction")
    times: Counter[str] = Counter()
    rows: list[MadeRow] = []
    for clean in _clean(num, seed):
        kind, asked = _asked(bank, times, clean, draw)
        if asked and len(rows) < num:
            times[kind] += 1
            rows.append(MadeRow(bank["kinds"][kind]["category"], (asked, clean.answer)))
    draw.shuffle(rows)
    return rows


class _Clean(NamedTuple):
    question: str
    answer: str
    is_reckoned: bool
    """Question and first half of the answer tell how it goes on; a meaning or a rule they do not tell."""


def _clean(num: int, seed: int) -> Iterator[_Clean]:
    """No answer twice: those written one by one first, then made ones."""
    told = {topic.category for topic in topics() if topic.facts == _TOLD}
    # Another seed than `no-warning` draws with, so that the two files together say more.
    made = [(row, row.category not in told) for row in no_warning(num, seed + 1)]
    seen: set[str] = set()
    for row, is_reckoned in [*((row, False) for row in korean_sft(None, seed)), *made]:
        question, answer = row.turns[:2]
        is_short = len(question) + len(answer) <= MAX_CHARACTERS
        if answer not in seen and answer[0].isalpha() and is_short:
            seen.add(answer)
            yield _Clean(question, answer, is_reckoned)


def _asked(bank: Mapping[str, Any], times: Counter[str], clean: _Clean, draw: Random) -> tuple[str, str]:
    """(kind of the fault, what the user says); nothing said where only copying could be learned."""
    question, answer = clean.question, clean.answer
    is_half = clean.is_reckoned and draw.random() < HALF_SHARE
    shown = _half(answer) if is_half else answer
    kind, draft = _rarest(bank["kinds"], times, question, shown, draw)
    return kind, _framed(bank["unfinished" if is_half else "frames"], question, draft, answer, draw)


def _half(answer: str) -> str:
    words = answer.split()
    return " ".join(words[: (len(words) + 1) // 2])


def _framed(frames: Sequence[str], question: str, draft: str, answer: str, draw: Random) -> str:
    """The first of the shuffled frames in which there is more than the answer; nothing where there is none."""
    asked = (frame.format(question=question, draft=draft) for frame in draw.sample(frames, len(frames)))
    return next((text for text in asked if not _shows(text, answer)), "")


def _shows(asked: str, answer: str) -> bool:
    """As the doctor's answer_copied looks: with the first or the last line away, input and answer are much the same."""
    said = folded(answer)
    for text in map(folded, (asked, asked.partition("\n")[2], asked.rpartition("\n")[0])):
        short, long = sorted((said, text), key=len)
        if text and short in long and len(short) >= MIN_COVERED * len(long):
            return True
    return False


def _rarest(kinds: Mapping[str, Any], times: Counter[str], question: str, answer: str, draw: Random) -> tuple[str, str]:
    """(kind, draft) of the kind that was used least among those that leave the answer to be told."""
    for kind in sorted(kinds, key=lambda name: times[name]):
        if draft := broken(kind, kinds[kind].get("pieces", ()), question, answer, draw):
            return kind, draft
    raise AssertionError("marks break any start")


def broken(kind: str, pieces: Sequence[str], question: str, answer: str, draw: Random) -> str:
    """The answer with its start broken in that way; empty where what was lost could only be guessed."""
    first = answer.split()[0]
    if kind == "repeated":
        return f"{first} " * draw.randint(1, 3) + answer
    if kind == "stutter":
        return answer[0] * draw.randint(1, 3) + answer
    if kind == "cut":
        # The question still has the lost syllables.
        lost = draw.randint(1, _MAX_LOST)
        is_told = len(first) >= lost + _MIN_LETTERS_LEFT and first[: lost + 1] in question
        return answer[lost:] if is_told else ""
    return draw.choice(pieces) + answer
