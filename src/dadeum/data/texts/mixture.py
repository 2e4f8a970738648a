"""Where an answer leaves its speech level: polite and plain sentences of the writer's own in one text."""

from __future__ import annotations

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
    prose = own_prose(answer.text)
    own = [sentence for sentence in answer.sentences if _counts(sentence, prose)]
    polite = [sentence for sentence in own if sentence.level in POLITE]
    plain = [sentence for sentence in own if sentence.level in _LOWER and _is_finished(sentence, answer.text)]
    if not polite or not plain:
        return None
    rarer = (polite if len(polite) < len(plain) else plain)[0]
    usual = Counter(sentence.level for sentence in (plain if rarer in polite else polite)).most_common(1)[0][0]
    found = {"level": rarer.level, "usual": usual, "polite": len(polite), "plain": len(plain)}
    return Hit(answer.row, answer.part, rarer.start, rarer.end, found)


def _counts(sentence: Sentence, prose: str) -> bool:
    """The sentence ends in the writer's own words, and is no remark to oneself."""
    end = prose[sentence.start : sentence.end].rstrip(" .!?~…^\"'”’)")
    return bool(end) and "가" <= end[-1] <= "힣" and sentence.ending not in SOLILOQUY | _MUSING


def _is_finished(sentence: Sentence, text: str) -> bool:
    """Marked as a sentence or at the end of its line; else it may be a clause ("처음만 어렵지 다음은 쉬워요.")."""
    line_goes_on = text[sentence.end :].split("\n", 1)[0].strip()
    return text[sentence.start : sentence.end].rstrip("\"'”’)")[-1:] in _MARKS or not line_goes_on


_MARKS = {".", "!", "?", "…", "~", "。"}
