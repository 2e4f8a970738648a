"""Words are spaced as Korean is: text without spaces, or cut inside words, teaches the model to write so.

Counts what Kiwi would correct and orthography does not leave open, on a sample unless `full`.
"""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.morphemes import Spacing
from dadeum.data.context import Context
from dadeum.data.texts.sentences import Answer

CODE = "KO106"
NAME = "spacing"

MAX_WRONG = 0.3
"""Share of gaps between words that would change; the most in 600 real summaries is 0.17, in 464 documents 0.16.

Casual chat that writes "하는게" for "하는 게" reaches 0.25 in one answer of twenty: a habit, not damage."""
MIN_WRONG = 4
"""Corrections in one text below which the share is chance."""
MIN_MISSING = 2
"""The same for a text without any space."""
MIN_GLUED_CHARACTERS = 12
MIN_CHARACTERS = 20
"""Shorter texts have too few gaps for a share."""
WARN_SHARE = 0.01
"""Share of rows from which this is a warning."""


def check(context: Context) -> list[Finding]:
    if context.task == "decide":
        return []
    found = context.sentences
    hits = [
        Hit(answer.row, answer.part, 0, min(len(answer.text), _SHOWN_CHARACTERS), _facts(answer.analysis.spacing))
        for answer in found.answers
        if _is_wrong(answer)
    ]
    share = len({hit.row for hit in hits}) / max(found.num_sampled, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    return context.finding(
        CODE, NAME, severity, hits, {"share": share, "rows": found.num_rows, "limit": MAX_WRONG}, found.num_sampled
    )


_SHOWN_CHARACTERS = 120


def _is_wrong(answer: Answer) -> bool:
    spacing = answer.analysis.spacing
    if not any(map(str.isspace, answer.text)):
        return len(answer.text) >= MIN_GLUED_CHARACTERS and spacing.missing >= MIN_MISSING
    wrong = spacing.missing + spacing.spare
    return len(answer.text) >= MIN_CHARACTERS and wrong >= MIN_WRONG and spacing.share > MAX_WRONG


def _facts(spacing: Spacing) -> dict[str, int | float]:
    return {"missing": spacing.missing, "spare": spacing.spare, "share": round(spacing.share, 2)}
