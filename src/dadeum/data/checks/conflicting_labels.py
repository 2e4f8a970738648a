"""The same input never has two labels: one of them is wrong, and neither can be learned."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA302"
NAME = "conflicting_labels"


def check(context: Context) -> list[Finding]:
    by_text: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row, (_, example) in enumerate(context.placed):
        if example.label:
            by_text[example.text].append((row, example.label))
    conflicts = [rows for rows in by_text.values() if len({label for _, label in rows}) > 1]
    found = [Hit(row, found={"label": label}) for rows in conflicts for row, label in rows]
    return context.finding(CODE, NAME, "warn", found, {"texts": len(conflicts)})
