"""Instructions: instruction, often an input, and the output; earlier turns in a column history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.core.examples import Turn
from dadeum.data.formats.base import (
    SYSTEM,
    Halves,
    Layout,
    Unread,
    assistant,
    lines,
    matched,
    system,
    text_in,
    type_name,
    user,
)
from dadeum.data.rows import Table

RANK = 3
NEEDS = {
    "instruction": ("instruction", "instructions", "지시", "지시문", "지시사항", "명령", "명령어"),
    "output": ("output", "response", "completion", "answer", "출력", "응답", "답변", "결과"),
}
TASKS = ("chat", "answer", "summarize")
_MAY = {"input": ("input", "입력", "입력문"), "system": SYSTEM, "history": ("history", "이전 대화", "대화 이력")}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    return matched(table, TASKS, NEEDS, _MAY)


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """Instruction and input stand in one user turn, one under the other."""
    asked = lines((layout.text(cells, "instruction"), layout.optional(cells, "input")))
    before = _history(cells, layout)
    output = assistant(layout.text(cells, "output"))
    return Halves([*system(layout.optional(cells, "system")), *before, *user(asked)], output, [])


def _history(cells: Sequence[Any], layout: Layout) -> list[Turn]:
    """`[["question", "answer"], …]` as turns."""
    at = layout.at.get("history")
    pairs = cells[at] if at is not None else None
    if not pairs:
        return []
    column = layout.columns["history"][0]
    if not isinstance(pairs, list):
        raise Unread("wrong_type", f"{column}: {type_name(pairs)}")
    turns: list[Turn] = []
    for number, pair in enumerate(pairs, start=1):
        where = f"{column}[{number}]"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise Unread("wrong_type", f"{where}: {type_name(pair)}")
        turns += [*user(text_in(pair[0], where)), *assistant(text_in(pair[1], where))]
    return turns
