"""The report of free answers: figures beside baselines, people in danger, the judge, and the answers themselves."""

from __future__ import annotations

from pathlib import Path

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.answers import finishing_view, view, words
from dadeum.evaluation.answers.facts import read_facts, read_scores
from dadeum.evaluation.answers.verdict import headline, judge, three_lines
from dadeum.evaluation.cautions import notice_words
from dadeum.evaluation.report_page import frame, write_pages
from dadeum.evaluation.report_words import say

__all__ = ["headline", "read_scores", "three_lines", "write_report"]

SECTIONS = ("verdict", "data", "learning", "systems", "finishing", "crisis", "judge", "answers", "cost", "reproduce")


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md; a step that has not run leaves its section as "not measured"."""
    facts = read_facts(recipe, run)
    scores = facts.scores
    shown = [section for section in SECTIONS if section != "finishing" or (scores and scores.finishing)]
    context = frame(facts, run, {section: say(f"sections.{section}") for section in shown}) | {
        "scores": scores,
        "verdict": judge(facts),
        "order": view.system_order(scores) if scores else [],
        "num_test": scores.num_answered if scores else 0,
        "inference_heading": "answers.cost_heading",
        "inference_caption": "answers.cost_caption",
    }
    more = {"a": view, "f": words, "gains": finishing_view, "notice_words": notice_words}
    return write_pages("dadeum.evaluation.answers", run, context, more)
