"""Questions as they lie on disk → a table: any table, or JSON objects by id with what answers each beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.recipe import Source
from dadeum.data.formats._passages import QUESTION_IDS
from dadeum.data.formats.base import match
from dadeum.data.formats.retrieval import IdMap, read_maps
from dadeum.data.reading.cells import text_of
from dadeum.data.reading.sources import existing, read_source
from dadeum.data.rows import Table, source_name

_COLUMNS = ["id", "question", "relevant_chunks"]


def read_questions_table(source: Source) -> Table:
    """The rows of a source with what answers them in a column of their own. Raises DataError."""
    path = existing(Path(source.path or ""), "data.missing_file")
    if source.relevant is None:
        maps = _maps(path, source_name(source)) if _is_object(path) else []
        queries = [one for one in maps if one.role == "queries"]
        links = [one for one in maps if one.role == "relevant"]
        return _joined(queries[0], links[0], source) if queries and links else read_source(source)
    links = _links(existing(Path(source.relevant), "data.passages.no_relevant_file"))
    queries = [one for one in _maps(path, source_name(source)) if one.role != "relevant"] if _is_object(path) else []
    return _joined(queries[0], links[0], source) if queries else _with_links(read_source(source), links[0])


def _is_object(path: Path) -> bool:
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def _maps(path: Path, name: str) -> list[IdMap]:
    try:
        return read_maps(path, name, None)
    except json.JSONDecodeError as error:
        raise DataError("documents.broken_json", path=path, line=error.lineno, detail=error.msg) from error


def _links(path: Path) -> list[IdMap]:
    links = [one for one in _maps(path, path.stem) if one.role == "relevant"]
    if not links:
        raise DataError("data.passages.not_relevant", path=path)
    return links


def _joined(queries: IdMap, links: IdMap, source: Source) -> Table:
    """One row a question; ids of answers as a list, empty where the other object has none."""
    rows: list[list[Any]] = [[key, said, links.entries.get(key, [])] for key, said in queries.entries.items()]
    _refuse_strangers(queries.path, list(queries.entries), links)
    numbers = list(range(1, len(rows) + 1))
    return Table(source_name(source), queries.path, "json", queries.encoding, _COLUMNS, numbers, rows, queries.bad)


def _with_links(table: Table, links: IdMap) -> Table:
    """A table that has ids of its own, with what answers each row as one more column."""
    column = match(table.columns, QUESTION_IDS).get("id")
    if column is None:
        raise DataError(
            "data.passages.no_ids", path=table.path, relevant=links.path.name, columns=", ".join(table.columns)
        )
    at = table.columns.index(column)
    keys = [text_of(row[at]).strip() for row in table.rows]
    _refuse_strangers(table.path, keys, links)
    rows = [[*row, links.entries.get(key, [])] for key, row in zip(keys, table.rows, strict=True)]
    columns = [*table.columns, "relevant_chunks"]
    return Table(table.name, table.path, table.format, table.encoding, columns, table.numbers, rows, table.bad)


def _refuse_strangers(path: Path, keys: list[str], links: IdMap) -> None:
    if not links.entries.keys() & set(keys):
        first = next(iter(links.entries))
        raise DataError("data.passages.other_questions", path=path, relevant=links.path.name, found=first, own=keys[0])
