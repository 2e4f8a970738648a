"""No question that a model drafted is trained on or tested with before somebody has read it."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA607"
NAME = "unreviewed_drafts"


def check(context: Context) -> list[Finding]:
    hits = [Hit(asked.row) for asked in context.asked if asked.is_draft]
    values = {"share": len(hits) / max(len(context.asked), 1)}
    return context.finding(CODE, NAME, "warn", hits, values, len(context.asked))
