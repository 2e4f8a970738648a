"""Conversations: a column of messages, ChatML or ShareGPT; the last assistant turn is what is taught."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.data.formats._turns import are_turn_lists, split_answer, turns_in
from dadeum.data.formats.base import SYSTEM, Halves, Layout, layout_of, match, probe, system
from dadeum.data.rows import Table

RANK = 2
NEEDS = {
    "messages": (
        "messages", "conversations", "conversation", "dialog", "dialogue", "dialogs", "turns", "chat", "message",
        "대화", "메시지", "대화내용",
    )
}  # fmt: skip
TASKS = ("chat", "answer", "summarize")
MAY = {"system": SYSTEM}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    """The first column with a fitting name whose cells are lists of messages."""
    for name in NEEDS["messages"]:
        found = match(table.columns, {"messages": (name,), **MAY})
        if "messages" in found and are_turn_lists(probe(table, table.columns.index(found["messages"]))):
            return layout_of(table, TASKS, found)
    return None


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """A conversation that does not end with the assistant has no completion: the check of roles will say so."""
    turns = turns_in(cells[layout.at["messages"]], layout.columns["messages"][0])
    prompt, completion = split_answer(turns)
    return Halves([*system(layout.optional(cells, "system")), *prompt], completion, [])
