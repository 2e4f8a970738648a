"""Questions do not give their answer away: they neither say it, nor copy the chunk, nor are all answered by yes.

A copied question is found by its letters: BM25 wins on it, and figures of such questions say nothing of real ones.
"""

from __future__ import annotations

from collections import Counter

from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed
from dadeum.data.texts.asked import Asked
from dadeum.data.texts.questions import copied_letters, says_its_answer, yes_or_no

CODE = "DA603"
NAME = "leading_questions"

MIN_COPIED = 12
"""Letters and digits in a row; shorter runs are names of things."""
COPIED_SHARE = 0.6
"""Share of a question's letters that stand in the chunk in one run from which it is copied; of 600 questions that
people asked of a welfare set, 0.3 % are."""
MIN_YES_NO = 10
"""Questions of yes or no from which it can be said that one answer is always right."""
ALWAYS = 0.95
WARN_SHARE = 0.05
"""Share of leading questions from which this is a warning; people ask some, too."""
MAX_ROWS = 20_000


def check(context: Context) -> list[Finding]:
    by_row = {asked.row: asked for asked in context.asked}
    asked = [by_row[row] for row in context.sample(list(by_row), MAX_ROWS)]
    always = _always(asked)
    kinds = {one.row: how for one in asked if (how := _leading(one) or always.get(one.row, ""))}
    share = len(kinds) / max(len(asked), 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    hits = [Hit(row, found={"leading": how}) for row, how in kinds.items()]
    values = {"share": share, "kinds": listed(Counter(kinds.values()))}
    return context.finding(CODE, NAME, severity, hits, values, len(asked))


def _leading(asked: Asked) -> str:
    """`answer_inside`, `copied`, or nothing."""
    if asked.answer and says_its_answer(asked.question, asked.answer):
        return "answer_inside"
    for chunk in asked.chunks:
        copied, letters = copied_letters(asked.question, chunk.text)
        if copied >= MIN_COPIED and copied >= COPIED_SHARE * letters:
            return "copied"
    return ""


def _always(asked: list[Asked]) -> dict[int, str]:
    """Rows of yes or no, where one of the two is nearly always right."""
    said = {one.row: kind for one in asked if (kind := yes_or_no(one.answer))}
    most = Counter(said.values()).most_common(1)
    if len(said) < MIN_YES_NO or most[0][1] < ALWAYS * len(said):
        return {}
    return {row: f"always_{kind}" for row, kind in said.items() if kind == most[0][0]}
