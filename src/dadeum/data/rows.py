"""What a row is on its way through the data layer: read (Table), mapped (Row), thrown out (BadRow, Removed)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dadeum.core.korean import nfc
from dadeum.core.recipe import Source

Value = str | list[str]
"""Content of a field: text, or a list of texts such as attachment names."""

MAX_EXCERPT_CHARACTERS = 200
UNREADABLE = "unreadable"
"""Only key of the `original` of a row that no reader understood."""
UNREAD = "unread"
"""`kind` of a row of a bare file that could not become an Example: its `original` has the shape of that file."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a file that cannot be used; `reason` is a key of `data.reason` in locales."""

    number: int
    reason: str
    detail: str
    """What was found, free of words: numbers, a value, the parser's message."""
    text: str
    """Beginning of the row."""
    original: str = ""
    """The whole row as a JSON object: `unreadable(...)`, or its fields when only the label is bad."""


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
    """A mapped row; cleaning changes `fields`, `reason` and `text` in place and remembers what was read."""

    id: str
    source: str
    origin: str
    fields: dict[str, Value]
    label: str
    reason: str | None
    """Text of the task's reason field, None when the task has none."""
    text: str
    """The input as plain text, kept in step with `fields`."""
    changed_by: tuple[str, ...] = ()
    """Clean steps that changed the row, in their order."""
    as_read: tuple[dict[str, Value], str | None] | None = None
    """(fields, reason) before the first change; None while there was none."""

    def change(self, step: str, fields: dict[str, Value], reason: str | None) -> None:
        """Take new content; whoever calls keeps `text` in step."""
        if self.as_read is None:
            self.as_read = (self.fields, self.reason)
        self.changed_by = (*self.changed_by, step)
        self.fields, self.reason = fields, reason


@dataclass(frozen=True, slots=True)
class Removed:
    """A line of data/removed.parquet: a row that is not used, or one that is used otherwise than it was read."""

    id: str
    source: str
    origin: str
    text: str
    """The input as plain text after the last step that the row saw."""
    label: str
    reason: str
    """A key of `data.reason` in locales."""
    detail: str
    kind: str = "removed"
    """`removed`; `unread`; or `changed`: the row is used, `detail` lists the steps that changed it."""
    original: str = ""
    """The row as it was read: a JSON object that can stand in a JSONL source. Personal data is not masked here."""


def remove(row: Row, reason: str, detail: str = "", kind: str = "removed", original: str = "") -> Removed:
    return Removed(row.id, row.source, row.origin, row.text, row.label, reason, detail, kind, original)


def unreadable(found: Any) -> str:
    """A line or the cells of a row that could not be read, whole, as a JSON object."""
    return as_json({UNREADABLE: found})


def as_json(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)


def row_id(source: str, number: int) -> str:
    return f"{source}:{number}"


def excerpt(cells: Sequence[Any] | str) -> str:
    """Beginning of a row that could not be read, to show what was found."""
    text = cells if isinstance(cells, str) else ", ".join(map(str, cells))
    return text if len(text) <= MAX_EXCERPT_CHARACTERS else text[:MAX_EXCERPT_CHARACTERS] + "…"


def source_name(source: Source) -> str:
    """The recipe's name for the source, else the file's stem."""
    return source.name or source.make or nfc(Path(source.path or "").stem)
