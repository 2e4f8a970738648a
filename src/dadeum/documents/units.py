"""What a document is cut into before chunks are made of it: sentences, tables, and rows of tables that are too long.

Kiwi finds the sentences. Joined with `before`, the units are the document's text; nothing but white space at the ends
of sentences is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from dadeum.core.morphemes import kiwi
from dadeum.documents.document import Block, Document

_TITLE_LETTERS = 60
_TITLE_END = re.compile(r"[.?!…:;,]$|[.?!]['\"”’)\]]$")
_CLAUSE_END = re.compile(r"[,;:)\]」』】·…](?=\s)|(?<=[가-힣])[,;](?=[가-힣])|\n")
_SPACE = re.compile(r"\s+")
_SENTENCES_AT_ONCE = 64
"""Paragraphs that Kiwi reads together."""


@dataclass(frozen=True)
class Unit:
    """The smallest part that goes into a chunk whole."""

    text: str
    before: str
    """What stands between it and the unit before, where both are in one chunk."""
    first_page: int
    last_page: int
    header: str = ""
    """Of a table row: the lines that name its columns, put before it where a chunk begins with it."""
    is_row: bool = False
    """Of a table, or a whole table."""
    is_cut: bool = False
    is_title: bool = False


@dataclass
class _Passage:
    """A paragraph, whole where a page break cuts it, or a table."""

    text: str
    block: Block
    starts: list[tuple[int, int]] = field(default_factory=list)
    """(where it begins in the text, page)."""

    def page_at(self, place: int, after: int = 0) -> int:
        return max((start, page) for start, page in self.starts if start <= after + place)[1]


def units_of(document: Document, count: Callable[[str], int], size: int) -> Iterator[Unit]:
    """None has more than `size` tokens."""
    waiting: list[_Passage] = []
    for passage in _passages(document):
        if not passage.block.is_table:
            waiting.append(passage)
        if passage.block.is_table or len(waiting) >= _SENTENCES_AT_ONCE:
            yield from _sentences(waiting, count, size)
            waiting = []
        if passage.block.is_table:
            yield from _table(passage, count, size)
    yield from _sentences(waiting, count, size)


def _passages(document: Document) -> Iterator[_Passage]:
    current: _Passage | None = None
    for page in document.pages:
        for block in page.blocks:
            if current and block.joint is not None and not block.is_table and not current.block.is_table:
                current.starts.append((len(current.text) + len(block.joint), page.number))
                current.text += block.joint + block.text
                continue
            if current:
                yield current
            current = _Passage(block.text, block, [(0, page.number)])
    if current:
        yield current


def _sentences(passages: Sequence[_Passage], count: Callable[[str], int], size: int) -> Iterator[Unit]:
    if not passages:
        return
    read = kiwi().split_into_sents([passage.text for passage in passages])
    for passage, sentences in zip(passages, read, strict=True):
        starts = [0, *(found.start for found in sentences[1:]), len(passage.text)]
        end = 0
        for number, (start, stop) in enumerate(pairwise(starts)):
            text = passage.text[start:stop].rstrip()
            if not text.strip():
                continue
            before = passage.text[end:start] if number else "\n\n"
            unit = Unit(text, before, passage.page_at(start), passage.page_at(start + len(text) - 1))
            is_title = number == 0 and text == passage.text.rstrip() and len(text) <= _TITLE_LETTERS
            end = start + len(text)
            if count(text) <= size:
                yield replace(unit, is_title=is_title and not _TITLE_END.search(text))
            else:
                yield from _cut(unit, count, size, partial(passage.page_at, after=start))


def _table(passage: _Passage, count: Callable[[str], int], size: int) -> Iterator[Unit]:
    page = passage.starts[0][1]
    whole = Unit(passage.text, "\n\n", page, page, is_row=True)
    if count(passage.text) <= size:
        yield whole
        return
    lines = passage.text.split("\n")
    header = "\n".join(lines[:2])
    if count(header) > size // 2:
        header, lines = "", ["", *lines]
    else:
        yield from _whole_or_cut(replace(whole, text=header), count, size)
    for number, line in enumerate(lines[2:] if header else lines[1:]):
        row = replace(whole, text=line, before="\n" if header or number else "\n\n", header=header)
        yield from _whole_or_cut(row, count, size)


def _whole_or_cut(unit: Unit, count: Callable[[str], int], size: int) -> Iterator[Unit]:
    if count(unit.text) <= size:
        yield unit
    else:
        yield from _cut(replace(unit, header=""), count, size, lambda _: unit.first_page)


def _cut(unit: Unit, count: Callable[[str], int], size: int, page_at: Callable[[int], int]) -> Iterator[Unit]:
    """Pieces of a unit that is too long: at the ends of clauses, else at spaces, else between letters."""
    start, before = 0, unit.before
    while start < len(unit.text):
        end = start + _longest(unit.text[start:], count, size)
        piece = unit.text[start:end].rstrip()
        if piece:
            last = page_at(start + len(piece) - 1)
            yield replace(unit, text=piece, before=before, first_page=page_at(start), last_page=last, is_cut=True)
        gap = _SPACE.match(unit.text, start + len(piece))
        start = gap.end() if gap else start + len(piece)
        before = gap[0] if gap else ""


def _longest(text: str, count: Callable[[str], int], size: int) -> int:
    """Letters of the beginning that fit, up to the best place to cut."""
    if count(text) <= size:
        return len(text)
    low, high = 1, min(len(text), 2)
    while high < len(text) and count(text[:high]) <= size:
        low, high = high, min(2 * high, len(text))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(text[:middle].rstrip()) <= size else (low, middle)
    for pattern in (_CLAUSE_END, _SPACE):
        ends = [found.end() for found in pattern.finditer(text, low // 2, low + 1) if found.end() <= low]
        # A piece of white space alone would be no progress.
        if ends and text[: ends[-1]].strip():
            return ends[-1]
    return low
