"""Queries, corpus and relevant documents as JSON objects by id: the layout of sentence-transformers' IR evaluator.

The objects come in several files, or in one under the keys queries, corpus and relevant_docs. They are joined by id
into one row a query; documents that the corpus does not hold are found missing here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dadeum.core.errors import DataError
from dadeum.core.messages import Message
from dadeum.data.formats.base import Halves, Layout, assistant, matched, type_name, user
from dadeum.data.reading.encoding import decode
from dadeum.data.rows import BadRow, Table, as_json, excerpt, unreadable

RANK = 8
COLUMNS = ["id", "query", "document", "passage"]
NEEDS = {"query": ("query",), "document": ("document",), "passage": ("passage",)}
TASKS = ("retrieve",)
_ROLE_WORDS = {
    "relevant": ("relevant", "qrels", "qrel", "positives", "relations"),
    "queries": ("queries", "query", "questions", "question", "질문", "질의"),
    "corpus": ("corpus", "documents", "docs", "passages", "chunks", "문서", "말뭉치"),
}
_ID = re.compile(r"\S*\d\S*")


@dataclass(frozen=True)
class IdMap:
    """One JSON object by id."""

    name: str
    path: Path
    encoding: str | None
    split: str | None
    role: str | None
    """queries, corpus or relevant; None for texts whose name says nothing."""
    entries: dict[str, Any]
    """Id → text, or id → list of ids."""
    bad: list[BadRow]


@dataclass(frozen=True)
class Joined:
    """Objects that belong together, as one table with a row a query (or a document, where there are no queries)."""

    table: Table
    members: list[IdMap]
    notes: list[Message]

    @property
    def split(self) -> str | None:
        return self.members[0].split


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    return matched(table, TASKS, NEEDS, {}) if table.columns == COLUMNS else None


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """The query, and the texts of its documents as the answer; without a corpus there is none."""
    passages = layout.optional(cells, "passage")
    extra = {"document": cells[layout.at["document"]]}
    return Halves(user(layout.text(cells, "query")), assistant(passages) if passages else [], [], extra=extra)


# -- reading --------------------------------------------------------------------------------------
def read_maps(path: Path, name: str, split: str | None) -> list[IdMap]:
    """The objects of a file; empty when it holds none."""
    decoded = decode(path.read_bytes(), path)
    value = json.loads(decoded.text)
    if not isinstance(value, dict):
        return []
    inner = {key: item for key, item in value.items() if isinstance(item, dict) and _role_in(key)}
    if "queries" in map(_role_in, inner):
        named = [(f"{name}.{key}", _role_in(key), item) for key, item in inner.items()]
    else:
        named = [(name, _role_in(name), value)]
    maps = [_map(title, path, decoded.encoding, split, role, item) for title, role, item in named]
    return [found for found in maps if found.entries]


def map_in(table: Table, split: str | None) -> IdMap | None:
    """An object written on one line reads as one row of JSONL: its keys are ids then, and no names of columns."""
    if table.format != "jsonl" or len(table.rows) != 1 or not all(map(_ID.fullmatch, table.columns)):
        return None
    entries = dict(zip(table.columns, table.rows[0], strict=True))
    found = _map(table.name, table.path, table.encoding, split, _role_in(table.name), entries)
    return found if found.entries else None


def _map(
    name: str, path: Path, encoding: str | None, split: str | None, role: str | None, value: Mapping[str, Any]
) -> IdMap:
    texts = {key: text for key, item in value.items() if (text := _text(item)) is not None}
    lists = {key: ids for key, item in value.items() if (ids := _ids(item)) is not None}
    entries: dict[str, Any] = lists if len(lists) > len(texts) else texts
    bad = [
        BadRow(number, "wrong_type", f"{key}: {type_name(item)}", excerpt(str(item)), unreadable({key: item}))
        for number, (key, item) in enumerate(value.items(), start=1)
        if key not in entries
    ]
    role = "relevant" if entries is lists else role if role != "relevant" else None
    return IdMap(name, path, encoding, split, role, entries, bad)


def _text(item: Any) -> str | None:
    """A text, or title and text of a document."""
    if isinstance(item, dict) and isinstance(item.get("text"), str):
        title = item.get("title")
        return f"{title}\n{item['text']}" if isinstance(title, str) and title else item["text"]
    return item if isinstance(item, str) else None


def _ids(item: Any) -> list[str] | None:
    """A list of ids, or id → relevance above zero."""
    if isinstance(item, dict) and all(isinstance(value, int | float) for value in item.values()):
        return [key for key, value in item.items() if value > 0]
    is_list = isinstance(item, list) and all(isinstance(value, str | int) for value in item)
    return list(map(str, item)) if is_list else None


def _role_in(name: str) -> str | None:
    words = set(re.split(r"[\W_]+", name.casefold()))
    return next((role for role, known in _ROLE_WORDS.items() if words & set(known)), None)


# -- joining --------------------------------------------------------------------------------------
def join(maps: Sequence[IdMap]) -> list[Joined]:
    """One table per file of queries; texts without relevant documents are tables of bare texts.

    Objects of the same split belong together; a split without a corpus (or relevant documents) of its own takes all.
    Raises DataError for relevant documents without queries.
    """
    links = [found for found in maps if found.role == "relevant"]
    asked = {key for link in links for key in link.entries}
    roles = {id(found): found.role or _role_by_ids(found, asked) for found in maps}
    queries = [found for found in maps if roles[id(found)] == "queries"]
    corpora = [found for found in maps if roles[id(found)] == "corpus"]
    if links and not queries:
        raise DataError("data.no_queries", path=links[0].path)
    if not links:
        return [_texts(found) for found in [*queries, *corpora]]
    return [_join(found, _same_split(found, links), _same_split(found, corpora)) for found in queries]


def _role_by_ids(found: IdMap, asked: set[str]) -> str:
    """Texts whose ids have relevant documents are queries."""
    return "queries" if 2 * len(asked & found.entries.keys()) > len(found.entries) else "corpus"


def _same_split(queries: IdMap, others: list[IdMap]) -> list[IdMap]:
    return [other for other in others if other.split == queries.split] or others


def _texts(found: IdMap) -> Joined:
    rows: list[list[Any]] = [[key, text] for key, text in found.entries.items()]
    return Joined(_table(found, ["id", "text"], list(range(1, len(rows) + 1)), rows, found.bad), [found], [])


def _join(queries: IdMap, links: list[IdMap], corpora: list[IdMap]) -> Joined:
    relevant = {key: ids for link in links for key, ids in link.entries.items()}
    documents = {key: text for corpus in corpora for key, text in corpus.entries.items()}
    numbers: list[int] = []
    rows: list[list[Any]] = []
    bad = list(queries.bad)
    partly = 0
    for number, (key, query) in enumerate(queries.entries.items(), start=1):
        ids = relevant.get(key, [])
        found = [name for name in ids if name in documents] if corpora else ids
        if not found:
            row = as_json({"id": key, "query": query, "document": "\n".join(ids)})
            bad.append(BadRow(number, "missing_document", f"{key} → {', '.join(ids[:3]) or '-'}", excerpt(query), row))
            continue
        partly += len(found) < len(ids)
        numbers.append(number)
        rows.append([key, query, "\n".join(ids), "\n\n".join(documents[name] for name in found) if corpora else None])
    members = [queries, *links, *corpora]
    notes = _join_notes(queries, members, partly, len(relevant.keys() - queries.entries.keys()))
    return Joined(_table(queries, COLUMNS, numbers, rows, bad), members, notes)


def _join_notes(queries: IdMap, members: list[IdMap], partly: int, unasked: int) -> list[Message]:
    files = ", ".join(dict.fromkeys(member.path.name for member in members))
    notes = [Message("data.note.joined", {"source": queries.name, "files": files})]
    if partly:
        notes.append(Message("data.note.documents_partly_missing", {"source": queries.name, "count": partly}))
    if unasked:
        notes.append(Message("data.note.links_without_query", {"source": queries.name, "count": unasked}))
    return notes


def _table(found: IdMap, columns: list[str], numbers: list[int], rows: list[list[Any]], bad: list[BadRow]) -> Table:
    # Bad entries are numbered by their place in the file; good ones follow in the same order.
    return Table(found.name, found.path, "json", found.encoding, columns, numbers, rows, sorted(bad, key=_number))


def _number(row: BadRow) -> int:
    return row.number
