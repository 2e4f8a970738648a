"""No document, speaker or origin stands on both sides of a split: known ones make the exam easier than real use.

All 442 test documents of a public welfare retrieval set are also in its training part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dadeum.core.examples import Example
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context

CODE = "DA404"
NAME = "group_leakage"

KINDS = ("document", "speaker", "origin")
BLOCK_SHARE = 0.2
"""Share of test rows about documents of training from which retrieval and answers are judged on known ground."""
MIN_GROUPS = 10
"""Fewer values are roles ("A", "#Person1#") or boards, which both sides are meant to have."""
MAX_GROUP_SHARE = 0.1
"""A speaker with more of all rows than this is a role as well."""
INFO_SHARE = 0.05
"""Share of held-out rows with a known group below which nothing is said."""
_ON_DOCUMENTS = ("retrieve", "answer")


def check(context: Context) -> list[Finding]:
    return [finding for kind in KINDS for finding in _check(context, kind)]


def _check(context: Context, kind: str) -> list[Finding]:
    known: set[str] = set()
    rows: list[tuple[int, list[str]]] = []
    counts: Counter[str] = Counter()
    for row, (split, example) in enumerate(context.placed):
        groups = list(_groups(example, kind))
        counts.update(groups)
        if split == "train":
            known.update(groups)
        elif groups:
            rows.append((row, groups))
    if not rows or not known or (kind != "document" and _are_roles(counts, context.num_rows)):
        return []
    hits = [Hit(row, found={kind: shared}) for row, groups in rows if (shared := ", ".join(known.intersection(groups)))]
    share = len(hits) / len(rows)
    if share < INFO_SHARE:
        return []
    held_out = {group for _, groups in rows for group in groups}
    values = {"kind": kind, "share": share, "groups": len(held_out), "known": len(held_out & known)}
    return context.finding(CODE, NAME, _severity(context, kind, share), hits, values, len(rows))


def _groups(example: Example, kind: str) -> Iterator[str]:
    if kind == "origin":
        if example.origin and example.origin != example.source:
            yield example.origin
        return
    yield from filter(None, map(str.strip, example.extra.get(kind, "").split("\n")))


def _are_roles(counts: Counter[str], total: int) -> bool:
    return len(counts) < MIN_GROUPS or counts.most_common(1)[0][1] > MAX_GROUP_SHARE * total


def _severity(context: Context, kind: str, share: float) -> Severity:
    if kind == "origin":
        return "info"  # boards and senders come back in use; whether they must be new, only the user knows
    return "block" if kind == "document" and context.task in _ON_DOCUMENTS and share >= BLOCK_SHARE else "warn"
