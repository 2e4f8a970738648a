"""Rows are what training expects: texts where texts belong, something to answer, one id."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed

CODE = "DA101"
NAME = "schema"

_TEXTS = ("id", "source", "origin", "group", "text", "label")
_ROLES = {"system", "user", "assistant"}
BLOCK_SHARE = 0.05
"""Share of rows from which the file is not what it was taken for; a few rows are slips."""
_WITHOUT_TURNS = {"text", "retrieve"}


def check(context: Context) -> list[Finding]:
    times = Counter(example.id for _, example in context.placed)
    problems: Counter[str] = Counter()
    found = []
    for row, (_, example) in enumerate(context.placed):
        if problem := _problem(example, context.task) or ("id_twice" if times[example.id] > 1 else ""):
            problems[problem] += 1
            found.append(Hit(row, found={"problem": problem}))
    severity: Severity = "block" if len(found) > BLOCK_SHARE * context.num_rows else "warn"
    return context.finding(CODE, NAME, severity, found, {"problems": listed(problems)})


def _problem(example: Example, task: str) -> str:
    for name in _TEXTS:
        if not isinstance(getattr(example, name), str):
            return "not_text"
    if task in _WITHOUT_TURNS:
        return ""  # bare texts: there is nothing to train on yet
    if not example.prompt:
        return "nothing_to_answer"
    if task != "decide":
        return ""  # the order of a conversation is `roles`' business
    if not _are_turns(example.prompt) or example.prompt[-1]["role"] != "user":
        return "no_user_turn"
    if not _are_turns(example.completion) or example.completion[-1]["role"] != "assistant":
        return "no_assistant_turn"
    return ""


def _are_turns(turns: Any) -> bool:
    return bool(turns) and all(turn["role"] in _ROLES and isinstance(turn["content"], str) for turn in turns)
