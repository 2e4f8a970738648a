"""Prompt and completion, as texts or as lists of messages: TRL's own shape, and what `data build` writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.core.examples import Turn
from dadeum.data.formats._turns import are_turn_lists, turns_in
from dadeum.data.formats.base import (
    SYSTEM,
    Halves,
    Layout,
    Unread,
    assistant,
    layout_of,
    match,
    sampled,
    system,
    user,
)
from dadeum.data.reading.cells import label_text
from dadeum.data.rows import Table

RANK = 4
NEEDS = {
    "prompt": ("prompt", "프롬프트", "input", "입력", "user", "human"),
    "completion": ("completion", "response", "output", "answer", "응답", "출력", "답변", "assistant", "gpt"),
}
TASKS = ("chat", "answer", "summarize", "retrieve")
MAY = {"system": SYSTEM, "label": ("label",)}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    """A decision where a column `label` says again what the completion is; bare texts where all completions are []."""
    found = match(table.columns, {**NEEDS, **MAY})
    if not NEEDS.keys() <= found.keys():
        return None
    rows = sampled(table)
    at = {name: table.columns.index(column) for name, column in found.items()}
    tasks: tuple[str, ...] = TASKS
    if all(row[at["completion"]] == [] for row in rows):
        tasks = ("text", *TASKS)
    elif "label" in at and all(_says(row[at["completion"]], row[at["label"]]) for row in rows):
        tasks = ("decide", *TASKS)
    if "decide" not in tasks or (task or "decide") != "decide":
        found.pop("label", None)
    return layout_of(table, tasks, found)


def _says(completion: Any, label: Any) -> bool:
    if isinstance(completion, list):
        completion = completion[0].get("content") if len(completion) == 1 and isinstance(completion[0], dict) else None
    return bool(label) and completion == label


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    prompt = [*system(layout.optional(cells, "system")), *_turns(cells, layout, "prompt", user)]
    completion = _turns(cells, layout, "completion", assistant)
    if "label" not in layout.at:
        return Halves(prompt, completion, [])
    label = label_text(cells[layout.at["label"]])
    if not label:
        raise Unread("missing_label", layout.columns["label"][0])
    return Halves(prompt, completion, [], label)


def _turns(cells: Sequence[Any], layout: Layout, name: str, say: Any) -> list[Turn]:
    cell = cells[layout.at[name]]
    if cell == []:
        return []
    is_list = isinstance(cell, list) or are_turn_lists([cell])
    turns: list[Turn] = turns_in(cell, layout.columns[name][0]) if is_list else say(layout.text(cells, name))
    return turns
