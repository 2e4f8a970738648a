"""Every letter is one character, as NFC has it.

macOS takes file names apart (NFD): the text looks the same, and a tokenizer sees three times as many other tokens.
Only what NFC would join counts; jamo that nothing joins are `broken_jamo`'s.
"""

from __future__ import annotations

import re
import unicodedata

from dadeum.core.findings import Severity, Span

CODE = "DA112"
NAME = "nfd"
SEVERITY: Severity = "warn"
PARTS = "all"

# Vowels and finals that follow something, combining accents, kana voice marks: no NFC text has one that could join.
_SECOND = re.compile("[\u1161-\u1175\u11a8-\u11c2\u0300-\u036f\u3099\u309a]")
_HANGUL = "(?:[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2])"
_APART = re.compile(f"(?P<hangul>{_HANGUL}(?:[ _.-]?{_HANGUL})*)|(?P<other>[^\\W\\d][\u0300-\u036f\u3099\u309a])")


def find(text: str) -> list[Span]:
    """Kinds `hangul` (a word at a time) and `other` (é, が)."""
    if _SECOND.search(text) is None:
        return []
    return [
        Span(*match.span(), match.lastgroup or "")
        for match in _APART.finditer(text)
        if unicodedata.normalize("NFC", match[0]) != match[0]
    ]
