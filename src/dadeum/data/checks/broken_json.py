"""Every answer that is taught is one JSON object and has the label's key."""

from __future__ import annotations

import json

from dadeum.core.findings import Finding
from dadeum.data.context import Context, answer_of, short, shown

CODE = "DA103"
NAME = "broken_json"


def check(context: Context) -> list[Finding]:
    task = context.recipe.task
    found = []
    for (split, example), parsed in zip(context.placed, context.parsed, strict=True):
        answer = answer_of(example)
        if not parsed.json_valid or (parsed.label is None and task.label_key not in json.loads(answer)):
            found.append((split, example, {"answer": short(answer)}))
    if not found:
        return []
    values = {"label_key": task.label_key}
    return [Finding(CODE, NAME, "block", len(found), context.num_rows, values, shown(found))]
