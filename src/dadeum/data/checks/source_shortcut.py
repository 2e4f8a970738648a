"""Labels are mixed within sources; where each label has a source of its own, a model can learn the source instead."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context

CODE = "DA402"
NAME = "source_shortcut"


def check(context: Context) -> list[Finding]:
    sources: dict[str, set[str]] = defaultdict(set)
    first: dict[str, int] = {}
    for row, (_, example) in enumerate(context.placed):
        if example.label:
            sources[example.label].add(example.source)
            first.setdefault(example.label, row)
    one_each = len(sources) > 1 and all(len(names) == 1 for names in sources.values())
    if not one_each or len(set.union(*sources.values())) < len(sources):
        return []
    pairs = ", ".join(f"{label} = {next(iter(names))}" for label, names in sources.items())
    # Held-out origins make the test honest about it; the model may still have learned the shortcut.
    severity: Severity = "info" if context.recipe and context.recipe.data.split.hold_out else "warn"
    order = [*first.values(), *sorted(set(range(context.num_rows)) - set(first.values()))]
    hits = (Hit(row, found={"source": context.placed[row][1].source}) for row in order)
    return context.finding(CODE, NAME, severity, hits, {"pairs": pairs})
