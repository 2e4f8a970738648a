"""Any other table: columns of text, and a column of labels where there is one.

Names decide first (제목, 메일 종류, 수신일자), values settle the rest: dates, numbers and ids are no text, few short
values that repeat are a label. Whatever was guessed stands in the notes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from dadeum.core.messages import Message
from dadeum.data.formats._beside import standard_name
from dadeum.data.formats.base import (
    NOTHING,
    Halves,
    Layout,
    Unread,
    assistant,
    is_lenient,
    is_nan,
    lines,
    probe,
    text_in,
    user,
)
from dadeum.data.reading.cells import field_value, label_text, written_list
from dadeum.data.reading.columns import SYNONYMS, is_list_field, plain_name
from dadeum.data.rows import Table

RANK = 9
NEEDS = {
    "text": (
        *SYNONYMS["subject"], *SYNONYMS["body"], *SYNONYMS["attachments"], "document", "sentence", "review", "comment",
        "utterance", "question", "query", "prompt", "premise", "hypothesis", "문장", "발화", "댓글", "리뷰", "질문",
        "대화",
    ),
}  # fmt: skip
TASKS = ("decide", "text")
LABELS = (*SYNONYMS["label"], "labels", "라벨", "레이블", "감정", "sentiment", "emotion", "intent", "의도", "is_spam")
_HALVES = (
    "instruction", "output", "completion", "response", "chosen", "rejected", "summary", "answer", "messages",
    "conversations", "지시문", "출력", "답변", "응답", "요약", "요약문",
)  # fmt: skip
"""Columns of a pair whose other half is missing: read as mere text, the file would be misunderstood."""

MAX_LABEL_CHARACTERS = 40
"""Labels are names; the longest of KLUE, NSMC and the postal list has 7 characters."""
MAX_LABELS = 20
MIN_ROWS = 20
MIN_ROWS_PER_LABEL = 4
"""Below these, values that repeat may do so by chance."""
_MIN_SHARE = 0.9
"""Share of a column's values that must look alike to call it a number, a date, an id."""
_MIN_PROSE_CHARACTERS = 15
"""Mean length from which a column `document` or `source` is the text itself and not its name."""
_NEARLY = 0.85
"""difflib ratio of a mistyped half: otput, respones; 답변자 stays below it."""

