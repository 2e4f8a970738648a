"""What all formats share: which column holds which field, texts out of cells, a row's two halves.

A format is a module with RANK (lower is asked first), NEEDS (field → column names it goes by), TASKS (the first is
the guess), `recognise(table, task, label) -> Layout | None` and `convert(cells, layout) -> Halves`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, NamedTuple, Protocol

from dadeum.core.examples import Turn
from dadeum.core.messages import Message
from dadeum.data.reading.cells import text_of
from dadeum.data.reading.columns import plain_name
from dadeum.data.rows import Table

Names = Mapping[str, tuple[str, ...]]
"""Field → names that its column goes by, in Korean and English."""

SYSTEM = ("system", "system_prompt", "system_message", "sys", "시스템", "시스템 프롬프트", "시스템 메시지")
NOTHING = {"", "nan", "nat", "#n/a"}
"""What exports write for a value that is not there. `none`, `null` and `na` may be classes or names."""
PROBE_ROWS = 500
"""Rows that are looked at to tell what a column holds."""


class Unread(Exception):
    """A row that cannot become an Example; `reason` is a key of `data.reason`."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason, detail)


class Halves(NamedTuple):
    """A row as the model will see it."""

    prompt: list[Turn]
    completion: list[Turn]
    rejected: list[Turn]
    label: str = ""
    extra: Mapping[str, str] = {}


@dataclass(frozen=True)
class Layout:
    """How one file is to be read."""

    tasks: tuple[str, ...]
    """Jobs that the file can be used for; the first is the guess."""
    columns: dict[str, tuple[str, ...]]
    """Field → columns that it is read from; `text` of a table and `time` may have several."""
    at: dict[str, int]
    """Field → position of its (first) column."""
    texts: tuple[tuple[str, int, bool], ...] = ()
    """Text columns of a table: name, position, whether a cell holds several names."""
    label: str | None = None
    """One label for all rows, as the user gave it."""
    lenient: bool = False
    """A spreadsheet: it makes numbers and dates of what people typed as text."""
    notes: list[Message] = field(default_factory=list)

    def text(self, cells: Sequence[Any], name: str) -> str:
        """The text of a field that every row must have; raises Unread."""
        value = cells[self.at[name]]
        return value if type(value) is str else text_in(value, self.columns[name][0], self.lenient)

    def optional(self, cells: Sequence[Any], name: str) -> str:
        """The text of a field that a row or the file may lack: empty then; raises Unread for another type."""
        at = self.at.get(name)
        return "" if at is None or cells[at] is None else self.text(cells, name)


class Converter(Protocol):
    """Makes a row of a file into prompt and answer."""

    def convert(self, cells: Sequence[Any], layout: Layout) -> Halves: ...


class Format(Converter, Protocol):
    """A module of this package."""

    RANK: int
    NEEDS: Names
    TASKS: tuple[str, ...]

    def recognise(self, table: Table, task: str | None, label: str | None) -> Layout | None: ...


class Mappable(Format, Protocol):
    """A format with optional fields, which a recipe may name."""

    MAY: Names


# -- columns --------------------------------------------------------------------------------------
def match(columns: Sequence[str], names: Names) -> dict[str, str]:
    """Field → column, for the fields whose column is there by name; the first name of a field wins, no column twice."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(plain_name(column), column)
    found: dict[str, str] = {}
    for name, known in names.items():
        hit = next((plain[key] for key in map(plain_name, known) if key in plain), None)
        if hit is not None and hit not in found.values():
            found[name] = hit
    return found


def layout_of(table: Table, tasks: tuple[str, ...], found: Mapping[str, str], **more: Any) -> Layout:
    """A Layout whose fields have one column each."""
    at = {name: table.columns.index(column) for name, column in found.items()}
    return Layout(tasks, {name: (column,) for name, column in found.items()}, at, lenient=is_lenient(table), **more)


def matched(table: Table, tasks: tuple[str, ...], needs: Names, may: Names) -> Layout | None:
    """A Layout when all columns that the format needs are there by name."""
    found = match(table.columns, {**needs, **may})
    return layout_of(table, tasks, found) if needs.keys() <= found.keys() else None


def is_lenient(table: Table) -> bool:
    return table.format == "xlsx"


def sampled(table: Table) -> list[list[Any]]:
    """Rows from all over the file: many files are sorted by label."""
    return table.rows[:: max(1, len(table.rows) // PROBE_ROWS)]


def probe(table: Table, position: int) -> list[Any]:
    """Cells of such rows that hold something."""
    cells = (row[position] for row in sampled(table))
    return [cell for cell in cells if cell is not None and cell != ""]


# -- cells ----------------------------------------------------------------------------------------
def text_in(value: Any, where: str, lenient: bool = False) -> str:
    """Text, or Unread: missing_field for nothing, wrong_type for anything else than text."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Unread("missing_field", where)
    if lenient and isinstance(value, int | float | date | datetime | time) and not is_nan(value):
        return text_of(value)
    raise Unread("wrong_type", f"{where}: {type_name(value)}")


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def type_name(value: Any) -> str:
    """The type in JSON's words."""
    if value is None:
        return "null"
    if is_nan(value):
        return "NaN"
    if isinstance(value, bool):
        return "boolean"
    kinds = ((int | float, "number"), (list | tuple, "list"), (dict, "object"), (str, "text"))
    return next((name for kind, name in kinds if isinstance(value, kind)), type(value).__name__)


# -- turns ----------------------------------------------------------------------------------------
def system(content: str) -> list[Turn]:
    """A system turn, or none for an empty text."""
    return [{"role": "system", "content": content}] if content else []


def user(content: str) -> list[Turn]:
    return [{"role": "user", "content": content}]


def assistant(content: str) -> list[Turn]:
    return [{"role": "assistant", "content": content}]


def lines(texts: Iterable[str]) -> str:
    """The texts that are not empty, one under the other."""
    return "\n".join(text for text in texts if text)
