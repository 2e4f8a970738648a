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
from dadeum.data.fingerprints import Memory

CODE = "DA401"
NAME = "split_leakage"

Placed = tuple[str, Example]
Leak = tuple[str, Example, dict[str, Any]]


def check(context: Context) -> list[Finding]:
    train, validation, test = ([(split, example) for example in context.splits.get(split, [])] for split in SPLITS)
    leaks = _leaks(validation + test, train, context.memory)
    known = {example.id for _, example, _ in leaks}
    leaks += _leaks(
        [(split, example) for split, example in test if example.id not in known], validation, context.memory
    )
    if not leaks:
        return []
    total = len(validation) + len(test)
    kinds = [what["how"] for _, _, what in leaks]
    counts = {kind: kinds.count(kind) for kind in ("exact", "masked", "near")}
    values = {**counts, "share": len(leaks) / total, "similarity": LEAK_SIMILARITY}
    return [Finding(CODE, NAME, "block", len(leaks), total, values, shown(leaks))]


def _leaks(here: list[Placed], before: list[Placed], memory: Memory) -> list[Leak]:
    """Rows of `here` that also stand in `before`, with the row they are like and how."""
    if not here or not before:
        return []
    exact = {example.text: number for number, (_, example) in reversed(list(enumerate(before)))}
    templates = {masked(example.text): number for number, (_, example) in reversed(list(enumerate(before)))}
    near = nearest_known([example.text for _, example in here], list(exact), LEAK_SIMILARITY, memory).tolist()
    positions = list(exact.values())
    leaks: list[Leak] = []
    for (split, example), close in zip(here, near, strict=True):
        found = {
            "exact": exact.get(example.text),
            "masked": templates.get(masked(example.text)),
            "near": positions[close] if close >= 0 else None,
        }
        how = next((kind for kind, number in found.items() if number is not None), None)
        if how:
            other_split, other = before[found[how] or 0]
            what = {"how": how, "like": f"{other_split} {other.id}", "like_text": short(other.text)}
            leaks.append((split, example, what))
    return leaks