_NOT_TEXT = re.compile(
    r"""(?:
        [-+]?[\d.,:%\s]+(?:e[-+]?\d+)?                                  # numbers and clocks
      | \d{2,4}[-./년]\s*\d{1,2}[-./월]\s*\d{1,2}.{0,20}                 # dates
      | [a-z]+://\S+ | [\w.+-]+@[\w-]+\.[\w.-]+                         # addresses
      | (?=[a-z_.:-]*\d)[a-z0-9_.:-]{8,}                                # ids
    )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    """None when there is no text in it, or when it is half of a pair."""
    kinds = {column: _kind(probe(table, at), column) for at, column in enumerate(table.columns)}
    labels, notes = _find_label(table, kinds, by_content=task != "text" and label is None)
    texts = _find_texts(table, kinds, labels)
    if task == "text" or label is not None:
        labels, notes = None, []
    if not texts or (labels is None and label is None and task == "decide"):
        return None
    if task is None and label is None and labels is None and any(map(_is_half, table.columns)):
        return None
    columns = {"text": tuple(texts)} | ({"label": (labels,)} if labels else {})
    at = {name: table.columns.index(found[0]) for name, found in columns.items()}
    texts_at = tuple((column, table.columns.index(column), is_list_field(column)) for column in texts)
    tasks = TASKS if labels or label is not None else ("text",)
    return Layout(tasks, columns, at, texts_at, label, is_lenient(table), notes)


def _find_label(table: Table, kinds: dict[str, str], by_content: bool) -> tuple[str | None, list[Message]]:
    """The column of labels by name, else the only one that looks like it, and what to say about the guess."""
    plain = {plain_name(column): column for column in reversed(table.columns)}
    named = [plain[name] for name in map(plain_name, LABELS) if name in plain]
    for column in named:
        if _are_labels(values := _label_values(table, column)):
            return column, [_note("data.note.label_by_name", table, column, values)]
    guesses = [
        column
        for column, kind in kinds.items()
        if kind == "category" and standard_name(column) is None and len(set(_label_values(table, column))) > 1
    ]
    if not by_content or len(guesses) != 1 or not _find_texts(table, kinds, guesses[0]):
        return None, [_refused(table, column) for column in named[:1]]
    return guesses[0], [_note("data.note.label_by_content", table, guesses[0], _label_values(table, guesses[0]))]


def _label_values(table: Table, column: str) -> list[str]:
    """Texts, numbers and the like; none for a column of objects or lists. "[공지]" is a text."""
    values = [label_text(cell) for cell in probe(table, table.columns.index(column))]
    is_structured = any(value.startswith("{") or written_list(value) is not None for value in values)
    return [] if is_structured else [value for value in values if value]


def _are_labels(values: Sequence[str]) -> bool:
    """Short, and few beside the rows."""
    if not values:
        return False
    short = sum(len(value) <= MAX_LABEL_CHARACTERS for value in values)
    return short > _MIN_SHARE * len(values) and len(set(values)) <= max(MAX_LABELS, len(values) // MIN_ROWS_PER_LABEL)


def _note(key: str, table: Table, column: str, values: Sequence[str]) -> Message:
    shown = sorted(set(values))
    listed = ", ".join(shown[:5]) + (", …" if len(shown) > 5 else "")
    return Message(key, {"source": table.name, "column": column, "labels": listed})


def _refused(table: Table, column: str) -> Message:
    """A column that is called a label and is none: whoever wrote it thinks otherwise."""
    cells = probe(table, table.columns.index(column))
    values = {"source": table.name, "column": column, "looked": len(cells), "num": len(set(map(label_text, cells)))}
    return Message("data.note.label_refused", values)


def _find_texts(table: Table, kinds: dict[str, str], label: str | None) -> list[str]:
    """Columns that hold what people wrote, in their order; categories when there is nothing else."""
    free = [column for column in table.columns if column != label]
    for wanted in ("text", "named", "category"):
        texts = [column for column in free if kinds[column] in ("text", wanted) and standard_name(column) != "time"]
        if texts:
            return texts
    return []


def _kind(cells: list[Any], column: str) -> str:
    """text, named (text in a column that names a document or board), category, or other."""
    if not cells or not all(isinstance(cell, str) or _is_list_of_texts(cell) for cell in cells if not _is_scalar(cell)):
        return "text" if not cells and _is_text_name(column) else "other"
    texts = [cell for cell in cells if isinstance(cell, str)]
    lists = [cell for cell in cells if isinstance(cell, list)]
    if len(texts) + len(lists) <= len(cells) // 2 or standard_name(column) in ("split", "time", "id"):
        return "other"
    if lists or (_is_text_name(column) and standard_name(column) is None):
        return "text"
    if sum(_NOT_TEXT.fullmatch(text.strip()) is not None for text in texts) >= _MIN_SHARE * len(texts):
        return "other"
    if standard_name(column):
        return "text" if _is_prose(texts) else "named"
    distinct = len(set(texts))
    is_few = distinct <= MAX_LABELS and len(texts) >= max(MIN_ROWS, MIN_ROWS_PER_LABEL * distinct)
    return "category" if is_few and max(map(len, texts)) <= MAX_LABEL_CHARACTERS else "text"


def _is_scalar(cell: Any) -> bool:
    return isinstance(cell, bool | int | float)


def _is_list_of_texts(cell: Any) -> bool:
    return isinstance(cell, list) and all(isinstance(item, str) for item in cell)


def _is_half(column: str) -> bool:
    """By name, mistyped or not."""
    names = [plain_name(name) for name in _HALVES]
    return not _is_text_name(column) and bool(difflib.get_close_matches(plain_name(column), names, n=1, cutoff=_NEARLY))


def _is_text_name(column: str) -> bool:
    return plain_name(column) in map(plain_name, NEEDS["text"])


def _is_prose(texts: list[str]) -> bool:
    """Long, and mostly more than one word."""
    num_spaced = sum(" " in text for text in texts)
    return sum(map(len, texts)) >= _MIN_PROSE_CHARACTERS * len(texts) and num_spaced > len(texts) // 2


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """The text columns as lines of one user turn, as `tasks.decide.plain_text` writes them; the label as answer."""
    found = [_line(cells[at], column, is_list, layout.lenient) for column, at, is_list in layout.texts]
    if all(line is None for line in found):
        raise Unread("missing_field", ", ".join(layout.columns["text"]))
    prompt = user(lines(line or "" for line in found))
    if layout.label is not None:
        return Halves(prompt, assistant(layout.label), [], layout.label)
    if "label" not in layout.at:
        return Halves(prompt, [], [])
    label = label_text(cells[layout.at["label"]])
    if label.casefold() in NOTHING:
        raise Unread("missing_label", label)
    return Halves(prompt, assistant(label), [], label)


def _line(cell: Any, column: str, is_list: bool, lenient: bool) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, list) or (is_list and isinstance(cell, str)):
        if not _is_list_of_texts(cell) and isinstance(cell, list):
            raise Unread("wrong_type", f"{column}: list")
        value = field_value(cell, is_list)
        return ", ".join(value) if isinstance(value, list) else value
    return text_in(None if lenient and is_nan(cell) else cell, column, lenient)
