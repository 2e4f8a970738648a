"""Every split has every label. Trained on one label, a model says it to everything and scores 100 % on such a test."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context, listed

CODE = "DA201"
NAME = "single_class"


def check(context: Context) -> list[Finding]:
    if context.task != "decide":
        return []
    missing = _missing(context)
    if not missing:
        return []
    values = {
        "lacking": ", ".join(f"{split}({' '.join(labels)})" for split, labels in missing.items()),
        "present": listed(context.labels) or "-",
    }
    labels = [(split, example.label) for split, example in context.placed]
    concerned = [Hit(row, found={"label": label}) for row, (split, label) in enumerate(labels) if split in missing]
    # A split without any row concerns them all.
    rows = concerned or [Hit(row, found={"label": label}) for row, (_, label) in enumerate(labels)]
    return context.finding(CODE, NAME, "block", rows, values)


def _missing(context: Context) -> dict[str, list[str]]:
    """Split → labels without a row in it; a split that is not asked for may be empty."""
    if context.recipe is None:
        return _missing_in_file(context)
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


def _missing_in_file(context: Context) -> dict[str, list[str]]:
    """Splits with one label only, or without one that other splits have; which labels there should be, nobody said."""
    found = {}
    for split, examples in context.splits.items():
        present = {example.label for example in examples if example.label}
        absent = [label for label in context.labels if label not in present]
        if examples and (absent or len(present) < 2):
            found[split] = absent or ["?"]
    return found
