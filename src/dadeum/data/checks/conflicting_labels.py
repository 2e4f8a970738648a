"""The same input never has two labels: one of them is wrong, and neither can be learned."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.examples import Example
from dadeum.core.findings import Finding
from dadeum.data.context import Context, shown

CODE = "DA302"
NAME = "conflicting_labels"


def check(context: Context) -> list[Finding]:
    by_text: dict[str, list[tuple[str, Example]]] = defaultdict(list)
    for split, example in context.placed:
        by_text[example.text].append((split, example))
    conflicts = [rows for rows in by_text.values() if len({example.label for _, example in rows}) > 1]
    if not conflicts:
        return []
    found = [(split, example, {"label": example.label}) for rows in conflicts for split, example in rows]
    values = {"texts": len(conflicts)}
    return [Finding(CODE, NAME, "warn", len(found), context.num_rows, values, shown(found))]
