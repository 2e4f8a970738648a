"""Every answer that is taught as JSON is JSON, and has the label's key where the task has one."""

from __future__ import annotations

import json

from dadeum.core.examples import answer_of
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, short

CODE = "DA103"
NAME = "broken_json"


def check(context: Context) -> list[Finding]:
    found = []
    for row, (_, example) in enumerate(context.placed):
        answer = answer_of(example)
        broken = _broken_decision(context, row, answer) if context.recipe else _looks_like_broken_json(answer)
        if broken:
            found.append(Hit(row, found={"answer": short(answer)}))
    return context.finding(
        CODE, NAME, "block", found, {"label_key": context.recipe.task.label_key if context.recipe else "-"}
    )


def _broken_decision(context: Context, row: int, answer: str) -> bool:
    assert context.recipe is not None
    parsed = context.parsed[row]
    return not parsed.json_valid or (parsed.label is None and context.recipe.task.label_key not in json.loads(answer))


def _looks_like_broken_json(answer: str) -> bool:
    """An answer that begins as a JSON object or list of strings and does not end as one."""
    start = answer.lstrip()
    if not start.startswith(('{"', '{ "', "{\n", '["', "[{")):
        return False
    try:
        json.loads(start)
    except (ValueError, RecursionError):
        return True
    return False
