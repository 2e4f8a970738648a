"""Parquet (through Daft) and XLSX (through openpyxl) → rows with their numbers."""

from __future__ import annotations

import glob
import io
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.data.engine import load_daft
from dadeum.data.reading.text_tables import Read, column_names
from dadeum.data.rows import BadRow, excerpt, unreadable

_DAMAGED_XLSX = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, OSError, EOFError, SyntaxError)


def read_parquet(path: Path) -> Read:
    """All rows, numbered from 1. Raises DataError when the file is damaged or cut short."""
    daft = load_daft()
    try:
        # Daft takes a path for a pattern: "목록[1].parquet" would match nothing.
        columns: dict[str, list[Any]] = daft.read_parquet(glob.escape(str(path))).to_pydict()
    except (daft.exceptions.DaftCoreException, ValueError, OSError) as error:
        raise DataError("data.damaged", path=path, format="parquet", detail=str(error).splitlines()[0]) from error
    rows = [list(cells) for cells in zip(*columns.values(), strict=True)]
    return list(columns), list(range(1, len(rows) + 1)), rows, []


def read_xlsx(content: bytes, path: Path) -> Read:
    """The one sheet that has rows, numbered as in the sheet; values of formulas as last calculated.

    Raises DataError when the file is damaged, or when several sheets have rows: which one is meant, only
    its owner knows.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # styles and extensions that openpyxl does not know
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
    except _DAMAGED_XLSX as error:
        raise DataError("data.damaged", path=path, format="XLSX", detail=str(error) or type(error).__name__) from error
    filled = {title: rows for title, rows in sheets.items() if sum(map(_has_content, rows)) > 1}
    if len(filled) > 1:
        raise DataError("data.many_sheets", path=path, sheets=", ".join(filled))
    return _below_header(next(iter((filled or sheets).values()), []))


def _has_content(cells: tuple[Any, ...]) -> bool:
    return any(cell is not None for cell in cells)


def _below_header(sheet: list[tuple[Any, ...]]) -> Read:
    """The first row with content is the header; empty cells to its right do not count as columns."""
    start = next((index for index, cells in enumerate(sheet) if _has_content(cells)), None)
    if start is None:
        return [], [], [], []
    columns = column_names(_trimmed(sheet[start]))
    numbers, rows, bad = [], [], []
    for number, cells in enumerate(sheet[start + 1 :], start=start + 2):
        found = _trimmed(cells)
        if len(found) > len(columns):
            problem = f"{len(found)} ≠ {len(columns)}"
            bad.append(BadRow(number, "ragged_row", problem, excerpt(found), unreadable(found)))
        else:
            numbers.append(number)
            rows.append(found + [None] * (len(columns) - len(found)))
    return columns, numbers, rows, bad


def _trimmed(cells: tuple[Any, ...]) -> list[Any]:
    found = list(cells)
    while found and found[-1] is None:
        found.pop()
    return found
