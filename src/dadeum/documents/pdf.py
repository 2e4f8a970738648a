"""A PDF as a Document: pages read one by one, then what the whole document tells (running lines, joints) applied.

Of a page that was read only its lines are kept, so memory grows with the text and not with the drawings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from dadeum.core.errors import DataError
from dadeum.core.messages import Message
from dadeum.core.progress import Progress, silent
from dadeum.documents import ocr
from dadeum.documents.characters import cleaned
from dadeum.documents.document import Block, Document, Page, PageKind, document_id, markdown, shortened
from dadeum.documents.joints import Joint, decided, joined, words_of
from dadeum.documents.layout import Line, lines_of
from dadeum.documents.paragraphs import (
    PageLayout,
    Paragraph,
    TextLine,
    goes_on_over_a_break,
    joint,
    paragraphs,
)
from dadeum.documents.pdf_pages import PageContent, Word, open_pdf, pages
from dadeum.documents.running import remove_running
from dadeum.documents.spacing import respaced
from dadeum.documents.tables import RawTable, ruled_tables, with_unruled

_MIN_LETTERS = 50
"""Under a large image, fewer are a stamp on a scan."""
_SCAN_SHARE, _PICTURE_SHARE = 0.5, 0.2
"""Of the page under an image: with few letters on it, and with none."""
_MIN_PATHS = 150
"""Drawn on a page without letters: text that was turned into outlines."""
_TAIL = 2048
_HEAD = 1024


@dataclass
class _Reading:
    """What is known of a document while it is read."""

    layouts: list[PageLayout] = field(default_factory=list)
    kinds: list[PageKind] = field(default_factory=list)
    recognised: dict[int, list[list[str]]] = field(default_factory=dict)
    """Page number → paragraphs of lines."""
    failures: dict[int, str] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)


def read_pdf(
    path: Path, *, password: str | None = None, recognise: bool = False, progress: Progress = silent
) -> Document:
    """The document in `path`; `recognise` reads scanned pages by OCR.

    Raises DataError where the file as a whole cannot be read. A page that fails is kept as an empty one of kind
    `failed`, and a notice tells its number.
    """
    path = Path(path)
    digest, is_whole = _looked_at(path)
    if recognise:
        ocr.check_installed()
    reading = _Reading()
    opened = open_pdf(path, password)
    try:
        for content in pages(opened):
            _take(reading, content)
            if recognise and reading.kinds[-1] == "scanned":
                reading.recognised[content.number] = ocr.recognised(opened, content.number)
            progress("documents.progress.read", content.number, len(opened))
    finally:
        opened.close()
    remove_running(reading.layouts, reading.changes)
    found = _pages(reading)
    notices = tuple(_notices(path, found, reading, is_whole))
    return Document(document_id(path.name, digest), path.name, tuple(found), +reading.changes, notices)


def _looked_at(path: Path) -> tuple[bytes, bool]:
    """Digest of the file, and whether its end is there. Raises DataError for what is no PDF at all."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()
            file.seek(max(file.tell() - _TAIL, 0))
            tail = file.read()
    except FileNotFoundError as error:
        raise DataError("documents.missing_file", path=path) from error
    except IsADirectoryError as error:
        raise DataError("documents.is_folder", path=path) from error
    except OSError as error:
        raise DataError("documents.unreadable_file", path=path, detail=error.strerror) from error
    if not head.strip():
        raise DataError("documents.empty_file", path=path)
    if b"%PDF-" not in head:
        raise DataError("documents.not_a_pdf", path=path, start=ascii(head[:12].decode("latin-1")))
    return digest, b"%%EOF" in tail


def _take(reading: _Reading, content: PageContent) -> None:
    """The page's lines and tables, in reading order."""
    words = [
        Word(text, word.box, word.ends_with_space)
        for word in content.words
        if (text := cleaned(word.text, reading.changes).strip())
    ]
    kind = _kind(content, sum(len(word.text) for word in words))
    reading.kinds.append(kind)
    layout = PageLayout(content.number, content.height)
    reading.layouts.append(layout)
    if content.failure:
        reading.failures[content.number] = content.failure
    if kind in ("empty", "failed") or content.is_unreadable:
        return
    tables, rest = ruled_tables(words, content.rules)
    # A table takes its place among the columns as one large word.
    places = [Word("", table.box, False) for table in tables]
    lines = lines_of([*rest, *places])
    layout.items = list(_items(lines, dict(zip(map(id, places), tables, strict=True))))


def _items(lines: Sequence[Line], tables: dict[int, RawTable]) -> Iterator[TextLine | RawTable]:
    plain: list[Line] = []
    for line in [*lines, None]:
        held = [table for word in line.words if (table := tables.get(id(word)))] if line else []
        if line and not held:
            plain.append(line)
            continue
        for item in with_unruled(plain):
            yield item if isinstance(item, RawTable) else TextLine.of(item, item.text)
        plain = []
        if line:
            yield from held
            if rest := tuple(word for word in line.words if id(word) not in tables):
                beside = Line(rest, line.column)
                yield TextLine.of(beside, beside.text)


