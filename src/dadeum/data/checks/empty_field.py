"""No row without input, answer or label. A single empty input field (no attachments) is no fault."""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, listed

CODE = "DA102"
NAME = "empty_field"


def check(context: Context) -> list[Finding]:
    found = []
    kinds: Counter[str] = Counter()
    for row, (_, example) in enumerate(context.placed):
        if empty := ", ".join(_empty(example, context.task)):
            kinds[empty] += 1
            found.append(Hit(row, found={"empty": empty}))
    return context.finding(CODE, NAME, "block", found, {"problems": listed(kinds)})


def _empty(example: Example, task: str) -> list[str]:
    parts = {"input": example.text, "answer": answer_of(example), "label": example.label}
    wanted = {"decide": ("input", "answer", "label"), "text": ("input",)}.get(task, ("input", "answer"))
    return [name for name in wanted if not (parts[name] or "").strip()]
