"""What a row is on its way through the data layer: read (Table), mapped (Row), thrown out (BadRow, Removed)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = str | list[str]
"""Content of a field: text, or a list of texts such as attachment names."""

MAX_EXCERPT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a file that cannot be used; `reason` is a key of `data.reason` in locales."""

    number: int
    reason: str
    detail: str
    """What was found, free of words: numbers, a value, the parser's message."""
    text: str
    """Beginning of the row."""


@dataclass(frozen=True)
class Table:
    """A file as read: nothing mapped, cleaned or judged yet."""

    name: str
    """Name of the source."""
    path: Path
    format: str
    encoding: str | None
    """None for parquet and XLSX."""
    columns: list[str]
    numbers: list[int]
    """Where each row stands: the line it begins on, the row of the sheet, else the position counted from 1."""
    rows: list[list[Any]]
    """Cells in the order of `columns`."""
    bad: list[BadRow] = field(default_factory=list)

    @property
    def num_rows(self) -> int:
        """Rows of the file, readable or not."""
        return len(self.rows) + len(self.bad)


@dataclass(slots=True)
class Row:
    """A mapped row; cleaning changes `fields`, `reason` and `text` in place."""

    id: str
    source: str
    origin: str
    fields: dict[str, Value]
    label: str
    reason: str | None
    """Text of the task's reason field, None when the task has none."""
    text: str
    """The input as plain text, kept in step with `fields`."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A row that is not used, as it stands in data/removed.parquet."""

    id: str
    source: str
    origin: str
    text: str
    label: str
    reason: str
    detail: str


def remove(row: Row, reason: str, detail: str = "") -> Removed:
    return Removed(row.id, row.source, row.origin, row.text, row.label, reason, detail)


def row_id(source: str, number: int) -> str:
    return f"{source}:{number}"


def excerpt(cells: Sequence[Any] | str) -> str:
    """Beginning of a row that could not be read, to show what was found."""
    text = cells if isinstance(cells, str) else ", ".join(map(str, cells))
    return text if len(text) <= MAX_EXCERPT_CHARACTERS else text[:MAX_EXCERPT_CHARACTERS] + "…"
