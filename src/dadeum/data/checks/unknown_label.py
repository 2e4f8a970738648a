"""Every label is one of the task's, and the answer says the same label as the row."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding
from dadeum.data.context import Context, answer_of, listed, shown

CODE = "DA104"
NAME = "unknown_label"


def check(context: Context) -> list[Finding]:
    task = context.recipe.task
    found = []
    for (split, example), parsed in zip(context.placed, context.parsed, strict=True):
        # An answer that cannot be read is broken_json's business.
        differs = parsed.json_valid and parsed.label != example.label
        if example.label not in task.labels or differs:
            found.append((split, example, {"label": example.label, "answer": answer_of(example)}))
    if not found:
        return []
    values = {
        "found": listed(Counter(repr(what["label"]) for _, _, what in found)),
        "labels": ", ".join(task.labels),
    }
    return [Finding(CODE, NAME, "block", len(found), context.num_rows, values, shown(found))]
