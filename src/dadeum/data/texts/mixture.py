"""Where an answer leaves its speech level: polite and plain sentences of the writer's own in one text."""

from __future__ import annotations

import re
from collections import Counter

from dadeum.core.findings import Hit
from dadeum.core.speech import PLAIN, POLITE, SOLILOQUY, Sentence
from dadeum.data.texts.prose import own_prose
from dadeum.data.texts.sentences import Answer

_LOWER = PLAIN | {"hage"}
_MUSING = frozenset({"구먼", "는구먼"})
"""하게체 that is said to oneself."""


def mixture(answer: Answer) -> Hit | None:
    """The first sentence of the rarer kind; of two equally frequent kinds the plain one."""
    levels = {sentence.level for sentence in answer.sentences}
    if not levels & POLITE or not levels & _LOWER:
        return None
    own = own_sentences(answer)
    polite = [sentence for sentence in own if sentence.level in POLITE]
    plain = [sentence for sentence in own if sentence.level in _LOWER and is_finished(sentence, answer.text)]
    if not polite or not plain:
        return None
    rarer = (polite if len(polite) < len(plain) else plain)[0]
    usual = Counter(sentence.level for sentence in (plain if rarer in polite else polite)).most_common(1)[0][0]
    found = {"level": rarer.level, "usual": usual, "polite": len(polite), "plain": len(plain)}
    return Hit(answer.row, answer.part, rarer.start, rarer.end, found)


def own_sentences(answer: Answer) -> list[Sentence]:
    """The writer's own: no quotations, list items, headings, lines of speakers, nor remarks to oneself."""
    prose = own_prose(answer.text)
    return [sentence for sentence in answer.sentences if _counts(sentence, answer.text, prose)]


def _counts(sentence: Sentence, text: str, prose: str) -> bool:
    """The sentence ends in the writer's own words, and is no remark to oneself."""
    end = text[sentence.start : sentence.end].rstrip(_CLOSING)
    last = prose[sentence.start + len(end) - 1] if end else ""
    return "가" <= last <= "힣" and sentence.ending not in SOLILOQUY | _MUSING


def is_finished(sentence: Sentence, text: str) -> bool:
    """Marked as a sentence or at the end of its line; else it may be a clause ("처음만 어렵지 다음은 쉬워요.").

    Where sentences before it have marks, one without may be cut: "85명을 빼" is no command then.
    """
    if text[sentence.start : sentence.end].rstrip("\"'”’)")[-1:] in _MARKS:
        return True
    line_goes_on = text[sentence.end :].split("\n", 1)[0].strip()
    may_be_cut = sentence.ending in _CONNECTS and _MARKED.search(text, 0, sentence.start)
    return not line_goes_on and not may_be_cut


_CLOSING = " .!?~…^\"'”’)"
_MARKED = re.compile(r"[.!?]\s")
_CONNECTS = frozenset({"어", "아", "야", "지", "자", "니", "으니"})
"""Endings that also connect: only a mark, or the habit of a text without marks, tells that the sentence is over."""
_MARKS = {".", "!", "?", "…", "~", "。"}
