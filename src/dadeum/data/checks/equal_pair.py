"""The two answers of a preference pair differ: from equal ones nothing can be preferred, and nothing is learned."""

from __future__ import annotations

from dadeum.core.examples import Example, Turn
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context
from dadeum.data.similar.pairs import folded

CODE = "DA306"
NAME = "equal_pair"

BLOCK_SHARE = 0.5
"""Share of pairs from which one column was copied into the other, and most of the training would be for nothing."""
WARN_SHARE = 0.01
"""Share of pairs from which this is a warning; a few equal samples of one model cost steps and teach nothing wrong."""


def check(context: Context) -> list[Finding]:
    pairs = [row for row, (_, example) in enumerate(context.placed) if example.completion and example.rejected]
    hits = [Hit(row) for row in pairs if _is_equal(context.placed[row][1])]
    share = len(hits) / max(len(pairs), 1)
    severity: Severity = "block" if share > BLOCK_SHARE else "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {"share": share}, len(pairs))


def _is_equal(example: Example) -> bool:
    """But for Unicode form and white space; two blank answers are `empty_field`'s."""
    chosen = _said(example.completion)
    return any(chosen) and chosen == _said(example.rejected)


def _said(turns: list[Turn]) -> list[str]:
    return [folded(turn["content"]) for turn in turns]
