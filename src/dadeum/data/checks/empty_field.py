"""No row without input, answer or label. A single empty input field (no attachments) is no fault."""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed

CODE = "DA102"
NAME = "empty_field"


BLOCK_SHARE = 0.05
"""Share of rows from which a column is missing or read from the wrong place; fewer are left out with drop_empty."""


def check(context: Context) -> list[Finding]:
    found = []
    kinds: Counter[str] = Counter()
    for row, (_, example) in enumerate(context.placed):
        if empty := ", ".join(_empty(example, context.task)):
            kinds[empty] += 1
            found.append(Hit(row, found={"empty": empty}))
    severity: Severity = "block" if len(found) > BLOCK_SHARE * context.num_rows else "warn"
    return context.finding(CODE, NAME, severity, found, {"problems": listed(kinds)})


def _empty(example: Example, task: str) -> list[str]:
    parts = {"input": example.text, "answer": answer_of(example), "label": example.label}
    wanted = {"decide": ("input", "answer", "label"), "text": ("input",)}.get(task, ("input", "answer"))
    empty = [name for name in wanted if not (parts[name] or "").strip()]
    if task not in ("decide", "text"):
        # A conversation without its first or last turn is `schema`'s and `roles`' business.
        there = {"input": example.prompt, "answer": example.completion}
        empty = [name for name in empty if there[name]]
    if any(not turn["content"].strip() for turn in example.rejected):
        empty.append("rejected")
    return empty
