"""Tokens → text that can be shown while the answer is still being written.

Never half a Hangul syllable: its three bytes may come in three tokens. Never the beginning of a stop text: what could
still become one is held back until it is one or cannot be. What is held at the end comes with `rest`.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dadeum.gateway.engine.work import Piece, TokenLogprob
from dadeum.models.token_bytes import TokenBytes, token_bytes

if TYPE_CHECKING:
    from dadeum.gateway.engine.choosing import Chosen

_OPEN_SYLLABLE = re.compile("[\u1100-\u115f]{1,3}[\u1160-\u11a7]{0,3}$")
"""Conjoining letters, as file names of macOS have them: more of the same syllable may follow."""
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class _Told:
    """A token that is not yet shown."""

    start: int
    """Where its text begins, in letters of the whole answer."""
    logprob: TokenLogprob | None


class Pieces:
    """Of one answer. After `ended` nothing more comes; otherwise `rest` is called once, when the last token is in."""

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self._bytes = token_bytes(tokenizer)
        self._text: _Text = _Exact(self._bytes) if self._bytes.is_exact else _Again(tokenizer)
        self._spell = _Spelling(tokenizer, self._bytes)
        self._stops = tuple(stop for stop in stops if stop)
        self._pending = ""
        self._shown = 0
        """Letters of the answer that were given away."""
        self._told: deque[_Told] = deque()
        self.ended = False
        """A stop text was met; it and everything behind it is left out."""

    def add(self, chosen: Chosen) -> Piece | None:
        """What this token lets us show; an end token lets us show nothing."""
        if self.ended or chosen.closes or chosen.ended == "error":
            return None
        self._told.append(_Told(self._shown + len(self._pending), self._spell.logprob(chosen)))
        if not self._bytes.is_special(chosen.token):
            self._pending += self._text.add(chosen.token)
        if self._stop():
            return self._show(len(self._pending), is_last=True)
        return self._show(len(self._pending) - self._held())

    def rest(self) -> Piece | None:
        """What was held back: the beginning of a stop text that did not come, bytes of half a syllable as U+FFFD."""
        if self.ended:
            return None
        self._pending += self._text.end()
        self._stop()
        return self._show(len(self._pending), is_last=True)

    def _stop(self) -> bool:
        """Cut at the first stop text, if there is one."""
        places = [place for stop in self._stops if (place := self._pending.find(stop)) >= 0]
        if places:
            self._pending = self._pending[: min(places)]
            self.ended = True
        return self.ended

    def _held(self) -> int:
        """Length of the longest end that may still become a stop text or a syllable."""
        held = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._pending)), held, -1):
                if self._pending.endswith(stop[:length]):
                    held = length
                    break
        syllable = _OPEN_SYLLABLE.search(self._pending)
        return max(held, len(syllable[0]) if syllable else 0)

    def _show(self, length: int, is_last: bool = False) -> Piece | None:
        text, self._pending = self._pending[:length], self._pending[length:]
        self._shown += length
        told: list[_Told] = []
        # Tokens whose text begins in what is shown. Those of a stop text are never told; at the end come all others.
        while self._told and (self._told[0].start < self._shown or (is_last and not self.ended)):
            told.append(self._told.popleft())
        logprobs = tuple(one.logprob for one in told if one.logprob)
        return Piece(text, len(told), logprobs) if text or logprobs else None


class _Spelling:
    """Tokens with their log probabilities, spelled."""

    def __init__(self, tokenizer: Any, known: TokenBytes) -> None:
        self._tokenizer = tokenizer
        self._bytes = known
        self._strip = known.is_exact and known.strips_first_space

    def logprob(self, chosen: Chosen) -> TokenLogprob | None:
        if chosen.logprob is None:
            return None
        top = tuple((*self._spelled(token), logprob) for token, logprob in chosen.top)
        told = TokenLogprob(*self._spelled(chosen.token), chosen.logprob, top)
        self._strip = self._strip and self._bytes.is_special(chosen.token)
        return told

    def _spelled(self, token: int) -> tuple[str, tuple[int, ...]]:
        """Text and bytes; the space that a decoder strips from the first token is no part of the answer."""
        raw = self._bytes.of(token) if self._bytes.is_exact else str(self._tokenizer.decode([token])).encode()
        if self._strip:
            raw = raw.removeprefix(b" ")
        return raw.decode(errors="replace"), tuple(raw)


class _Text(Protocol):
    """Tokens in, whole letters out."""

    def add(self, token: int) -> str: ...

    def end(self) -> str: ...


class _Exact:
    """By the bytes of each token."""

    def __init__(self, known: TokenBytes) -> None:
        self._bytes = known
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._strip = known.strips_first_space

    def add(self, token: int) -> str:
        raw = self._bytes.of(token)
        if self._strip and raw:
            raw, self._strip = raw.removeprefix(b" "), False
        return self._decoder.decode(raw)

    def end(self) -> str:
        return self._decoder.decode(b"", final=True)


class _Again:
    """By decoding everything again, where a decoder changes more than letters: slower, and never ahead of `decode`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0

    def add(self, token: int) -> str:
        self._ids.append(token)
        return self._new(self._read().rstrip(_REPLACEMENT))

    def end(self) -> str:
        return self._new(self._read())

    def _read(self) -> str:
        return str(self._tokenizer.decode(self._ids, skip_special_tokens=True))

    def _new(self, text: str) -> str:
        new, self._given = text[self._given :], max(self._given, len(text))
        return new
