"""A last sentence that breaks off is left out, where a sentence before it came to an end; an answer is never emptied.

What ends a sentence: a full stop or the like, an emoji, or an ending as Kiwi tags it. A noun without a mark may be the
item of a list: it counts as broken off only in the middle of a line.
"""

from __future__ import annotations

import re
import unicodedata

from dadeum.core.morphemes import tokenized
from dadeum.core.speech import Level

_CLOSING = " \t\n\"'”’」』》〉)）]}*_`"
_STOPS = ".!?…。！？~～^"
_LAUGHTER = re.compile(r"[\u3131-\u3163]{2}$")
"""And tears: two jamo or more."""
_ENDS = ("EF", "ETN")
_NOUNS = ("N", "SN", "SL", "SH", "XSN", "XR")


def apply(text: str, level: Level | None = None) -> str:
    """The text up to the last sentence that ended; as it was where that is all of it, or nothing."""
    sentences = [line for line in next(tokenized([text]), []) if line]
    if _stops(text) or len(sentences) < 2:
        return text
    last = sentences[-1]
    start, tags = last[0].start, [token.tag for token in last if token.tag[0] not in "SWZ" or token.tag in _NOUNS]
    before = text[:start].rstrip()
    if not _stops(before) or not tags:
        return text
    ending = tags[-2] if tags[-1] == "JX" and len(tags) > 1 and tags[-2].startswith("E") else tags[-1]
    on_a_line_of_its_own = "\n" in text[len(before) : start]
    if ending.startswith(_ENDS) or (ending.startswith(_NOUNS) and on_a_line_of_its_own):
        return text
    return before


def _stops(text: str) -> bool:
    """Its last character ends a sentence, whatever closes after it."""
    end = text.rstrip(_CLOSING)
    if not end:
        return False
    last = end[-1]
    return last in _STOPS or unicodedata.category(last) in ("So", "Sk", "Mn") or bool(_LAUGHTER.search(end))
