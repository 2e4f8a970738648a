"""One answer keeps one speech level: polite (-요, -습니다) or plain (-다, -어), not both.

Quotations, list items, headings, speakers' lines and what people say to themselves ("그랬구나.") do not count.
"""

from __future__ import annotations

from dadeum.core.findings import Finding, Severity
from dadeum.data.context import Context
from dadeum.data.texts.mixture import mixture

CODE = "KO101"
NAME = "mixed_speech"

WARN_SHARE = 0.01
"""Share of rows from which this is a warning: in 600 human DialogSum-Ko summaries one is mixed (0.2 %)."""


def check(context: Context) -> list[Finding]:
    if context.task in ("decide", "retrieve"):  # nothing is written in words of its own
        return []
    found = context.sentences
    hits = [hit for answer in found.answers if (hit := mixture(answer))]
    share = len({hit.row for hit in hits}) / max(found.num_sampled, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    values = {"share": share, "rows": found.num_rows}
    return context.finding(CODE, NAME, severity, hits, values, found.num_sampled)