def _kind(content: PageContent, num_letters: int) -> PageKind:
    if content.failure:
        return "failed"
    if num_letters and content.is_unreadable:
        return "scanned"
    if num_letters:
        return "scanned" if num_letters < _MIN_LETTERS and content.image_share >= _SCAN_SHARE else "text"
    is_picture = content.image_share >= _PICTURE_SHARE or content.num_paths >= _MIN_PATHS
    return "scanned" if is_picture else "empty"


# -- the document as a whole ----------------------------------------------------------------------
def _pages(reading: _Reading) -> list[Page]:
    parts = [paragraphs(layout.items) for layout in reading.layouts]
    over = _over_pages(parts)
    joints = [
        *(each for page in parts for part in page for each in _joints(part)),
        *over.values(),
        *(each for lines in _recognised(reading) for each in _plain_joints(lines)),
    ]
    hows = iter(decided(joints, words_of(line.text for page in parts for line in _lines(page))))
    blocks = [[_block(part, hows, reading.changes) for part in page] for page in parts]
    for number, _ in over.items():
        first = blocks[number][0]
        reading.changes["paragraphs_over_pages"] += 1
        blocks[number][0] = Block(first.text, joint=" " if next(hows) == " " else "")
    recognised = {
        number: [Block(joined(lines, _taken(hows, len(lines) - 1), reading.changes)) for lines in found]
        for number, found in reading.recognised.items()
    }
    return [
        Page(layout.number, kind, tuple([*found, *recognised.get(layout.number, ())]), layout.number in recognised)
        for layout, kind, found in zip(reading.layouts, reading.kinds, blocks, strict=True)
    ]


def _recognised(reading: _Reading) -> Iterator[list[str]]:
    for found in reading.recognised.values():
        yield from found


def _lines(parts: Sequence[Paragraph | RawTable]) -> Iterator[TextLine]:
    for part in parts:
        if isinstance(part, Paragraph):
            yield from part.lines


def _joints(part: Paragraph | RawTable) -> Iterator[Joint]:
    if isinstance(part, Paragraph):
        yield from part.joints
        return
    for row in part.rows:
        for cell in row:
            yield from _plain_joints(cell)


def _plain_joints(lines: Sequence[str]) -> Iterator[Joint]:
    for left, right in pairwise(lines):
        yield Joint(left, right, is_narrow=True)


def _over_pages(parts: Sequence[Sequence[Paragraph | RawTable]]) -> dict[int, Joint]:
    """Place of a page → how its first paragraph goes on with the last one of the page before."""
    found: dict[int, Joint] = {}
    for number, (before, page) in enumerate(pairwise(parts), start=1):
        if before and page and isinstance(before[-1], Paragraph) and isinstance(page[0], Paragraph):
            last, first = before[-1], page[0].lines[0]
            if goes_on_over_a_break(last, first):
                found[number] = joint(last.lines[-1], first, last.edge)
    return found


def _taken(hows: Iterator[str], number: int) -> list[str]:
    return [next(hows) for _ in range(number)]


def _block(part: Paragraph | RawTable, hows: Iterator[str], changes: Counter[str]) -> Block:
    if isinstance(part, Paragraph):
        lines = [line.text for line in part.lines]
        return Block(respaced(joined(lines, _taken(hows, len(lines) - 1), changes), changes))
    rows = tuple(
        tuple(joined(cell, _taken(hows, len(cell) - 1), changes) if cell else "" for cell in row) for row in part.rows
    )
    changes["tables"] += 1
    changes["spanning_cells"] += part.num_spanning
    return Block(markdown(rows), rows)


def _notices(path: Path, found: Sequence[Page], reading: _Reading, is_whole: bool) -> Iterator[Message]:
    if not is_whole:
        yield Message("documents.notice.cut_off", {"path": path, "pages": len(found)})
    scanned = [page.number for page in found if page.kind == "scanned"]
    if waiting := [number for number in scanned if number not in reading.recognised]:
        yield Message(
            "documents.notice.scanned",
            {"path": path, "num": len(waiting), "total": len(found), "pages": shortened(waiting)},
        )
    if reading.recognised:
        done = sorted(reading.recognised)
        yield Message("documents.notice.recognised", {"path": path, "num": len(done), "pages": shortened(done)})
    if reading.failures:
        numbers = sorted(reading.failures)
        yield Message(
            "documents.notice.failed",
            {
                "path": path, "num": len(numbers), "total": len(found), "pages": shortened(numbers),
                "detail": reading.failures[numbers[0]],
            },
        )  # fmt: skip
    if all(page.kind == "empty" for page in found):
        yield Message("documents.notice.no_text", {"path": path, "total": len(found)})
