"""A summary names only speakers and masked values (`#Person1#`, `#PhoneNumber#`) that its dialogue has.

A summary of another dialogue, or one whose speakers were numbered anew, teaches a model to make people up.
"""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.korean import MASK
from dadeum.data.context import Context, listed

CODE = "DA307"
NAME = "unknown_speaker"

WARN_SHARE = 0.01
"""Share of rows from which this is a warning; in 600 human DialogSum-Ko summaries there is none."""


def check(context: Context) -> list[Finding]:
    if context.task != "summarize":
        return []
    hits, kinds, total = [], Counter[str](), 0
    for row, (_, example) in enumerate(context.placed):
        if not example.completion or not MASK.search(example.text):
            continue
        total += 1
        known = set(MASK.findall(example.text))
        part = f"assistant.{len(example.prompt) + len(example.completion)}"
        for place in MASK.finditer(example.completion[-1]["content"]):
            if place[0] not in known:
                kinds[place[0]] += 1
                hits.append(Hit(row, part, place.start(), place.end(), {"found": place[0]}))
    share = len({hit.row for hit in hits}) / max(total, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {"share": share, "kinds": listed(kinds)}, total)
