"""Chunks of a document for retrieval: whole sentences up to a number of tokens, with pages and ids that stay.

A chunk may begin with sentences that end the one before it (overlap) and with the header of a table that goes on;
`repeated` says how many letters that is, so the rest of all chunks, joined, is the document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dadeum.core.errors import DataError
from dadeum.documents.document import Document
from dadeum.documents.units import Unit, units_of

Count = Callable[[str], int]
"""text → tokens, as the model that will read the chunks counts them."""
_MIN_SIZE = 16


@dataclass(frozen=True)
class Chunk:
    id: str
    """`<document>#p3-007-<8 hex digits of the text>`: page, place in the document; the same in every run."""
    document: str
    text: str
    first_page: int
    last_page: int
    num_tokens: int
    repeated: int = 0
    """Letters at the beginning that also stand in the chunk before."""
    is_cut: bool = False
    """A sentence or a table row longer than the size begins or goes on here."""


def chunks(document: Document, count: Count, size_tokens: int = 256, overlap_tokens: int = 32) -> list[Chunk]:
    """In the order of the document; none has more than `size_tokens`.

    Raises DataError for sizes that cannot work.
    """
    if size_tokens < _MIN_SIZE or not 0 <= overlap_tokens <= size_tokens // 2:
        raise DataError("documents.chunk_size", size=size_tokens, overlap=overlap_tokens, least=_MIN_SIZE)
    found: list[Chunk] = []
    for repeated, new in _groups(list(units_of(document, count, size_tokens)), count, size_tokens, overlap_tokens):
        text, start = rendered(repeated, new, count, size_tokens)
        here = [*repeated, *new]
        first = min(unit.first_page for unit in here)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        found.append(
            Chunk(
                f"{document.id}#p{first}-{len(found) + 1:03d}-{digest}", document.id, text, first,
                max(unit.last_page for unit in here), count(text), start, any(unit.is_cut for unit in new),
            )
        )  # fmt: skip
    return found


def whole(document: Document, count: Count) -> list[Chunk]:
    """The document as one chunk, with the id that `chunks` would give it at a size that it fits in; none without text.

    No sentences are looked for, which is what takes the time.
    """
    text = document.text
    if not text.strip():
        return []
    pages = [page.number for page in document.pages if page.blocks]
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"{document.id}#p{pages[0]}-001-{digest}"
    return [Chunk(name, document.id, text, pages[0], pages[-1], count(text))]


def rendered(repeated: Sequence[Unit], new: Sequence[Unit], count: Count, size: int) -> tuple[str, int]:
    """The text of a chunk, and how many of its letters are repeated."""
    head = new[0].header if not repeated else ""
    if head and len(new) == 1 and count(f"{head}\n{new[0].text}") > size:
        head = ""
    start = f"{head}\n" if head else _text(repeated) + new[0].before if repeated else ""
    return start + _text(new), len(start)


def _text(units: Sequence[Unit]) -> str:
    return "".join(unit.text if number == 0 else unit.before + unit.text for number, unit in enumerate(units))


def _groups(units: Sequence[Unit], count: Count, size: int, overlap: int) -> Iterator[tuple[list[Unit], list[Unit]]]:
    """(repeated, new) units of each chunk."""
    repeated: list[Unit] = []
    new: list[Unit] = []
    for unit in units:
        if new and not _fits(repeated, [*new, unit], count, size):
            # A title belongs to what follows it.
            moved = [new.pop()] if len(new) > 1 and new[-1].is_title and _fits([], [new[-1], unit], count, size) else []
            yield repeated, new
            repeated = _overlap(new, [*moved, unit], count, size, overlap)
            new = moved
        new.append(unit)
    if new:
        yield repeated, new


def _fits(repeated: Sequence[Unit], new: Sequence[Unit], count: Count, size: int) -> bool:
    return count(rendered(repeated, new, count, size)[0]) <= size


def _overlap(before: Sequence[Unit], new: Sequence[Unit], count: Count, size: int, overlap: int) -> list[Unit]:
    """Whole sentences from the end of the chunk before that leave room for what is new."""
    found: list[Unit] = []
    for unit in reversed(before):
        longer = [unit, *found]
        if unit.is_row or unit.is_cut or new[0].is_row or count(_text(longer)) > overlap:
            break
        if not _fits(longer, new, count, size):
            break
        found = longer
    return found
