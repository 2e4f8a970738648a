"""Every split has every label. Trained on one label, a model says it to everything and scores 100 % on such a test."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed

CODE = "DA201"
NAME = "single_class"

MIN_EXPECTED_ROWS = 5
"""Rows of a label that a fair split would have; with five expected, none at all comes by chance once in 150 times."""


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
    return context.finding(CODE, NAME, _severity(context, missing), rows, values)


def _severity(context: Context, missing: dict[str, list[str]]) -> Severity:
    """Without a recipe, a rare label that a split happens to lack stops nobody; a split with one label does."""
    if context.recipe is not None:
        return "block"
    alone = any(len({example.label for example in context.splits[split]} - {""}) < 2 for split in missing)
    return "block" if alone else "warn"


def _missing(context: Context) -> dict[str, list[str]]:
    """Split → labels without a row in it; a split that is not asked for may be empty."""
    if context.recipe is None or context.decision is None:
        return _missing_in_file(context)
    settings = context.recipe.data.split
    unwanted = {"validation"} if settings.validation == 0 else set()
    if settings.test == 0 and not settings.hold_out:
        unwanted.add("test")
    found = {}
    for split, examples in context.splits.items():
        present = {example.label for example in examples}
        labels = [label for label in context.decision.labels if label not in present]
        if labels and (present or split not in unwanted):
            found[split] = labels
    return found


def _missing_in_file(context: Context) -> dict[str, list[str]]:
    """Splits with one label only, or without one that should be there; which labels there are, the rows must say.

    A label that training never saw is missing however rare it is; elsewhere chance may have left out a rare one.
    """
    found = {}
    total = sum(context.labels.values())
    for split, examples in context.splits.items():
        present = Counter(example.label for example in examples if example.label)
        if not present:
            continue
        absent = [
            label
            for label, count in context.labels.items()
            if label not in present and (split == "train" or count * len(examples) >= MIN_EXPECTED_ROWS * total)
        ]
        if absent or len(present) < 2:
            found[split] = absent or [f"{label} 100%" for label in present]
    return found
