"""CSV, TSV, JSONL and JSON text → rows with their line numbers.

Python's own readers: they say where a row begins, which is what a person needs to mend it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.data.rows import BadRow, excerpt, unreadable

Read = tuple[list[str], list[int], list[list[Any]], list[BadRow]]
"""Columns, line numbers, rows, unreadable rows."""

_DELIMITERS = ",\t;|"
_PROBE_RECORDS = 50
_PROBE_CHARACTERS = 200_000


# -- CSV and TSV ----------------------------------------------------------------------------------
def read_csv(text: str, path: Path) -> Read:
    """Rows under a header line; the delimiter is the one that cuts most records into equal parts.

    A row with more or fewer cells than the header, or with a stray quote, is a bad row. Raises DataError for
    a quote that is never closed: where the row ends, and how many rows it swallowed, nobody knows.
    """
    delimiter = find_delimiter(text)
    numbers, rows, bad = [], [], []
    columns: list[str] | None = None
    with _any_cell_size():
        for number, cells, problem in _records(text, delimiter, path):
            if problem:
                bad.append(BadRow(number, "broken_quote", problem, excerpt(cells[0]), unreadable(cells[0])))
            elif not cells:
                continue  # an empty line is no row
            elif columns is None:
                columns = column_names(cells)
            elif len(cells) != len(columns):
                found = f"{len(cells)} ≠ {len(columns)}"
                bad.append(BadRow(number, "ragged_row", found, excerpt(cells), unreadable(cells)))
            else:
                numbers.append(number)
                rows.append(cells)
    return columns or [], numbers, rows, bad


def _records(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str], str]]:
    """(line on which the record begins, cells, ""), or (line, [the raw line], what the parser complains about)."""
    current = ""

    def lines() -> Iterator[str]:
        nonlocal current
        for line in io.StringIO(text, newline=""):
            current = line
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            yield number, next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise DataError("data.open_quote", path=path, line=number) from None
            yield number, [current.rstrip("\r\n")], str(error)


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """The csv module stops at 131,072 characters a cell; the size is judged later, with the row's number."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def find_delimiter(text: str) -> str:
    """Comma, tab, semicolon or bar; comma when the file has one column."""
    return max(_DELIMITERS, key=lambda delimiter: _fit(text, delimiter))


def _fit(text: str, delimiter: str) -> tuple[float, int]:
    """(share of records as wide as the header, width); (0, 0) when the delimiter does not occur in the header."""
    reader = csv.reader(io.StringIO(text[:_PROBE_CHARACTERS], newline=""), delimiter=delimiter)
    try:
        with _any_cell_size():
            records = [record for record, _ in zip(reader, range(_PROBE_RECORDS), strict=False) if record]
    except csv.Error:
        return 0.0, 0
    width = len(records[0]) if records else 0
    if width < 2:
        return 0.0, 0
    return round(sum(len(record) == width for record in records) / len(records), 1), width


def column_names(cells: list[Any]) -> list[str]:
    """Header cells, trimmed; one without a name is called by its position."""
    names = [str(cell).strip() if cell is not None else "" for cell in cells]
    return [name or f"({position})" for position, name in enumerate(names, start=1)]


# -- JSONL and JSON -------------------------------------------------------------------------------
class _TwoKeys(ValueError):
    """One object has a key twice; Python would keep the last value and say nothing."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwoKeys(next(key for key in keys if keys.count(key) > 1))
    return found


def read_json_lines(text: str) -> Read:
    """One JSON object a line; other lines are bad rows. Columns are all keys, in order of appearance."""
    numbers: list[int] = []
    objects: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    # Not splitlines(): U+2028 may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value, reason, detail = _parse_line(line)
        if reason:
            bad.append(BadRow(number, reason, detail, excerpt(line), unreadable(line)))
        else:
            numbers.append(number)
            objects.append(value)
    return *_as_columns(objects, numbers), bad


def _parse_line(line: str) -> tuple[Any, str, str]:
    """(object, "", "") or (None, reason, detail)."""
    try:
        value = json.loads(line, object_pairs_hook=_object)
        _refuse_half_pairs(value, line)
    except _TwoKeys as error:
        return None, "duplicate_key", str(error)
    except json.JSONDecodeError as error:
        return None, "broken_json", f"{error.msg} (column {error.colno})"
    except (ValueError, RecursionError) as error:
        return None, "broken_json", str(error)
    if not isinstance(value, dict):
        return None, "not_an_object", type(value).__name__
    return value, "", ""


def _refuse_half_pairs(value: Any, written: str) -> None:
    """UnicodeEncodeError (a ValueError) for half of a UTF-16 pair: no file and no tokenizer takes it."""
    if "\\ud" in written.lower():
        json.dumps(value, ensure_ascii=False).encode()


def read_json(text: str, path: Path) -> Read:
    """A JSON array of objects, or an object with exactly one such array in it (`{"data": [...]}`).

    Raises DataError naming the line where the JSON breaks, or what was found instead of rows.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
        _refuse_half_pairs(value, text)
    except _TwoKeys as error:
        raise DataError("data.json_two_keys", path=path, key=str(error)) from None
    except json.JSONDecodeError as error:
        raise DataError("data.json_broken", path=path, line=error.lineno, detail=error.msg) from None
    except (ValueError, RecursionError) as error:
        raise DataError("data.json_broken", path=path, line="-", detail=str(error)) from None
    items = rows_in(value)
    if items is None:
        found = ", ".join(list(value)[:5]) if isinstance(value, dict) else type(value).__name__
        raise DataError("data.json_not_rows", path=path, found=found)
    bad = [
        BadRow(number, "not_an_object", type(item).__name__, excerpt(str(item)), unreadable(item))
        for number, item in enumerate(items, start=1)
        if not isinstance(item, dict)
    ]
    numbered = [(number, item) for number, item in enumerate(items, start=1) if isinstance(item, dict)]
    return *_as_columns([item for _, item in numbered], [number for number, _ in numbered]), bad


def rows_in(value: Any) -> list[Any] | None:
    """The list of rows in a parsed JSON text; None when it holds none, or several. Messages of a chat are no rows."""
    if isinstance(value, list):
        return value
    lists = [item for item in value.values() if isinstance(item, list)] if isinstance(value, dict) else []
    holds_rows = len(lists) == 1 and any(isinstance(item, dict) and not _is_message(item) for item in lists[0])
    return lists[0] if holds_rows else None


def _is_message(item: dict[str, Any]) -> bool:
    return {"role", "content"} <= item.keys() or {"from", "value"} <= item.keys()


def _as_columns(objects: list[dict[str, Any]], numbers: list[int]) -> tuple[list[str], list[int], list[list[Any]]]:
    columns = list(dict.fromkeys(key for item in objects for key in item))
    return columns, numbers, [[item.get(column) for column in columns] for item in objects]
