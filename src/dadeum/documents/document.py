"""Document: pages of blocks (paragraphs and tables), what was changed on the way, and what could not be read.

Text is NFC. A page's blocks are in reading order; nothing of a page is outside them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dadeum.core.korean import nfc
from dadeum.core.messages import Message

PageKind = Literal["text", "scanned", "empty", "failed"]
"""scanned: an image, or letters without a Unicode meaning; failed: the reader could not open the page."""
_NOT_IN_IDS = re.compile(r"[\s#/\\]+")


@dataclass(frozen=True)
class Block:
    """A paragraph, or a table (one Markdown row a line)."""

    text: str
    rows: tuple[tuple[str, ...], ...] = ()
    """Cells of a table, header first; empty for a paragraph."""
    joint: str | None = None
    """The first block of a page that goes on with the last one of the page before: what stands between (" " or "")."""

    @property
    def is_table(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Page:
    number: int
    """From 1, as PDF viewers count; not the number printed on the page."""
    kind: PageKind
    blocks: tuple[Block, ...] = ()
    was_recognised: bool = False
    """By OCR: expect wrong letters."""

    @property
    def text(self) -> str:
        return "\n\n".join(block.text for block in self.blocks)

    @property
    def tables(self) -> list[Block]:
        return [block for block in self.blocks if block.is_table]


@dataclass(frozen=True)
class Document:
    id: str
    name: str
    """File name, or the key in a corpus file."""
    pages: tuple[Page, ...]
    changes: Counter[str] = field(default_factory=Counter)
    """How often each thing was changed: a key of `documents.changes` → a number."""
    notices: tuple[Message, ...] = ()
    """What a user should know: scanned pages, pages that failed, a file that seems cut off."""

    @property
    def text(self) -> str:
        """All pages; a paragraph that a page break cuts is whole."""
        parts: list[str] = []
        for page in self.pages:
            for block in page.blocks:
                parts += ["\n\n" if block.joint is None else block.joint] if parts else []
                parts.append(block.text)
        return "".join(parts)

    def of_kind(self, kind: PageKind) -> list[int]:
        """Numbers of the pages of one kind."""
        return [page.number for page in self.pages if page.kind == kind]


def document_id(name: str, content: bytes) -> str:
    """`<name>-<8 hex digits of the content>`: the same for the same file wherever it lies."""
    stem = _NOT_IN_IDS.sub("-", nfc(Path(name).stem)).strip("-")
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, the first as header."""
    return "\n".join([*header_lines(rows[0]), *map(row_line, rows[1:])])


def header_lines(cells: Sequence[str]) -> list[str]:
    return [row_line(cells), "|" + " --- |" * len(cells)]


def row_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def shortened(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 → "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
