"""Answers say something that the input does not: a copied input teaches a model to be an echo.

A short extract is an answer, and so is a summary that takes a sentence over.
"""

from __future__ import annotations

from collections import Counter

from dadeum.core.examples import Example, answer_of
from dadeum.core.findings import Finding, Hit, Severity
from dadeum.data.context import Context, listed
from dadeum.data.similar.pairs import folded

CODE = "DA305"
NAME = "answer_copied"

MIN_CHARACTERS = 10
"""Shorter answers may well stand in the input: names, dates, "네"."""
MIN_COVERED = 0.6
"""Share of the input that a contained answer covers from which it is the input again and no extract."""
WARN_SHARE = 0.01
"""Share of copied answers from which this is a warning; corrections of already right sentences are rarer than that."""


def check(context: Context) -> list[Finding]:
    hits, kinds, total = [], Counter[str](), 0
    for row, (_, example) in enumerate(context.placed):
        if example.label or not example.completion:
            continue
        total += 1
        if how := _copied(example):
            kinds[how] += 1
            hits.append(Hit(row, found={"copied": how}))
    share = len(hits) / max(total, 1)
    severity: Severity = "warn" if share >= WARN_SHARE else "info"
    return context.finding(CODE, NAME, severity, hits, {"share": share, "kinds": listed(kinds)}, total)


def _copied(example: Example) -> str:
    """`equal`, `part` (the answer is most of the input), `echo` (little more than the input), or nothing."""
    answer = folded(answer_of(example))
    if len(answer) < MIN_CHARACTERS:
        return ""
    for text in _inputs(example):
        if answer == text:
            return "equal"
        if len(answer) >= MIN_COVERED * len(text) and answer in text:
            return "part"
        if len(text) >= MIN_CHARACTERS and len(text) >= MIN_COVERED * len(answer) and text in answer:
            return "echo"
    return ""


def _inputs(example: Example) -> dict[str, None]:
    """The whole input, the last turn of the user, and that turn without the instruction above or below it."""
    turns = [turn["content"] for turn in example.prompt if turn["role"] == "user"]
    asked = turns[-1].strip() if turns else ""
    texts = (asked, asked.partition("\n")[2], asked.rpartition("\n")[0], example.text)
    return dict.fromkeys(folded(text) for text in texts if text)
