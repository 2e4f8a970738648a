"""There are enough different questions to learn from, and to tell two models apart by."""

from __future__ import annotations

from dadeum.core.findings import Finding, Hit
from dadeum.data.context import Context
from dadeum.data.texts.questions import bare

CODE = "DA604"
NAME = "few_questions"

ADVISED = 100
"""Different questions; 100 to 500 are advised for a first tuning."""
MIN_TEST = 20
"""Test questions; with 20, a share of one half is known to 22 points at best (95 %)."""


def check(context: Context) -> list[Finding]:
    asked = context.asked
    distinct = {bare(one.question) for one in asked}
    test = [one for one in asked if one.split == "test"]
    few_test = len(test) < MIN_TEST and (bool(test) or context.recipe is not None)
    if not asked or (len(distinct) >= ADVISED and not few_test):
        return []
    values = {"distinct": len(distinct), "advised": ADVISED, "test": len(test), "least": MIN_TEST}
    concerned = asked if len(distinct) < ADVISED or not test else test
    return context.finding(CODE, NAME, "warn", [Hit(one.row) for one in concerned], values, len(asked))
