"""The same question names the same chunks: else a right hit counts as wrong, and is taught as wrong."""

from __future__ import annotations

from collections import defaultdict

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context
from dadeum.data.texts.asked import Asked
from dadeum.data.texts.questions import bare

CODE = "DA608"
NAME = "scattered_questions"

WARN_SHARE = 0.01
"""Share of questions from which this is a warning."""


def check(context: Context) -> list[Finding]:
    same: dict[str, list[Asked]] = defaultdict(list)
    for asked in context.asked:
        if asked.named:
            same[bare(asked.question)].append(asked)
    groups = [group for group in same.values() if len({frozenset(one.named) for one in group}) > 1]
    hits = [Hit(one.row, found={"named": ", ".join(one.named[:2])}) for group in groups for one in group]
    total = sum(map(len, same.values()))
    share = len(hits) / max(total, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {"share": share, "questions": len(groups)}, total)
