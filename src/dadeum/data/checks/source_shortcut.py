"""Labels are mixed within sources; where each label has a source of its own, a model can learn the source instead."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.findings import Finding, Severity
from dadeum.data.context import Context, shown

CODE = "DA402"
NAME = "source_shortcut"


def check(context: Context) -> list[Finding]:
    sources: dict[str, set[str]] = defaultdict(set)
    for _, example in context.placed:
        sources[example.label].add(example.source)
    one_each = len(sources) > 1 and all(len(names) == 1 for names in sources.values())
    if not one_each or len(set.union(*sources.values())) < len(sources):
        return []
    pairs = ", ".join(f"{label} = {next(iter(names))}" for label, names in sources.items())
    first = {example.label: (split, example, {"source": example.source}) for split, example in reversed(context.placed)}
    # Held-out origins make the test honest about it; the model may still have learned the shortcut.
    severity: Severity = "info" if context.recipe.data.split.hold_out else "warn"
    return [Finding(CODE, NAME, severity, context.num_rows, context.num_rows, {"pairs": pairs}, shown(first.values()))]
