"""Syllables with a space after each, as some PDFs have them: found by their rarity, closed and spaced by Kiwi."""

from __future__ import annotations

import re
from collections import Counter

from dadeum.core.morphemes import kiwi

_RUN = re.compile(r"(?<![^\s(\[‘“\"'])[가-힣][,.!?:…]?(?:[ \t]{1,3}[가-힣][,.!?:…]?){5,}(?=[\s)\]’”\"']|$)")
"""Six words of one syllable each: in 820,000 characters of welfare texts there is no such place."""
_MARK = re.compile(r"[,.!?:…]")
_LEAST_SYLLABLES = 3
"""Between two marks; shorter parts alone are an enumeration (한 끼, 두 끼, 세 끼), which is spaced well."""
_WIDE = re.compile(r"[ \t]{2,}")
_BETWEEN_SYLLABLES = re.compile("(?<=[가-힣])[ \t](?=[가-힣])")


def respaced(text: str, changes: Counter[str]) -> str:
    """Runs of lone syllables as words; where two spaces stand, a word ended."""

    def mend(run: re.Match[str]) -> str:
        if all(len(part.split()) < _LEAST_SYLLABLES for part in _MARK.split(run[0])):
            return run[0]
        changes["spaced_syllables"] += 1
        closed = _BETWEEN_SYLLABLES.sub("", _WIDE.sub("\t\t", run[0]))
        return " ".join(kiwi().space(part) for part in re.split("\t+", closed))

    return _RUN.sub(mend, text)
