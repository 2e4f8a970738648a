"""One cell of a file → the value of a field: text, or a list of texts such as attachment names."""

from __future__ import annotations

import ast
import json
import math
import re
from datetime import date, datetime, time
from typing import Any

from dadeum.core.korean import nfc
from dadeum.data.rows import Value

# What exports write for "no value"; a label of that name still counts when the task has it.
_MISSING = {"", "nan", "none", "null", "n/a", "#n/a", "na", "nat"}
_SEPARATOR = re.compile(r"[,;|]\s*")
# "a.docx" or "b.png (3 K)": what a name may end with before a comma parts it from the next one.
_SIZE = r"\(\s*\d[\d.,]*\s*(?:[KMGT]i?B?|B|bytes?)\s*\)"
_NAME_ENDS = re.compile(rf"(?:\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{{1,5}}|{_SIZE})\s*$", re.IGNORECASE)
_LONGEST_ENDING = 40
_TRAILING_SIZE = re.compile(rf"\s*{_SIZE}\s*$", re.IGNORECASE)


def field_value(cell: Any, is_list: bool) -> Value:
    """A list of names when `is_list` or when the cell is a list itself, else text."""
    if is_list:
        return attachment_names(cell)
    return [text_of(item) for item in cell] if isinstance(cell, list | tuple) else text_of(cell)


def text_of(cell: Any) -> str:
    """The cell as a person would write it: 3.0 of a spreadsheet is 3, NaN and None are nothing."""
    if isinstance(cell, str):
        return cell
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, list | tuple | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)


def label_text(cell: Any) -> str:
    """The cell as a label: trimmed, composed; one-item lists unpacked."""
    if isinstance(cell, list | tuple) and len(cell) == 1:
        cell = cell[0]
    return nfc(text_of(cell)).strip()


def is_missing(value: str) -> bool:
    """Nothing, or a word that exports write for nothing (nan, None, #N/A)."""
    return value.strip().casefold() in _MISSING


def attachment_names(cell: Any) -> list[str]:
    """`"a.docx (16.4 K), b.png (3 K)"` → `["a.docx", "b.png"]`.

    A comma, semicolon or bar parts two names only after a file extension or a size, so that
    "Offer, final.docx" stays one name. JSON and Python lists, and one name a line, are read too.
    """
    if isinstance(cell, list | tuple):
        return [name for item in cell for name in [without_size(text_of(item))] if name]
    text = text_of(cell).strip()
    if is_missing(text):
        return []
    listed = written_list(text)
    if listed is not None:
        return attachment_names(listed)
    return [name for line in text.splitlines() for name in map(without_size, _names_in(line)) if name]


def without_size(name: str) -> str:
    name = name.strip()
    size = _TRAILING_SIZE.search(name, max(0, len(name) - _LONGEST_ENDING)) if name.endswith(")") else None
    return name[: size.start()] if size else name


def _names_in(line: str) -> list[str]:
    names = []
    start = 0
    for separator in _SEPARATOR.finditer(line):
        if _NAME_ENDS.search(line, max(start, separator.start() - _LONGEST_ENDING), separator.start()):
            names.append(line[start : separator.start()])
            start = separator.end()
    return [*names, line[start:].rstrip(" ,;|")]


def written_list(text: str) -> list[Any] | None:
    """`["a.docx"]` or `['a.docx']`, as JSON or as pandas writes it; None for "[notice] a.docx"."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, list):
            return value
    return None
