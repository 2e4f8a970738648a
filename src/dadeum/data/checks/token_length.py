"""Rows that are longer than the token limit: left out, cut, or still too long."""

from __future__ import annotations

from statistics import median_low

from dadeum.core.findings import Finding, Severity
from dadeum.data.context import Context, shown

CODE = "DA501"
NAME = "token_length"

MAX_SHARE = 0.01
"""Share of rows over the limit from which this is a warning."""


def check(context: Context) -> list[Finding]:
    lengths = [row.prompt_tokens + row.answer_tokens for row in context.fitted]
    limit = context.recipe.render.max_length_tokens
    found = [
        (split, example, {"tokens": length})
        for (split, example), row, length in zip(context.placed, context.fitted, lengths, strict=False)
        if row.example is None or row.was_cut
    ]
    over = max(context.num_cut, len(found))
    count, total = context.num_dropped + over, context.num_rows + context.num_dropped
    if not lengths or not count:
        return []
    ordered = sorted(lengths)
    values = {
        "share": count / total, "limit": limit, "dropped": context.num_dropped, "over": over,
        "median": median_low(ordered), "p95": ordered[int(0.95 * (len(ordered) - 1))], "longest": ordered[-1],
    }  # fmt: skip
    severity: Severity = "warn" if count > MAX_SHARE * total else "info"
    return [Finding(CODE, NAME, severity, count, total, values, shown(found))]
