"""No answer says the same sentence again or runs in a loop: a badly tuned model wrote it, the next one learns it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from dadeum.core.findings import Severity, Span
from dadeum.data.texts.prose import sentences, without_code

CODE = "KO107"
NAME = "repetition"
SEVERITY: Severity = "warn"
PARTS = "answers"

WARN_SHARE = 0.005
"""Share of rows from which this is a warning; none of 8,500 different real answers repeats itself."""
MIN_SENTENCE_CHARACTERS = 10
"""Shorter sentences ("감사합니다.", "네, 맞아요.") are repeated on purpose."""
MIN_REPEATED_SHARE = 0.1
"""Share of the text that repeats from which it is a fault; long documents say a condition under each heading.
A sentence that follows itself at once always is."""
MIN_LOOP_ROUNDS = 4
"""Rounds of the same words one after the other; three are emphasis ("정말 정말 정말")."""
MAX_LOOP_WORDS = 8
MIN_WORD_ROUNDS = 8
"""Rounds of one short word ("정말", "마요."), of which four may be emphasis."""
_MIN_HANGUL_SHARE = 0.3
"""Of a sentence: masks such as #Person1# and spaces take their part."""
_MIN_LOOP_CHARACTERS = 12
"""Of the whole loop; "하하 하하 하하 하하" is laughter."""
_GLUED_WORD_CHARACTERS = 12
_GLUED_LOOP = re.compile(r"([가-힣]{2,10}?)\1{3,}")
_WORD = re.compile(r"\S+")


def find(text: str) -> list[Span]:
    """`sentence`: the second and later of equal sentences; `loop`: words over and over."""
    words = text.split()
    # A repeated sentence or a loop repeats a pair of words, or is one very long word.
    num_pairs = len(words) - 1
    if len(set(pairwise(words))) >= num_pairs and not any(len(word) >= _GLUED_WORD_CHARACTERS for word in words):
        return []
    prose = without_code(text)
    return _loops(prose, words) or _repeated(prose)


def _repeated(text: str) -> list[Span]:
    seen: set[str] = set()
    before, at_once = "", False
    spans = []
    for match in sentences(text):
        sentence = match.group().strip()
        said = "".join(sentence.rstrip("~^ ").split())
        if said in seen and len(sentence) >= MIN_SENTENCE_CHARACTERS and not _is_pattern(sentence):
            spans.append(Span(match.start(), match.start() + len(sentence), "sentence"))
            at_once |= said == before
        seen.add(said)
        before = said
    repeated = sum(span.end - span.start for span in spans)
    return spans if at_once or repeated >= MIN_REPEATED_SHARE * len(text) else []


def _is_pattern(sentence: str) -> bool:
    """Rules, table rows and numbers, which repeat by nature."""
    hangul = sum("가" <= character <= "힣" for character in sentence)
    return hangul < _MIN_HANGUL_SHARE * len(sentence) or "|" in sentence


def _loops(text: str, words: list[str]) -> list[Span]:
    if glued := next((word for word in words if len(word) >= _GLUED_WORD_CHARACTERS and _GLUED_LOOP.search(word)), ""):
        start = text.find(glued)
        return [Span(start, start + len(glued), "loop")] if start >= 0 and _tells(glued) else []
    if not _may_loop(words):
        return []
    places = list(_WORD.finditer(text))
    tokens = [place.group() for place in places]
    for period in range(1, MAX_LOOP_WORDS + 1):
        run = 0
        for at in range(period, len(tokens)):
            run = run + 1 if tokens[at] == tokens[at - period] else 0
            if run >= period * (MIN_LOOP_ROUNDS - 1):
                start, end = places[at - run - period + 1].start(), places[at].end()
                long_word = period == 1 and run >= MIN_WORD_ROUNDS - 1
                if end - start >= _MIN_LOOP_CHARACTERS and _tells(text[start:end], 2 if long_word else 3):
                    return [Span(start, end, "loop")]
    return []


def _may_loop(words: list[str]) -> bool:
    """Somewhere MIN_LOOP_ROUNDS words in a row are each as frequent as a loop makes them."""
    counts = Counter(words)
    stretch = 0
    for word in words:
        stretch = stretch + 1 if counts[word] >= MIN_LOOP_ROUNDS else 0
        if stretch >= MIN_LOOP_ROUNDS:
            return True
    return False


def _tells(text: str, num_syllables: int = 3) -> bool:
    """Words and not laughter, lines or a rhythm of two syllables."""
    return len({character for character in text if "가" <= character <= "힣"}) >= num_syllables
