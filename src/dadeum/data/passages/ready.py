"""Chunks that are ready: a file with a row per chunk, from `data chunks` or from the user's own tool.

Ids and texts are taken as they are; only tokens are counted anew, by the model that will read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.messages import Message
from dadeum.core.recipe import Source
from dadeum.data.formats._passages import CHUNKS
from dadeum.data.formats.base import match
from dadeum.data.reading.cells import text_of
from dadeum.data.reading.sources import read_source
from dadeum.data.rows import Table
from dadeum.documents.chunks import Chunk

NAMES = CHUNKS
_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".xlsx")
_PROBE_LETTERS = 4
"""Of the beginning of a chunk, looked for in the one before; fewer in common are chance."""


def are_ready(path: Path) -> bool:
    """Told by the name; a JSON file is one of chunks when it is a list."""
    if path.suffix.lower() in _SUFFIXES:
        return path.is_file()
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def read_ready(path: Path, count: Callable[[str], int]) -> tuple[list[Chunk], list[Message]]:
    """The chunks in file order, and what there is to say. Raises DataError for rows that are none."""
    table = read_source(Source(path=str(path)))
    broken = [row for row in table.bad if row.reason != "blank_row"]
    if broken:
        raise DataError(
            "data.passages.broken_chunks", path=path, line=broken[0].number, num=len(broken), detail=broken[0].detail
        )
    columns = match(table.columns, NAMES)
    if missing := [name for name in ("id", "text") if name not in columns]:
        raise DataError(
            "data.passages.no_column", path=path, columns=", ".join(table.columns), missing=missing[0],
            known=", ".join(NAMES[missing[0]]),
        )  # fmt: skip
    at = {name: table.columns.index(column) for name, column in columns.items()}
    found = [_chunk(table, number, cells, at, count) for number, cells in zip(table.numbers, table.rows, strict=True)]
    twice = [name for name, times in Counter(chunk.id for chunk in found).items() if times > 1]
    if twice:
        raise DataError("data.passages.two_chunks", id=twice[0], num=len(twice))
    notes = [] if "document" in at else [Message("data.passages.no_documents", {"path": path.name, "num": len(found)})]
    return _overlapping(found), notes


def _chunk(table: Table, number: int, cells: Sequence[Any], at: dict[str, int], count: Callable[[str], int]) -> Chunk:
    said = {name: text_of(cells[place]).strip() for name, place in at.items()}
    empty = [name for name in ("id", "text") if not said[name]]
    if empty:
        raise DataError("data.passages.empty_chunk", path=table.path, line=number, column=table.columns[at[empty[0]]])
    first = _page(said.get("first_page", ""), 1)
    text = said["text"]
    document = said.get("document") or said["id"]
    return Chunk(said["id"], document, text, first, _page(said.get("last_page", ""), first), count(text))


def _page(written: str, otherwise: int) -> int:
    return int(written) if written.isdecimal() else otherwise


def _overlapping(chunks: list[Chunk]) -> list[Chunk]:
    """With the letters that each one repeats of the chunk before it in its document."""
    last: dict[str, Chunk] = {}
    found = []
    for chunk in chunks:
        before = last.get(chunk.document)
        last[chunk.document] = chunk
        repeated = _repeated(before.text, chunk.text) if before else 0
        found.append(Chunk(**(vars(chunk) | {"repeated": repeated})) if repeated else chunk)
    return found


def _repeated(before: str, text: str) -> int:
    """Letters of the longest end of one text that the next begins with."""
    start = before.find(text[:_PROBE_LETTERS], max(0, len(before) - len(text)))
    while start >= 0 and not text.startswith(before[start:]):
        start = before.find(text[:_PROBE_LETTERS], start + 1)
    return len(before) - start if start >= 0 else 0
