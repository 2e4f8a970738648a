"""No row without input, answer or label. A single empty input field (no attachments) is no fault.

A free answer of nothing but invisible characters, empty markup or a spreadsheet's sign for no value is none either.
"""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed
from dadeum.data.texts.characters import squash_spaces, strip_html

CODE = "DA102"
NAME = "empty_field"

BLOCK_SHARE = 0.05
"""Share of rows from which a column is missing or read from the wrong place; fewer are left out with drop_empty."""

_NO_VALUE = frozenset({
    "-", "--", "---", "—", "–", "―", ".", "..", "...", "…", "[]", "{}", "()", "''", '""',
    "n/a", "#n/a", "n.a.", "null", "nan", "<na>", "undefined", "#value!", "#ref!", "#div/0!", "#name?",
})  # fmt: skip
"""What programs write where there is nothing; words such as 없음 may be right answers and stay."""
_MAX_CHARACTERS = 40
"""Longer texts are not blank without being seen to be."""


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
    if task not in ("decide", "text") and "answer" not in empty and _says_nothing(parts["answer"]):
        empty.append("answer")
    if task not in ("decide", "text"):
        # A conversation without its first or last turn is `schema`'s and `roles`' business.
        there = {"input": example.prompt, "answer": example.completion}
        empty = [name for name in empty if there[name]]
    if any(not turn["content"].strip() for turn in example.rejected):
        empty.append("rejected")
    return empty


def _says_nothing(answer: str) -> bool:
    if len(answer) > _MAX_CHARACTERS:
        return False
    seen = squash_spaces(strip_html(answer))
    return not seen or seen.lower() in _NO_VALUE
