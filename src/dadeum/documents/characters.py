"""Characters that a reader does not see or that a PDF writes in its own way: removed or spelled out, and counted."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from dadeum.core.korean import nfc

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Control, zero-width and direction characters, soft hyphens, Hangul fillers."""
_LIGATURE = re.compile("[\ufb00-\ufb06]")
_ODD_SPACE = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_LINE_END = re.compile("\r\n?|\u2028|\u2029|\x85|\x0b|\x0c")


def cleaned(text: str, changes: Counter[str]) -> str:
    """`text` in NFC without them; line ends become a line feed, tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    if not unicodedata.is_normalized("NFC", text):
        changes["composed"] += 1
        text = nfc(text)
    if "\r" in text or not text.isprintable():
        text = _LINE_END.sub("\n", text)
    text, number = _INVISIBLE.subn("", text)
    changes["invisible"] += number
    text, number = _LIGATURE.subn(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    changes["ligatures"] += number
    return _ODD_SPACE.sub(" ", text)
