"""Rows that were longer than the token limit: left out, or their input cut."""

from __future__ import annotations

from dadeum.core.findings import Finding, Severity
from dadeum.data.context import Context

CODE = "DA501"
NAME = "token_length"

MAX_SHARE = 0.01
"""Share of rows over the limit from which this is a warning."""


def check(context: Context) -> list[Finding]:
    lengths = context.lengths
    if lengths is None or context.recipe is None or not lengths.num_dropped + lengths.num_cut:
        return []
    count, total = lengths.num_dropped + lengths.num_cut, context.num_rows + lengths.num_dropped
    values = {
        "share": count / total, "limit": context.recipe.render.max_length_tokens, "dropped": lengths.num_dropped,
        "over": lengths.num_cut, "median": lengths.median, "p95": lengths.p95, "longest": lengths.longest,
    }  # fmt: skip
    severity: Severity = "warn" if count > MAX_SHARE * total else "info"
    return [Finding(CODE, NAME, severity, count, total, values, lengths.rows)]
