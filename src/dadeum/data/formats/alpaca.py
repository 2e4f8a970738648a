"""Instructions: instruction, often an input, and the output; earlier turns in a column history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.data.formats._turns import history_in
from dadeum.data.formats.base import (
    SYSTEM,
    Halves,
    Layout,
    assistant,
    lines,
    matched,
    system,
    user,
)
from dadeum.data.rows import Table

RANK = 3
NEEDS = {
    "instruction": ("instruction", "instructions", "지시", "지시문", "지시사항", "명령", "명령어"),
    "output": ("output", "response", "completion", "answer", "출력", "응답", "답변", "결과"),
}
TASKS = ("chat", "answer", "summarize")
MAY = {"input": ("input", "입력", "입력문"), "system": SYSTEM, "history": ("history", "이전 대화", "대화 이력")}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    return matched(table, TASKS, NEEDS, MAY)


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """Instruction and input stand in one user turn, one under the other."""
    asked = lines((layout.text(cells, "instruction"), layout.optional(cells, "input")))
    before = history_in(cells, layout)
    output = assistant(layout.text(cells, "output"))
    return Halves([*system(layout.optional(cells, "system")), *before, *user(asked)], output, [])
