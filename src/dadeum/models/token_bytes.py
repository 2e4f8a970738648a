"""The bytes that each token of a vocabulary stands for: a Hangul syllable has three, maybe in three tokens.

Byte-level tokenizers (GPT-2's letters) and SentencePiece with byte fallback are read exactly as `decode` reads them.
"""

from __future__ import annotations

import json
import re
from functools import cache
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, proxy

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"
_STEPS = {"Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"}
_known: WeakKeyDictionary[Any, TokenBytes] = WeakKeyDictionary()
_lock = Lock()


class TokenBytes:
    """Bytes per token id, looked up when first asked for."""

    def __init__(self, tokenizer: Any) -> None:
        steps = _steps(tokenizer)
        kinds = {step["type"] for step in steps}
        self._tokenizer = proxy(tokenizer)  # kept as long as the tokenizer is: it must not keep it
        self._is_byte_level = kinds == {"ByteLevel"}
        self._has_bytes = "ByteFallback" in kinds
        self._is_special = {one: bool(added.special) for one, added in tokenizer.added_tokens_decoder.items()}
        self._found: dict[int, bytes] = {}
        self.strips_first_space = any(_strips(step) for step in steps)
        """Decoders that put a space in front of a text take it away again."""
        self.is_exact = (self._is_byte_level or (bool(kinds) and kinds <= _STEPS)) and not _cleans_up(tokenizer)
        """False: only `decode` itself knows what several tokens read."""

    def of(self, token: int) -> bytes:
        """The bytes of one token; nothing for an id behind the vocabulary."""
        found = self._found.get(token)
        if found is None:
            found = self._found[token] = self._read(token)
        return found

    def is_special(self, token: int) -> bool:
        """Whether it is a mark for the model and no text."""
        return self._is_special.get(token, False)

    def _read(self, token: int) -> bytes:
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if self._is_byte_level:
            letters = _byte_of_letter()
            # Added tokens may have letters that stand for no byte: the decoder takes such a token as it is.
            return bytes(letters[one] for one in piece) if all(one in letters for one in piece) else piece.encode()
        if (found := _BYTE.fullmatch(piece)) and self._has_bytes:
            return bytes([int(found[1], 16)])
        return bytes(piece.replace(_SPACE, " ").encode())


def token_bytes(tokenizer: Any) -> TokenBytes:
    """Made once per tokenizer; safe from several threads."""
    with _lock:
        if tokenizer not in _known:
            _known[tokenizer] = TokenBytes(tokenizer)
        return _known[tokenizer]


def _steps(tokenizer: Any) -> list[dict[str, Any]]:
    """What the tokenizer's decoder does, step by step; nothing for one that is written in Python."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None or core.decoder is None:
        return []
    told: dict[str, Any] = json.loads(core.decoder.__getstate__())
    return list(told["decoders"]) if told["type"] == "Sequence" else [told]


def _strips(step: dict[str, Any]) -> bool:
    if step["type"] == "Metaspace":
        return bool(step.get("prepend_scheme", "always") != "never")
    return bool(step["type"] == "Strip" and step["start"])


def _cleans_up(tokenizer: Any) -> bool:
    """Spaces before punctuation are taken out: of WordPiece and Unigram where they ask for it, never of BPE."""
    return bool(tokenizer.clean_up_tokenization_spaces) and type(tokenizer.backend_tokenizer.model).__name__ != "BPE"


@cache
def _byte_of_letter() -> dict[str, int]:
    """GPT-2's table: printable bytes are themselves, the others stand from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}
