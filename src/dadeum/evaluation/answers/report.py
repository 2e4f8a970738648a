"""The report of free answers: figures beside baselines, people in danger, the judge, and the answers themselves."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation import report_words
from dadeum.evaluation.answers import (
    ability_view,
    finishing_view,
    grounded_view,
    regression_view,
    repair,
    starts_view,
    summary_view,
    view,
    words,
)
from dadeum.evaluation.answers.facts import read_facts, read_scores
from dadeum.evaluation.answers.repair import more_lines
from dadeum.evaluation.answers.verdict import headline, judge, three_lines
from dadeum.evaluation.cautions import notice_words
from dadeum.evaluation.report_page import frame, write_pages
from dadeum.evaluation.report_words import say

__all__ = ["headline", "more_lines", "read_scores", "three_lines", "write_report"]

SECTIONS = (
    "verdict", "data", "learning", "starts", "regression", "ability", "grounded", "systems", "finishing", "crisis",
    "judge", "answers", "cost", "reproduce",
)  # fmt: skip
_WHERE_MEASURED = ("starts", "regression", "ability", "finishing")
"""Sections of what only some recipes ask for."""
_OF_ONE_FAMILY = {"crisis": "answers", "grounded": "grounded"}
"""Section → the kind of answers that has it."""


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md; a step that has not run leaves its section as "not measured"."""
    facts = read_facts(recipe, run)
    scores = facts.scores
    task = recipe.task.type
    family = words.family(task)
    shown = [section for section in SECTIONS if section not in _WHERE_MEASURED or getattr(scores, section, None)]
    shown = [section for section in shown if _OF_ONE_FAMILY.get(section, family) == family]
    context = frame(facts, run, {section: say(f"sections.{section}") for section in shown}) | {
        "scores": scores,
        "verdict": judge(facts),
        "order": view.system_order(scores) if scores else [],
        "num_test": scores.num_answered if scores else 0,
        "wording": family,
        "inference_heading": "answers.cost_heading",
        "inference_caption": "answers.cost_caption",
    }
    more: dict[str, Any] = {
        "a": view,
        "f": words,
        "s": summary_view,
        "g": grounded_view,
        "gains": finishing_view,
        "repair": repair,
        "begun": starts_view,
        "held": regression_view,
        "known": ability_view,
        "notice_words": notice_words,
    }
    more["r"] = _named_for(task)
    return write_pages("dadeum.evaluation.answers", run, context, more)


def _named_for(task: str) -> SimpleNamespace:
    """`report_words` as templates know it, with the names that systems have in this task."""
    return SimpleNamespace(
        **vars(report_words)
        | {"system_name": partial(words.system_name, task), "short_name": partial(words.short_name, task)}
    )
