"""Kiwi, the Korean morphological analyser, loaded once (1 to 2 s) and only where it is needed.

About 90,000 characters a second with two threads. Offsets count characters of the text as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from dadeum.core.korean import MASK

if TYPE_CHECKING:
    from kiwipiepy import Kiwi, Token  # type: ignore[import-untyped]

_JOINED = ("J", "E", "XS", "VCP")
"""Tags (as beginnings) that Korean orthography writes onto the word before."""
_BEGINS_A_WORD = ("N", "VV", "VA", "M", "I", "XR")
_MAY_STAND_TOGETHER = {"NNB", "NR"}


MASKED = "MASK"
"""Tag of a mask such as #Person1#; Kiwi, which would read "#입니다" after it as a hashtag, knows none."""
_MOST_REMEMBERED = 1_000_000
"""Morphemes that are kept; about 200 MB."""


class Morpheme(NamedTuple):
    """A word or a part of it, as Kiwi reads it; a mask is one of its own."""

    form: str
    tag: str
    start: int
    end: int
    """Characters of the text as it was given."""


@cache
def kiwi() -> Kiwi:
    """The one Kiwi of this process, with a thread per core."""
    from kiwipiepy import Kiwi

    return Kiwi(num_workers=-1)


def tokenized(texts: Sequence[str]) -> Iterator[list[list[Token]]]:
    """Per text its sentences as lists of tokens, in order; a line break always ends a sentence.

    A mask such as #Person1# is read as one foreign word; its token's `form` is not the mask.
    """
    if not texts:
        return
    for text in kiwi().tokenize(
        [MASK.sub(_as_word, text) if "#" in text else text for text in texts], split_sents=True
    ):
        yield [list(line) for sentence in text for _, line in groupby(sentence, key=_line)]


class _Memory:
    """Texts that were read, until they take too much room; then all are forgotten."""

    def __init__(self) -> None:
        self.read: dict[str, tuple[Morpheme, ...]] = {}
        self.size = 0

    def add(self, found: dict[str, tuple[Morpheme, ...]]) -> None:
        if self.size > _MOST_REMEMBERED:
            self.read, self.size = {}, 0
        self.read |= found
        self.size += sum(map(len, found.values()))


_memory = _Memory()


def morphemes(texts: Sequence[str]) -> list[tuple[Morpheme, ...]]:
    """Per text its morphemes in order, masks whole; a text that was read before is not read again."""
    known = {text: _memory.read[text] for text in texts if text in _memory.read}
    new = [text for text in dict.fromkeys(texts) if text not in known]
    if new:
        hidden = [MASK.sub(_as_word, text) if "#" in text else text for text in new]
        found = kiwi().tokenize(hidden, compatible_jamo=True)
        read = {text: tuple(_with_masks(text, tokens)) for text, tokens in zip(new, found, strict=True)}
        known |= read
        _memory.add(read)
    return [known[text] for text in texts]


def _with_masks(text: str, tokens: Sequence[Token]) -> Iterator[Morpheme]:
    """The tokens of a text whose masks were hidden, with the masks where they stood."""
    masks = [mask.span() for mask in MASK.finditer(text)] if "#" in text else []
    at = 0
    for token in tokens:
        while at < len(masks) and masks[at][0] < token.end:
            yield Morpheme(text[slice(*masks[at])], MASKED, *masks[at])
            at += 1
        if not any(start < token.end and token.start < end for start, end in masks):
            yield Morpheme(token.form, token.tag, token.start, token.end)


def _as_word(mask: re.Match[str]) -> str:
    return "X" * len(mask.group())


def _line(token: Token) -> int:
    return int(token.line_number)


class Spacing(NamedTuple):
    """How far the spaces of a text are from where Kiwi would put them."""

    missing: int
    """Words written onto the one before."""
    spare: int
    """Spaces inside a word: before a particle or an ending."""
    boundaries: int
    """Gaps between words, as corrected."""

    @property
    def share(self) -> float:
        """Corrections per gap; 0 where there is none."""
        return (self.missing + self.spare) / max(self.boundaries, 1)


def spacing(text: str, sentences: Sequence[Sequence[Token]]) -> Spacing:
    """The spaces of `text` against its tokens (`tokenized`).

    Counts only what orthography does not leave open: compound nouns, auxiliary verbs, numbers with their units and
    everything beside a symbol may stand together or apart.
    """
    missing = spare = boundaries = 0
    for sentence in sentences:
        for before, token in pairwise(sentence):
            if before.tag[0] in "SWUZ" or token.tag[0] in "SWUZ":
                boundaries += _has_space(text, before.end, token.start)
            elif _has_space(text, before.end, token.start):
                spare += (inside := token.tag.startswith(_JOINED))
                boundaries += not inside
            elif token.start >= before.end and _must_part(before, token):
                missing += 1
                boundaries += 1
    return Spacing(missing, spare, boundaries)


def _has_space(text: str, start: int, end: int) -> bool:
    return start < end and text[start:end].isspace()


def _must_part(before: Token, token: Token) -> bool:
    """A word that begins after a particle, an adnominal or connecting ending, an adverb or a determiner."""
    if not token.tag.startswith(_BEGINS_A_WORD) or before.tag.startswith(("N", "X", "V", "EP")):
        return False
    if before.tag == "EC" and token.tag[0] == "V":
        return False  # "떠나보내다" is one word, "떠나 보내다" two
    return token.tag not in _MAY_STAND_TOGETHER or before.tag == "ETM"
