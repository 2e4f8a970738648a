"""No validation or test row also stands in an earlier split: equal, equal but for names and numbers, or nearly equal.

On a public Korean spam list a random split leaves a third of the test known from training.
"""

from __future__ import annotations

from typing import Any

from dadeum.core.examples import SPLITS, Example
from dadeum.core.findings import Finding
from dadeum.core.korean import masked
from dadeum.data.context import Context, short, shown
from dadeum.data.duplicates import LEAK_SIMILARITY, nearest_known

CODE = "DA401"
NAME = "split_leakage"

Leak = tuple[str, Example, dict[str, Any]]


def check(context: Context) -> list[Finding]:
    leaks = [leak for position in range(1, len(SPLITS)) for leak in _leaks(context, position)]
    total = sum(len(context.splits.get(split, [])) for split in SPLITS[1:])
    if not leaks:
        return []
    kinds = [what["how"] for _, _, what in leaks]
    counts = {kind: kinds.count(kind) for kind in ("exact", "masked", "near")}
    values = {**counts, "share": len(leaks) / total, "similarity": LEAK_SIMILARITY}
    return [Finding(CODE, NAME, "block", len(leaks), total, values, shown(leaks))]


def _leaks(context: Context, position: int) -> list[Leak]:
    """Rows of one split that stand in a split before it, with the row they are like and how."""
    split = SPLITS[position]
    here = context.splits.get(split, [])
    before = [(name, example) for name in SPLITS[:position] for example in context.splits.get(name, [])]
    if not here or not before:
        return []
    exact = {example.text: number for number, (_, example) in reversed(list(enumerate(before)))}
    templates = {masked(example.text): number for number, (_, example) in reversed(list(enumerate(before)))}
    near = nearest_known([example.text for example in here], [example.text for _, example in before], LEAK_SIMILARITY)
    leaks: list[Leak] = []
    for example, close in zip(here, near.tolist(), strict=True):
        found = {"exact": exact.get(example.text), "masked": templates.get(masked(example.text)), "near": close}
        how = next((kind for kind, number in found.items() if number is not None and number >= 0), None)
        if how:
            other_split, other = before[found[how]]
            leaks.append(
                (split, example, {"how": how, "like": f"{other_split} {other.id}", "like_text": short(other.text)})
            )
    return leaks
