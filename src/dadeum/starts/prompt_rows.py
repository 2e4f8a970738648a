"""Rows of a small file of questions or answers, with the place of each: a line, or a row's number.

`dadeum data` reads any table; what an examination is asked with is a file that somebody wrote for it, in UTF-8.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError, first_line

Row = Mapping[str, Any]
Placed = tuple[str, Row]
_MAX_CELL = 10_000_000
"""Characters of a cell: csv's own limit is 131,072."""


def rows_of(path: Path, line_is: str) -> Iterator[Placed]:
    """(place, row) of every row; a line of plain text becomes `{line_is: line}`. DataError for what is no such file."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        found = _parquet(path)
    elif suffix == ".txt":
        found = ((f"{number}", {line_is: line}) for number, line in _lines(_read(path)))
    elif suffix in _READERS:
        found = _READERS[suffix](path)
    else:
        raise DataError("starts.prompts.unknown_file", path=path, known=", ".join([*_READERS, ".parquet", ".txt"]))
    empty = True
    for placed in found:
        empty = False
        yield placed
    if empty:
        raise DataError("starts.prompts.empty_file", path=path)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("starts.prompts.not_utf8", path=path, byte=error.start) from error


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """Numbered from 1; an empty line is nothing. Not splitlines(): U+2028 may stand inside a text."""
    for number, line in enumerate(content.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line


def _jsonl(path: Path) -> Iterator[Placed]:
    for number, line in _lines(_read(path)):
        yield f"{number}", _object(path, f"{number}", _json(path, f"{number}", line))


def _json_list(path: Path) -> Iterator[Placed]:
    found = _json(path, "1", _read(path))
    for number, value in enumerate(found if isinstance(found, list) else [found], start=1):
        yield f"{number}", _object(path, f"{number}", value)


def _json(path: Path, place: str, content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError("starts.prompts.no_json", path=path, place=place, detail=first_line(error)) from error


def _object(path: Path, place: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise DataError("starts.prompts.no_object", path=path, place=place, kind=type(value).__name__)
    return value


def _csv(path: Path) -> Iterator[Placed]:
    return _separated(path, ",")


def _tsv(path: Path) -> Iterator[Placed]:
    return _separated(path, "\t")


def _separated(path: Path, delimiter: str) -> Iterator[Placed]:
    before = csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(io.StringIO(_read(path), newline=""), delimiter=delimiter, strict=True)
    try:
        header: list[str] | None = None
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
                continue
            if len(cells) > len(header):
                values = {"place": reader.line_num, "num": len(cells), "columns": len(header)}
                raise DataError("starts.prompts.too_many_cells", path=path, **values)
            # An empty cell is an absent value.
            yield f"{reader.line_num}", {name: cell or None for name, cell in zip(header, cells, strict=False)}
    except csv.Error as error:
        raise DataError("starts.prompts.no_csv", path=path, place=reader.line_num, detail=error) from error
    finally:
        csv.field_size_limit(before)


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise DataError("starts.prompts.no_parquet", path=path, detail=first_line(error)) from error
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"{number}", row


_READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json_list, ".csv": _csv, ".tsv": _tsv,
}  # fmt: skip
