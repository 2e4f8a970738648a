"""Columns beside input and answer: the split, where a row comes from, and what is kept in `Example.extra`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dadeum.data.formats.base import NOTHING, Layout, Unread, probe
from dadeum.data.reading.cells import text_of
from dadeum.data.reading.columns import SYNONYMS, plain_name
from dadeum.data.rows import Table
from dadeum.tasks.summarize import REFERENCES

KEPT = "extra."
"""`data build` writes this before a fact whose name would be taken for an input or an answer."""
MAX_CHARACTERS = 2000
"""Longer values beside a row are texts of their own, not facts about it; they stay in the file."""
STANDARD = {
    "id": (
        "id", "_id", "idx", "index", "no", "guid", "uuid", "fname", "번호", "순번", "연번", "아이디", "식별자",
        "일련번호",
    ),
    "document": (
        "document", "document_id", "doc", "doc_id", "docs", "article_id", "passage_id", "context_id", "chunk_id",
        "relevant_chunks", "relevant_docs", "file", "file_name", "문서", "문서번호", "문서명", "문서 id", "파일명",
    ),
    "speaker": (
        "speaker", "speaker_id", "speakers", "user_id", "author", "participant", "화자", "화자번호", "발화자", "작성자",
        "참여자", "상담사", "내담자",
    ),
    "time": (
        "time", "timestamp", "datetime", "updated_at", "published_at", "날짜", "시간", "일시", "일자", "작성일",
        "작성일자", "작성일시", "등록일", "등록일자", "등록일시", "수신 시간", "접수일", "생성일",
        *SYNONYMS["received_at"],
    ),
    "origin": (*SYNONYMS["origin"], "source", "channel", "채널", "매체", *SYNONYMS["sender"]),
    "split": ("split", "분할", "partition"),
}  # fmt: skip
_NAMES = {plain_name(name): field for field, names in reversed(STANDARD.items()) for name in names}
SPLIT_WORDS = {
    word: split
    for split, words in {
        "train": ("train", "training", "학습", "훈련"),
        "validation": ("validation", "valid", "dev", "val", "검증"),
        "test": ("test", "testing", "시험", "평가", "테스트"),
    }.items()
    for word in words
}
_MIN_KNOWN_SPLITS = 0.5
"""Share of a split column's values that must be words for a split; another column of that name is a fact like any."""


def standard_name(column: str) -> str | None:
    """id, document, speaker, time, origin or split; None when the name says none of them."""
    return _NAMES.get(plain_name(column))


@dataclass(frozen=True)
class Beside:
    """Positions of the columns that are no input and no answer."""

    split: int | None
    origin: int | None
    """Says where a row comes from; a second such column is a fact like any."""
    time: list[int]
    """Date and clock may stand in two columns."""
    rest: list[tuple[str, int]]
    """Name in `extra` and position."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Values per name that were too long to be kept."""

    def split_of(self, cells: Sequence[Any]) -> str | None:
        """train, validation or test; None without such a column. Raises Unread for a word that is none."""
        if self.split is None:
            return None
        written = text_of(cells[self.split]).strip()
        found = SPLIT_WORDS.get(written.casefold())
        if found is None:
            raise Unread("unknown_split", written[:40])
        return found

    def origin_of(self, cells: Sequence[Any]) -> str:
        return "" if self.origin is None else text_of(cells[self.origin]).strip()

    def extra_of(self, cells: Sequence[Any]) -> dict[str, str]:
        """Name → value; without values that say nothing or are longer than 2,000 characters.

        Further summaries stay a list, however long: each is compared with answers as a whole.
        """
        extra: dict[str, str] = {}
        time = " ".join(value for at in self.time if (value := text_of(cells[at]).strip()))
        if time:
            extra["time"] = time
        for name, at in self.rest:
            value = list_of(cells[at]) if name == REFERENCES else values_of(cells[at])
            if len(value) > MAX_CHARACTERS and name != REFERENCES:
                self.skipped[name] += 1
            elif value:
                extra[name] = f"{extra[name]}\n{value}" if name in extra else value
        return extra


def find_beside(table: Table, layout: Layout) -> Beside:
    """All columns that the layout leaves over."""
    used = {column for columns in layout.columns.values() for column in columns}
    split: int | None = None
    origin: list[int] = []
    time: list[int] = []
    rest: list[tuple[str, int]] = []
    for at, column in enumerate(table.columns):
        name = standard_name(column)
        if column in used:
            continue
        if name == "split" and split is None and is_split(probe(table, at)):
            split = at
            continue
        if name == "time":
            time.append(at)
        elif name == "origin":
            origin.append(at)
        else:
            rest.append((column.removeprefix(KEPT) if name is None or name == "split" else name, at))
    origin.sort(key=lambda at: _origin_rank(table.columns[at]))
    rest += [("origin" if number == 0 else table.columns[at], at) for number, at in enumerate(origin)]
    return Beside(split, origin[0] if origin else None, time, rest)


def _origin_rank(column: str) -> int:
    return [plain_name(name) for name in STANDARD["origin"]].index(plain_name(column))


def is_split(cells: Iterable[Any]) -> bool:
    """Whether most of the values are words for train, validation or test."""
    values = Counter(text_of(cell).strip().casefold() for cell in cells)
    known = sum(count for value, count in values.items() if value in SPLIT_WORDS)
    return values.total() > 0 and known > _MIN_KNOWN_SPLITS * values.total()


def list_of(cell: Any) -> str:
    """Texts that stay apart, as a JSON list; nothing for none."""
    values = cell if isinstance(cell, list | tuple) else _parsed(cell) or [cell]
    kept = [text for value in values if (text := text_of(value)).strip().casefold() not in NOTHING]
    return json.dumps(kept, ensure_ascii=False) if kept else ""


def values_of(cell: Any) -> str:
    """A cell as text; several values (a list, also one written as JSON) one a line; nothing for nan and null."""
    parsed = _parsed(cell)
    cell = cell if parsed is None else parsed
    text = "\n".join(filter(str.strip, map(text_of, cell))) if isinstance(cell, list | tuple) else text_of(cell)
    return "" if text.strip().casefold() in NOTHING else text


def _parsed(cell: Any) -> list[Any] | None:
    """A list of texts or numbers that is written as JSON; None for anything else."""
    if not isinstance(cell, str) or not (cell.startswith("[") and cell.rstrip().endswith("]")):
        return None
    try:
        parsed = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) and all(isinstance(item, str | int) for item in parsed) else None
