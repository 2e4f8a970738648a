"""Every split has every label. Trained on one label, a model says it to everything and scores 100 % on such a test."""

from __future__ import annotations

from dadeum.core.findings import Finding
from dadeum.data.context import Context, listed, shown

CODE = "DA201"
NAME = "single_class"


def check(context: Context) -> list[Finding]:
    missing = _missing(context)
    if not missing:
        return []
    values = {
        "lacking": ", ".join(f"{split}({' '.join(labels)})" for split, labels in missing.items()),
        "present": listed(context.labels) or "-",
    }
    concerned = [(split, example, {"label": example.label}) for split, example in context.placed if split in missing]
    # A split without any row concerns them all.
    rows = concerned or [(split, example, {"label": example.label}) for split, example in context.placed]
    return [Finding(CODE, NAME, "block", len(rows), context.num_rows, values, shown(rows))]


def _missing(context: Context) -> dict[str, list[str]]:
    """Split → labels of the task without a row in it; a split that is not asked for may be empty."""
    settings = context.recipe.data.split
    unwanted = {"validation"} if settings.validation == 0 else set()
    if settings.test == 0 and not settings.hold_out:
        unwanted.add("test")
    found = {}
    for split, examples in context.splits.items():
        present = {example.label for example in examples}
        labels = [label for label in context.recipe.task.labels if label not in present]
        if labels and (present or split not in unwanted):
            found[split] = labels
    return found
