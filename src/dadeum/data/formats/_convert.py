"""All rows of a table → Examples, once it is known how to read it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dadeum.core.examples import SPLITS, Example
from dadeum.data.formats._beside import Beside
from dadeum.data.formats.base import Converter, Halves, Layout, Unread, is_nan
from dadeum.data.rows import UNREAD, BadRow, Removed, Table, as_json, excerpt, row_id
from dadeum.tasks.chat import plain_text

_MAX_SHARED_CHARACTERS = 100
"""Longer facts beside a row hardly ever repeat."""
_MAX_BEFORE_CHARACTERS = 4000


@dataclass
class FileRows:
    """The rows of one file."""

    splits: dict[str, list[Example]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    unread: list[Removed] = field(default_factory=list)
    before: str = ""
    """The first row that could be read, as it stands in the file."""
    after: Example | None = None
    """The same row, converted; None when no row could be read."""


def convert_rows(
    table: Table, module: Converter, layout: Layout, beside: Beside, split: str | None, shared: dict[str, str]
) -> FileRows:
    """Every row is used or unread, in file order. The table is empty afterwards: rows are held in one shape only.

    `split` holds for rows without a split column. `shared` keeps one object of texts that repeat in every row.
    """
    done = FileRows(unread=[_removed(table, row) for row in table.bad])
    for number, cells in _drained(table):
        try:
            place = beside.split_of(cells) or split or "train"
            halves = module.convert(cells, layout)
        except Unread as problem:
            done.unread.append(_removed(table, _bad(table, number, cells, problem)))
            continue
        example = _example(table.name, number, halves, beside, cells, shared)
        if done.after is None:
            done.before, done.after = _written(table, cells), example
        done.splits[place].append(example)
    return done


def _drained(table: Table) -> Iterator[tuple[int, list[Any]]]:
    table.rows.reverse()
    for number in table.numbers:
        yield number, table.rows.pop()


def _removed(table: Table, row: BadRow) -> Removed:
    name = row_id(table.name, row.number)
    return Removed(
        name, table.name, table.name, row.text, "", row.reason, row.detail, kind=UNREAD, original=row.original
    )


def _bad(table: Table, number: int, cells: Sequence[Any], problem: Unread) -> BadRow:
    return BadRow(number, problem.reason, problem.detail, excerpt(cells), as_json(_row(table, cells)))


def _row(table: Table, cells: Sequence[Any]) -> dict[str, Any]:
    """Column → cell, without those that are not there (NaN is no JSON)."""
    return {
        column: cell for column, cell in zip(table.columns, cells, strict=True) if cell is not None and not is_nan(cell)
    }


def _example(
    source: str, number: int, halves: Halves, beside: Beside, cells: Sequence[Any], shared: dict[str, str]
) -> Example:
    prompt, completion, rejected, label, extra = halves
    if prompt and prompt[0]["role"] == "system":
        instruction = prompt[0]["content"]
        prompt[0]["content"] = shared.setdefault(instruction, instruction)
    if label:
        label = shared.setdefault(label, label)
        completion[0]["content"] = shared.setdefault(completion[0]["content"], completion[0]["content"])
    facts = beside.extra_of(cells)
    facts.update(extra)
    for name, value in facts.items():
        if len(value) <= _MAX_SHARED_CHARACTERS:
            facts[name] = shared.setdefault(value, value)
    name = row_id(source, number)
    origin = beside.origin_of(cells)
    origin = shared.setdefault(origin, origin) if origin else source
    return Example(name, source, origin, name, plain_text(prompt), prompt, completion, label, rejected, facts)


def _written(table: Table, cells: Sequence[Any]) -> str:
    """A row as it stands in the file: the CSV record, else the JSON object."""
    if table.format in ("csv", "xlsx"):
        record = io.StringIO()
        csv.writer(record, lineterminator="\n").writerows([table.columns, cells])
        written = record.getvalue().rstrip("\n")
    else:
        written = as_json(_row(table, cells))
    return written if len(written) <= _MAX_BEFORE_CHARACTERS else written[:_MAX_BEFORE_CHARACTERS] + "…"
