"""What an answer says stands in the chunks that it names: its numbers by value, and half of its nouns at least.

An answer that does not teaches a model to make things up, or names the wrong chunk.
"""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.core.morphemes import morphemes
from dadeum.data.context import Context, short
from dadeum.data.texts.asked import Asked
from dadeum.data.texts.questions import Support, support

CODE = "DA602"
NAME = "unsupported_answers"

WARN_SHARE = 0.02
"""Share of answers from which this is a warning; a check by words is wrong about right answers now and then."""
MAX_ROWS = 5_000
"""Answers looked at unless `full`: Kiwi reads 90,000 characters a second."""
_BLOCK = 256
_SHOWN = 5


def check(context: Context) -> list[Finding]:
    answered = {asked.row: asked for asked in context.asked if asked.answer.strip() and asked.chunks}
    rows = context.sample(list(answered), MAX_ROWS)
    lacking: list[tuple[Asked, Support]] = []
    for start in range(0, len(rows), _BLOCK):
        block = [answered[row] for row in rows[start : start + _BLOCK]]
        morphemes([text for asked in block for text in (asked.answer, asked.question)])  # all in one go
        found = [(asked, support(asked.question, asked.answer, asked.source)) for asked in block]
        lacking += [(asked, said) for asked, said in found if said.is_lacking]
    lacking.sort(key=lambda one: (not one[1].numbers, -one[1].missing_share, one[0].row))
    hits = [_hit(asked, said) for asked, said in lacking]
    share = len(hits) / max(len(rows), 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    values = {"share": share, "numbers": sum(bool(said.numbers) for _, said in lacking)}
    return context.finding(CODE, NAME, severity, hits, values, len(rows))


def _hit(asked: Asked, said: Support) -> Hit:
    """The whole row, with what no chunk says; the worst rows come first."""
    return Hit(asked.row, found={"unsaid": short(", ".join([*said.numbers, *said.words][:_SHOWN]))})
