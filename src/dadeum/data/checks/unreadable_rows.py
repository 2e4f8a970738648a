"""Rows of the files that could not become a training row at all, each with its reason."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Severity
from dadeum.data.context import MAX_SHOWN, Context, listed

CODE = "DA106"
NAME = "unreadable_rows"

BLOCK_SHARE = 0.2
"""Share of rows from which the file is probably read in the wrong way, and what is left is no fair part of it."""


def check(context: Context) -> list[Finding]:
    if not context.unread:
        return []
    count, total = len(context.unread), len(context.unread) + context.num_rows
    reasons = Counter(row.reason for row in context.unread)
    # The first of every reason before the second of any.
    first = {row.reason: row for row in reversed(context.unread)}
    chosen = [first[reason] for reason in reasons]
    shown = [*chosen, *(row for row in context.unread if first[row.reason] is not row)][:MAX_SHOWN]
    rows = [{"id": row.id, "split": "-", "text": row.text, "reason": row.reason, "detail": row.detail} for row in shown]
    severity: Severity = "block" if count > BLOCK_SHARE * total else "warn"
    return [Finding(CODE, NAME, severity, count, total, {"reasons": listed(reasons), "share": count / total}, rows)]
