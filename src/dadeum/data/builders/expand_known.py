"""What is there already: examples and accepted conversations, so that no new one says the same again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dadeum.core.korean import masked
from dadeum.data.builders.draft_rules import Rules
from dadeum.data.builders.expand_rules import NO_FAULT, Fault
from dadeum.data.builders.made_topics import alike, shingles
from dadeum.data.similar.duplicates import LEAK_SIMILARITY
from dadeum.data.texts.prose import sentences
from dadeum.data.texts.questions import bare
from dadeum.retrieval.words import content_words

MIN_SENTENCE = 8
"""Letters and digits of a first sentence that is not said twice; "그렇습니다." may be."""
START_SHARE, MIN_STARTS = 0.03, 3
"""Of the accepted answers that may begin with the same two words; and how many may in any case."""
_SHOWN = 60


class Known:
    """Remembers texts, and finds the one that a new text is too like."""

    def __init__(self, examples: Sequence[Sequence[str]], accepted: Iterable[Sequence[str]]) -> None:
        self._asked = Rules()
        self._questions: list[tuple[frozenset[str], str]] = []
        self._answers: list[tuple[frozenset[str], str]] = []
        self._first: set[str] = set()
        self._starts: Counter[str] = Counter()
        for said in examples:
            self._remember(said)
        # All at once: Kiwi is quicker so, and files may have thousands.
        first = [said[0] for said in examples]
        self._asked.asked.update(
            (bare(question), frozenset(found)) for question, found in zip(first, content_words(first), strict=True)
        )
        for said in accepted:
            self.accept(said)

    def accept(self, said: Sequence[str]) -> None:
        """One more that is kept."""
        self._remember(said)
        self._asked.remember(said[0])
        self._starts.update(_start(answer) for answer in said[1::2])

    def _remember(self, said: Sequence[str]) -> None:
        self._questions.append((shingles(said[0]), said[0]))
        self._answers += [(shingles(answer), answer) for answer in said[1::2]]
        self._first.update(_first_sentence(answer) for answer in said[1::2])

    def fault(self, said: Sequence[str]) -> Fault:
        """`asked_again`, `copied` or `same_start`, with what it is like."""
        if found := _like(said[0], self._questions) or self._asked.asks_again(said[0]):
            return "asked_again", found[:_SHOWN]
        for answer in said[1::2]:
            if found := _like(answer, self._answers):
                return "copied", found[:_SHOWN]
            first, start = _first_sentence(answer), _start(answer)
            if len(bare(first)) >= MIN_SENTENCE and first in self._first:
                return "same_start", first[:_SHOWN]
            if self._starts[start] >= max(MIN_STARTS, START_SHARE * self._starts.total()):
                return "same_start", f"{start} ({self._starts[start]})"
        return NO_FAULT


def _like(text: str, known: Sequence[tuple[frozenset[str], str]]) -> str:
    grams = shingles(text)
    return next((other for found, other in known if grams and alike(grams, found, similarity=LEAK_SIMILARITY)), "")


def _first_sentence(answer: str) -> str:
    found = next(sentences(answer), None)
    return masked(found.group()) if found else ""


def _start(answer: str) -> str:
    return " ".join(answer.split()[:2])
