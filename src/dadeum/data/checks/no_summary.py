"""A summary is shorter than its dialogue, and no copy of how the dialogue begins: else nothing is summarised.

`answer_copied` looks for answers that are most of the input; a first sentence that was taken over is not.
"""

from __future__ import annotations

import re
from collections import Counter

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.korean import MASK
from dadeum.data.context import Context, listed

CODE = "DA308"
NAME = "no_summary"

MIN_CHARACTERS = 10
"""Letters and digits of a copied beginning; less may be a name or a greeting."""
WARN_SHARE = 0.02
"""Share of rows from which this is a warning; no human DialogSum-Ko summary (600) exceeds 0.71 of its dialogue."""
_NO_WORD = re.compile(r"[\W_]+")
_SPEAKER = re.compile(r"^[^\s:：]{1,20}\s?[:：]\s*", re.MULTILINE)


def check(context: Context) -> list[Finding]:
    if context.task != "summarize":
        return []
    hits, kinds, total = [], Counter[str](), 0
    for row, (_, example) in enumerate(context.placed):
        if not answer_of(example).strip() or not example.text.strip():
            continue  # `empty_field`'s
        total += 1
        if how := _problem(example):
            kinds[how] += 1
            hits.append(Hit(row, found={"problem": how}))
    share = len(hits) / max(total, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {"share": share, "kinds": listed(kinds)}, total)


def _problem(example: Example) -> str:
    """`longer` (at least as long as the dialogue), `beginning` (the dialogue begins so), or nothing."""
    summary = answer_of(example)
    if len(summary.strip()) >= len(example.text.strip()):
        return "longer"
    begins = _bare(_SPEAKER.sub("", example.text))
    copies = (_bare(_SPEAKER.sub("", summary)), _bare(MASK.sub("", summary)))
    return "beginning" if any(len(text) >= MIN_CHARACTERS and begins.startswith(text) for text in copies) else ""


def _bare(text: str) -> str:
    """Without spaces, signs and line ends."""
    return _NO_WORD.sub("", text)
