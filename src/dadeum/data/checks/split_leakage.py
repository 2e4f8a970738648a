"""No validation or test row also stands in an earlier split: equal, equal but for names and numbers, or nearly equal.

On a public Korean spam list a random split leaves a third of the test known from training.
"""

from __future__ import annotations

from dadeum.core.examples import SPLITS, Example
from dadeum.core.findings import Finding, Hit
from dadeum.core.korean import masked
from dadeum.data.context import Context, short
from dadeum.data.duplicates import LEAK_SIMILARITY, nearest_known
from dadeum.data.fingerprints import Memory

CODE = "DA401"
NAME = "split_leakage"

Placed = tuple[int, str, Example]


def check(context: Context) -> list[Finding]:
    rows = [(row, split, example) for row, (split, example) in enumerate(context.placed)]
    train, validation, test = ([placed for placed in rows if placed[1] == split] for split in SPLITS)
    leaks = _leaks(validation + test, train, context.memory)
    known = {leak.row for leak in leaks}
    leaks += _leaks([placed for placed in test if placed[0] not in known], validation, context.memory)
    total = len(validation) + len(test)
    kinds = [leak.found["how"] for leak in leaks if leak.found]
    counts = {kind: kinds.count(kind) for kind in ("exact", "masked", "near")}
    values = {**counts, "share": len(leaks) / max(total, 1), "similarity": LEAK_SIMILARITY}
    return context.finding(CODE, NAME, "block", leaks, values, total)


def _leaks(here: list[Placed], before: list[Placed], memory: Memory) -> list[Hit]:
    """Rows of `here` that also stand in `before`, with the row they are like and how."""
    if not here or not before:
        return []
    exact = {example.text: number for number, (_, _, example) in reversed(list(enumerate(before)))}
    templates = {masked(example.text): number for number, (_, _, example) in reversed(list(enumerate(before)))}
    near = nearest_known([example.text for _, _, example in here], list(exact), LEAK_SIMILARITY, memory).tolist()
    positions = list(exact.values())
    leaks = []
    for (row, _, example), close in zip(here, near, strict=True):
        found = {
            "exact": exact.get(example.text),
            "masked": templates.get(masked(example.text)),
            "near": positions[close] if close >= 0 else None,
        }
        how = next((kind for kind, number in found.items() if number is not None), None)
        if how:
            _, other_split, other = before[found[how] or 0]
            what = {"how": how, "like": f"{other_split} {other.id}", "like_text": short(other.text)}
            leaks.append(Hit(row, found=what))
    return leaks
