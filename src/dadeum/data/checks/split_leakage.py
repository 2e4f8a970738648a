"""No validation or test row also stands in an earlier split: equal, equal but for names and numbers, or nearly equal.

On a public Korean spam list a random split leaves a third of the test known from training.
"""

from __future__ import annotations

from dadeum.core.examples import SPLITS
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.checks._leaks import find_leaks
from dadeum.data.context import Context, short
from dadeum.data.similar.duplicates import LEAK_SIMILARITY

CODE = "DA401"
NAME = "split_leakage"

WORTHLESS_SHARE = 0.05
"""Share of known rows from which scores say nothing: five points are more than most comparisons are about."""

WARN_SHARE = 0.005
"""Share of known rows from which this is a warning: half a point is what a good comparison can tell apart."""


def check(context: Context) -> list[Finding]:
    splits = [split for split, _ in context.placed]
    examples = [example for _, example in context.placed]
    train, validation, test = ([row for row, split in enumerate(splits) if split == name] for name in SPLITS)
    if not train or not (validation or test):
        return []
    leaks = find_leaks(examples, context.pairs, validation + test, train, context.memory)
    known = {leak.row for leak in leaks}
    leaks += find_leaks(examples, context.pairs, [row for row in test if row not in known], validation, context.memory)
    hits = []
    for leak in leaks:
        other = examples[leak.like]
        what = {"how": leak.how, "like": f"{splits[leak.like]} {other.id}", "like_text": short(other.text)}
        hits.append(Hit(leak.row, found=what))
    total = len(validation) + len(test)
    share = len(leaks) / total
    kinds = [leak.how for leak in leaks]
    counts = {kind: kinds.count(kind) for kind in ("exact", "input", "masked", "near")}
    severity: Severity = "block" if share >= WORTHLESS_SHARE else "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {**counts, "share": share, "similarity": LEAK_SIMILARITY}, total)
