"""Where a file says how difficult its questions are, or of which domain, they are not all of one kind."""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context

CODE = "DA605"
NAME = "one_kind"

MIN_QUESTIONS = 20
"""Fewer may well be of one kind."""
SHARE = 0.95
"""Share of the commonest kind from which there is as good as one."""


def check(context: Context) -> list[Finding]:
    findings = []
    for kind in ("difficulty", "domain"):
        said = {asked.row: str(getattr(asked, kind)) for asked in context.asked if getattr(asked, kind)}
        most = Counter(said.values()).most_common(1)
        if len(said) < MIN_QUESTIONS or most[0][1] < SHARE * len(said):
            continue
        hits = [Hit(row, found={kind: value}) for row, value in said.items() if value == most[0][0]]
        values = {"kind": kind, "value": most[0][0], "share": most[0][1] / len(said)}
        findings += context.finding(CODE, NAME, "info", hits, values, len(said))
    return findings
