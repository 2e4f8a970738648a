"""Read one source of a recipe into a Table; format and encoding are told by content, the file name is a hint.

A file that cannot be read is one DataError. Rows that cannot be read are collected with line and reason;
`mapping` adds rows without a usable label to them and decides by `on_bad_rows`.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.korean import nfc
from dadeum.core.recipe import Source
from dadeum.data.nearest import nearest
from dadeum.data.reading.encoding import decode, detect
from dadeum.data.reading.text_tables import Read, find_delimiter, read_csv, read_json, read_json_lines, rows_in
from dadeum.data.rows import BadRow, Table, excerpt, source_name, unreadable

MAX_CELL_CHARACTERS = 1_000_000
_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
# Files that people hand over in place of a table.
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": "XLS / DOC / HWP",
    b"%PDF": "PDF",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"{\\rtf": "RTF",
    b"SQLite format 3": "SQLite",
}
_TABLE_SUFFIXES = {".csv", ".tsv", ".txt", ".tab"}
_JSON_SUFFIXES = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_PROBE_LINES = 50
_PROBE_CHARACTERS = 200_000
# "Excel" files of many Korean sites are HTML tables by another name.
_MARKUP = re.compile(r"<(?:!doctype|html|table|\?xml|meta)", re.IGNORECASE)
# An array, and not a header such as "[subject],class".
_ARRAY = re.compile(r"\[\s*(?:$|[\[{\]\"\d-])")


def read_source(source: Source) -> Table:
    """The file's rows. Raises DataError, naming file, place, what was found and what to do."""
    path = existing(Path(source.path or ""), "data.missing_file")
    content = _read_bytes(path)
    if content.startswith(_PARQUET):
        # Imported here: only these formats need Daft or openpyxl.
        from dadeum.data.reading.binary_tables import read_parquet

        return _checked(source, path, "parquet", None, read_parquet(path))
    if content.startswith(_ZIP):
        return _checked(source, path, "xlsx", None, _read_zip(content, path))
    for magic, kind in _FOREIGN.items():
        if content.startswith(magic):
            raise DataError("data.is_pdf" if kind == "PDF" else "data.unknown_format", path=path, start=kind)
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".xlsx") and detect(content) is None:
        raise DataError("data.damaged", path=path, format=suffix[1:], detail=content[:8].hex(" "))
    decoded = decode(content, path, source.encoding)
    if not decoded.text.strip("\ufeff \t\r\n"):
        raise DataError("data.empty_file", path=path)
    found = text_format(decoded.text, path)
    if found is None:
        raise DataError("data.unknown_format", path=path, start=excerpt(decoded.text.strip().splitlines()[0][:40]))
    if found == "csv":
        read = read_csv(decoded.text, path)
    else:
        read = read_json_lines(decoded.text) if found == "jsonl" else read_json(decoded.text, path)
    return _checked(source, path, found, decoded.encoding, read)


def existing(path: Path, missing: str) -> Path:
    """The path as the disk spells it: what macOS wrote has its Hangul taken apart, and elsewhere that is another name.

    Raises DataError: `missing` with the nearest name, or where a link leads nowhere.
    """
    if path.exists():
        return path
    if path.is_symlink():
        raise DataError("data.dead_link", path=path, target=path.readlink())
    beside = [file for file in path.parent.iterdir() if file.exists()] if path.parent.is_dir() else []
    same = [file for file in beside if nfc(file.name) == nfc(path.name)]
    if same:
        return same[0]
    raise DataError(missing, path=path, near=nearest(path.name, [file.name for file in beside], cutoff=0.5))


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        files = sorted(file.name for file in path.iterdir() if file.is_file())
        raise DataError("data.is_directory", path=path, files=", ".join(files[:5]) or "-")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("data.unreadable_file", path=path, detail=error.strerror or str(error)) from error
    if not content:
        raise DataError("data.empty_file", path=path)
    return content


def _read_zip(content: bytes, path: Path) -> Read:
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile as error:
        raise DataError("data.damaged", path=path, format="XLSX", detail=str(error)) from error
    if "xl/workbook.xml" not in members:
        raise DataError("data.unknown_format", path=path, start=", ".join(members[:2]))
    from dadeum.data.reading.binary_tables import read_xlsx

    return read_xlsx(content, path)


def text_format(text: str, path: Path) -> str | None:
    """`json`, `jsonl` or `csv`; None when the text is none of them.

    A file whose lines mostly begin with a brace is JSONL even when some are broken, so that the error can name
    those lines. A text without any delimiter is a table of one column only if its name says so.
    """
    lines = [line.strip() for line in text[:_PROBE_CHARACTERS].split("\n") if line.strip()][:_PROBE_LINES]
    suffix = path.suffix.lower()
    if _MARKUP.match(lines[0]):
        return None
    if _ARRAY.match(lines[0]):
        return "json"
    if 2 * sum(line.startswith("{") for line in lines) > len(lines):
        # One line could be one row that holds a list, or a text of rows: then its name says which.
        is_text = len(lines) == 1 and _JSON_SUFFIXES.get(suffix) != "jsonl" and rows_in(_parsed(lines[0]))
        return "json" if is_text else "jsonl"
    if lines[0].startswith("{"):
        return "json"
    if suffix in _JSON_SUFFIXES and any(line.startswith(("{", "}", "[", "]")) for line in lines):
        return _JSON_SUFFIXES[suffix]
    if suffix in _TABLE_SUFFIXES or find_delimiter(text) in lines[0]:
        return "csv"
    return _JSON_SUFFIXES.get(suffix)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _checked(source: Source, path: Path, kind: str, encoding: str | None, read: Read) -> Table:
    """The Table, once its columns have one name each and it has rows; huge cells and blank rows set apart."""
    columns, numbers, rows, bad = read
    columns = [nfc(column) for column in columns]
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        raise DataError("data.two_columns", path=path, column=twice[0], columns=", ".join(columns))
    if not rows and not bad:
        raise DataError("data.header_only", path=path, columns=", ".join(columns) or "-")
    bad = list(bad)
    good_numbers, good_rows = [], []
    for number, cells in zip(numbers, rows, strict=True):
        problem = _row_problem(number, cells, columns)
        if problem is None:
            good_numbers.append(number)
            good_rows.append(cells)
        else:
            bad.append(problem)
    bad.sort(key=lambda row: row.number)
    return Table(source_name(source), path, kind, encoding, columns, good_numbers, good_rows, bad)


def _row_problem(number: int, cells: list[Any], columns: list[str]) -> BadRow | None:
    blank = True
    for position, cell in enumerate(cells):
        if isinstance(cell, str):
            if len(cell) > MAX_CELL_CHARACTERS:
                size = f"{columns[position]}: {len(cell):,}"
                return BadRow(number, "huge_cell", size, excerpt(cell), unreadable(cells))
            blank = blank and not cell.strip()
        elif cell is not None:
            if isinstance(cell, list | dict) and len(str(cell)) > MAX_CELL_CHARACTERS:
                size = f"{columns[position]}: {len(str(cell)):,}"
                return BadRow(number, "huge_cell", size, excerpt(str(cell)), unreadable(cells))
            blank = False
    return BadRow(number, "blank_row", "", "", unreadable(cells)) if blank else None
