"""Whether a text ends its last sentence or breaks off inside it.

A full stop, a question mark, an emoji or laughter ends a sentence; without one, the last ending as Kiwi tags it.
A noun without a mark may end a list or be cut: not judged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from dadeum.core.letters import is_korean, tidy
from dadeum.core.morphemes import tokenized

_CLOSING = " \t\n\"'”’」』》〉)）]}*_`"
_STOPS = ".!?…。！？~～^"
_EMOTICON = re.compile(r"(?:[\u3131-\u3163]{2,}|[:;=]-?[)(DPp3]+|<3|\^[_.]?\^|[Tt][_.][Tt])$")
"""Laughter and tears (two jamo or more), western and eastern faces."""
_GOES_ON = ",，:;：；-–—(（[·/"
_MIN_WORDS = 4
"""Words without Hangul from which a missing full stop means something: "Good luck" needs none."""
_ENDS = ("EF", "ETN")
_CUT = ("J", "EC", "EP", "ETM", "VV", "VA", "VX", "VCP", "VCN", "MM", "MAG", "MAJ", "XPN", "XSV", "XSA", "XR")
"""Tags (as beginnings) after which a Korean sentence has to go on."""


def breaks_off(texts: Sequence[str]) -> np.ndarray:
    """1 where it breaks off, 0 where it ends, NaN where the end does not tell: an empty text, a noun."""
    texts = [tidy(text) for text in texts]
    found = np.array([_by_sight(text) for text in texts])
    open_ = [index for index, text in enumerate(texts) if np.isnan(found[index]) and is_korean(text)]
    lines = [_last_line(texts[index]) for index in open_]
    for index, sentences in zip(open_, tokenized(lines), strict=True):
        found[index] = _by_ending([token.tag for sentence in sentences for token in sentence])
    return found


def _by_sight(text: str) -> float:
    """By the last character; NaN where only the grammar can tell."""
    end = text.rstrip(_CLOSING)
    if not end:
        return float("nan")
    last = end[-1]
    if last in _STOPS or unicodedata.category(last) in ("So", "Sk", "Mn") or _EMOTICON.search(end):
        return 0.0
    if last in _GOES_ON and not text.endswith("```"):
        return 1.0
    if is_korean(text):
        return float("nan")
    return 1.0 if last.isalpha() and len(text.split()) >= _MIN_WORDS else float("nan")


def _last_line(text: str) -> str:
    return text.rstrip(_CLOSING).splitlines()[-1]


def _by_ending(tags: list[str]) -> float:
    words = [tag for tag in tags if tag[0] not in "SWZ"]
    if not words:
        return float("nan")
    # "그렇죠", "고마워요": an ending, with the polite particle after it or not.
    last = words[-2] if words[-1] == "JX" and len(words) > 1 and words[-2].startswith("E") else words[-1]
    if last.startswith(_ENDS):
        return 0.0
    return 1.0 if last.startswith(_CUT) else float("nan")
