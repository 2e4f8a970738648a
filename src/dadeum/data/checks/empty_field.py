"""No row without input, answer or label. A single empty input field (no attachments) is no fault."""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.data.context import Context, answer_of, listed, shown

CODE = "DA102"
NAME = "empty_field"


def check(context: Context) -> list[Finding]:
    found = [
        (split, example, {"empty": empty}) for split, example in context.placed if (empty := ", ".join(_empty(example)))
    ]
    if not found:
        return []
    values = {"problems": listed(Counter(what["empty"] for _, _, what in found))}
    return [Finding(CODE, NAME, "block", len(found), context.num_rows, values, shown(found))]


def _empty(example: Example) -> list[str]:
    parts = {"input": example.text, "answer": answer_of(example), "label": example.label}
    return [name for name, content in parts.items() if not (content or "").strip()]
