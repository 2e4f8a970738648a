"""What each token of a vocabulary would be as the beginning of an answer: Hangul, a mark, an end, …

Byte-level tokenizers write a rare syllable in two or three tokens. Its first byte is Hangul, not a foreign letter.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Literal, get_args

import numpy as np

from dadeum.models.render import Renderer
from dadeum.models.token_bytes import token_bytes

Kind = Literal["hangul", "partial", "digit", "foreign", "opening", "mark", "space", "end", "torn", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OPENING = "\"'“‘「『《〈([{<*_#`|-$"
"""Characters that begin a quotation, a bracket, Markdown, code or a tag: a form, if a word follows."""
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_REPLACEMENT = "\ufffd"
_HANGUL_LEADS = range(0xEA, 0xEE)
"""First bytes of 가 to 힣 in UTF-8: EA B0 80 to ED 9E A3."""
_FIRST_SYLLABLE, _LAST_SYLLABLE = b"\xea\xb0\x80", b"\xed\x9e\xa3"
_SYMBOL_LEAD = 0xE2
"""First byte of … • “ → ※ ★: general punctuation, arrows, shapes."""


def kinds(renderer: Renderer, size: int) -> np.ndarray:
    """Index into KINDS per token id; `size` is the width of the model's head, often wider than the vocabulary."""
    tokenizer = renderer.tokenizer
    known = min(len(tokenizer), size)
    texts = tokenizer.batch_decode([[one] for one in range(known)])
    found = [_kind(text, tokenizer, one) for one, text in enumerate(texts)]
    for one in tokenizer.all_special_ids:
        if one < known:
            found[one] = "torn"
    for one in renderer.stop_ids:
        if one < known:
            found[one] = "end"
    indices = [KINDS.index(kind) for kind in found] + [KINDS.index("other")] * (size - known)
    return np.array(indices)


def shown(tokenizer: Any, token: int) -> str:
    """A token as people read it; bytes of a letter as <EC>."""
    text: str = tokenizer.decode([token])
    if _REPLACEMENT in text:
        return "".join(f"<{byte:02X}>" for byte in token_bytes(tokenizer).of(token)) or text
    return text if text.strip() else repr(text)[1:-1]


def kind_of_text(text: str) -> Kind:
    """The kind of the first character that is no space."""
    start = text.lstrip()
    if not start:
        return "space"
    first = start[0]
    if _HANGUL.match(first):
        return "hangul"
    if first.isdigit():
        return "digit"
    if first.isalpha():
        return "foreign"
    if unicodedata.category(first)[0] not in "PS":
        return "other"
    rest = start.lstrip(OPENING)
    opens = first in OPENING and (not rest or rest[0].isalnum() or rest[0].isspace())
    return "opening" if opens else "mark"


def _kind(text: str, tokenizer: Any, token: int) -> Kind:
    if not text.lstrip().startswith(_REPLACEMENT):
        return kind_of_text(text)
    raw = token_bytes(tokenizer).of(token).lstrip(b" ")
    if not raw:
        return "other"
    lead = raw[0]
    if 0x80 <= lead < 0xC0:
        return "torn"
    if lead in _HANGUL_LEADS:
        return "partial" if _can_be_hangul(raw) else "foreign"
    return "mark" if lead == _SYMBOL_LEAD else "other"


def _can_be_hangul(raw: bytes) -> bool:
    """Whether some continuation makes these first bytes a Hangul syllable."""
    return _FIRST_SYLLABLE[: len(raw)] <= raw[:3] <= _LAST_SYLLABLE[: len(raw)]
