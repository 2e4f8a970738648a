"""Every id that a question names is a chunk or a document; where all are unknown, the chunks were cut otherwise."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context

CODE = "DA601"
NAME = "missing_chunks"

BLOCK_SHARE = 0.5
"""Share of questions from which it is no slip: another corpus, or another chunk size."""
_SHOWN = 3


def check(context: Context) -> list[Finding]:
    named = [asked for asked in context.asked if asked.named]
    if context.passages is None:
        return []
    hits = [Hit(asked.row, found={"missing": ", ".join(asked.missing[:_SHOWN])}) for asked in named if asked.missing]
    ids = list(dict.fromkeys(name for asked in named for name in asked.missing))
    share = len(hits) / max(len(named), 1)
    known = next(iter(context.passages.by_id), "-")
    values = {"share": share, "ids": len(ids), "missing": ", ".join(ids[:_SHOWN]), "known": known}
    severity: Severity = "block" if share >= BLOCK_SHARE else "warn"
    return context.finding(CODE, NAME, severity, hits, values, len(named))
