"""Preference pairs: a prompt, the better answer and the worse one; texts, or conversations with a shared beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dadeum.core.examples import Turn
from dadeum.data.formats._turns import are_turn_lists, turns_in
from dadeum.data.formats.base import SYSTEM, Halves, Layout, Unread, assistant, layout_of, match, probe, system, user
from dadeum.data.rows import Table

RANK = 1
NEEDS = {
    "prompt": ("prompt", "question", "instruction", "input", "프롬프트", "질문", "지시", "입력"),
    "chosen": ("chosen", "chosen_response", "response_chosen", "preferred", "선택", "선호"),
    "rejected": ("rejected", "rejected_response", "response_rejected", "dispreferred", "거절", "비선호"),
}
TASKS = ("prefer",)
_MAY = {"system": SYSTEM}


def recognise(table: Table, task: str | None, label: str | None) -> Layout | None:
    """Texts need a prompt; conversations may carry it in their beginning."""
    found = match(table.columns, {**NEEDS, **_MAY})
    if not {"chosen", "rejected"} <= found.keys():
        return None
    has_turns = are_turn_lists(probe(table, table.columns.index(found["chosen"])))
    return layout_of(table, TASKS, found) if "prompt" in found or has_turns else None


def convert(cells: Sequence[Any], layout: Layout) -> Halves:
    """Raises Unread where the two answers do not answer the same."""
    chosen, rejected = _answer(cells, layout, "chosen"), _answer(cells, layout, "rejected")
    before = system(layout.optional(cells, "system"))
    shared = _shared(chosen, rejected) if chosen[0]["role"] != "assistant" else 0
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if (role := turns[shared]["role"]) != "assistant":
            raise Unread("unequal_prompts", f"{name}[{shared + 1}]: {role}")
    # Where the whole conversation stands in both, a prompt column says the same once more.
    prompt = chosen[:shared] or _prompt(cells, layout)
    return Halves([*before, *prompt], chosen[shared:], rejected[shared:])


def _prompt(cells: Sequence[Any], layout: Layout) -> list[Turn]:
    if "prompt" not in layout.at:
        return []
    cell = cells[layout.at["prompt"]]
    if cell == []:
        return []
    is_list = isinstance(cell, list) or are_turn_lists([cell])
    return turns_in(cell, layout.columns["prompt"][0]) if is_list else user(layout.text(cells, "prompt"))


def _answer(cells: Sequence[Any], layout: Layout, name: str) -> list[Turn]:
    cell = cells[layout.at[name]]
    is_list = isinstance(cell, list) or are_turn_lists([cell])
    return turns_in(cell, layout.columns[name][0]) if is_list else assistant(layout.text(cells, name))


def _shared(chosen: list[Turn], rejected: list[Turn]) -> int:
    """Number of turns that both begin with, the last turn of each left to it."""
    most = min(len(chosen), len(rejected)) - 1
    return next((number for number in range(most) if chosen[number] != rejected[number]), max(most, 0))
