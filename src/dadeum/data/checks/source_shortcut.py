"""Labels are mixed within sources; where every source has one label only, a model can learn the source instead."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context

CODE = "DA402"
NAME = "source_shortcut"


def check(context: Context) -> list[Finding]:
    labels: dict[str, set[str]] = defaultdict(set)
    first: dict[str, int] = {}
    for row, (_, example) in enumerate(context.placed):
        if example.label:
            labels[example.source].add(example.label)
            first.setdefault(example.source, row)
    if len(set().union(*labels.values())) < 2 or any(len(names) > 1 for names in labels.values()):
        return []
    sources: dict[str, list[str]] = defaultdict(list)
    for source, (label,) in labels.items():
        sources[label].append(source)
    pairs = ", ".join(f"{label} = {' + '.join(names)}" for label, names in sources.items())
    # Held-out origins make the test honest about it; the model may still have learned the shortcut.
    severity: Severity = "info" if context.recipe and context.recipe.data.split.hold_out else "warn"
    order = dict.fromkeys([*first.values(), *range(context.num_rows)])
    hits = (Hit(row, found={"source": context.placed[row][1].source}) for row in order)
    return context.finding(CODE, NAME, severity, hits, {"pairs": pairs})
