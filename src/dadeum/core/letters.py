"""A text as figures read it: composed, its letters counted, code and addresses left out."""

from __future__ import annotations

import re
import unicodedata

_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_CODE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|www\.\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+", re.DOTALL | re.ASCII
)


def tidy(text: str) -> str:
    """Composed (NFC) and without space at the ends."""
    return unicodedata.normalize("NFC", text).strip()


def without_code(text: str) -> str:
    """Code, links and addresses as a space."""
    return _CODE.sub(" ", text)


def letters(text: str) -> tuple[int, int]:
    """(Hangul letters, all letters)."""
    return len(_HANGUL.findall(text)), sum(character.isalpha() for character in text)


def is_korean(text: str) -> bool:
    """More than half of its letters are Hangul."""
    hangul, total = letters(text)
    return 2 * hangul > total
