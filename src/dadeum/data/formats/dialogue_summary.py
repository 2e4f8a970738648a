"""A dialogue (or document) and its summary, with further summaries of the same dialogue where the file has them.

A dialogue may be one text, or a list of turns: `{speaker, text}` or plain lines. Every turn becomes a line.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

from dadeum.data.formats.base import (
    NOTHING,
    SYSTEM,
    Halves,
    Layout,
    Unread,
    assistant,
    matched,
    system,
    type_name,
    user,
)
from dadeum.data.rows import Table
from dadeum.tasks.summarize import REFERENCES

RANK = 6
_SUMMARY = ("summary", "summaries", "abstractive", "abstract", "요약", "요약문", "요약본")
NEEDS = {
    "dialogue": (
        "dialogue", "dialog", "conversation", "대화", "대화문", "대화내용", "document", "passage", "article", "text",
        "content", "본문", "원문", "문서", "기사", "내용",
    ),
    "summary": (*_SUMMARY, *(f"{name}1" for name in _SUMMARY), "reference1"),
}  # fmt: skip
TASKS = ("summarize", "chat")
MORE = {f"reference_{n}": (f"reference{n}", *(f"{name}{n}" for name in _SUMMARY)) for n in range(2, 10)}
"""Further summaries: the first is taught, these are what answers are compared with too."""
MAY = {"system": SYSTEM, **MORE}
_SPEAKERS = ("speaker", "speaker_id", "role", "from", "name", "participantID", "화자")
_SAID = ("text", "utterance", "content", "value", "form", "발화")


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    return matched(table, TASKS, NEEDS, MAY)


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    prompt = [*system(layout.optional(cells, "system")), *user(dialogue_in(cells, layout))]
    more = [text for name in MORE if (text := layout.optional(cells, name)).strip().casefold() not in NOTHING]
    extra = {REFERENCES: json.dumps(more, ensure_ascii=False)} if more else {}
    return Halves(prompt, assistant(layout.text(cells, "summary")), [], extra=extra)


def dialogue_in(cells: Sequence[Any], layout: Layout) -> str:
    """The dialogue as lines, whether it stands there as text or as a list of turns. Raises Unread."""
    cell, column = cells[layout.at["dialogue"]], layout.columns["dialogue"][0]
    turns = _parsed(cell) if isinstance(cell, str) else cell
    if not isinstance(turns, list | tuple):
        return layout.text(cells, "dialogue")
    if not turns:
        raise Unread("missing_field", f"{column}: []")
    return "\n".join(_line(turn, f"{column}[{number}]") for number, turn in enumerate(turns, start=1))


def _parsed(cell: str) -> Any:
    """A list that was written as text, by JSON or by pandas; None for any other text."""
    if not (cell.lstrip().startswith("[") and cell.rstrip().endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(cell.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) and all(isinstance(turn, str | dict) for turn in found) else None
    return None


def _line(turn: Any, where: str) -> str:
    if isinstance(turn, str):
        return " ".join(turn.split())
    if not isinstance(turn, dict):
        raise Unread("wrong_type", f"{where}: {type_name(turn)}")
    said = next((turn[key] for key in _SAID if isinstance(turn.get(key), str)), None)
    if said is None:
        raise Unread("missing_field", f"{where}.{_SAID[0]}")
    speaker = next((turn[key] for key in _SPEAKERS if isinstance(turn.get(key), str) and turn[key].strip()), "")
    text = " ".join(said.split())  # a line is a turn
    return f"{speaker.strip()}: {text}" if speaker else text
