"""Every label is one of the task's, and the answer says the same label as the row."""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import answer_of
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, listed

CODE = "DA104"
NAME = "unknown_label"


def check(context: Context) -> list[Finding]:
    task = context.decision
    if task is None:
        return []  # which labels there may be, only a recipe knows
    found, kinds = [], Counter[str]()
    for row, ((_, example), parsed) in enumerate(zip(context.placed, context.parsed, strict=True)):
        # An answer that cannot be read is broken_json's business.
        differs = parsed.json_valid and parsed.label != example.label
        if example.label not in task.labels or differs:
            kinds[repr(example.label)] += 1
            found.append(Hit(row, found={"label": example.label, "answer": answer_of(example)}))
    return context.finding(CODE, NAME, "block", found, {"found": listed(kinds), "labels": ", ".join(task.labels)})
