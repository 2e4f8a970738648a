"""The report of a decision: confusion matrices, curves, calibration, and the rows that were decided wrongly."""

from __future__ import annotations

from pathlib import Path

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.decide import view
from dadeum.evaluation.decide.facts import best_baseline, num_judged, num_right, read_facts, read_scores
from dadeum.evaluation.decide.verdict import headline, judge, three_lines
from dadeum.evaluation.report_page import frame, write_pages
from dadeum.evaluation.report_words import say

__all__ = ["headline", "read_scores", "three_lines", "write_report"]

SECTIONS = ("verdict", "data", "learning", "systems", "curves", "generation", "errors", "cost", "reproduce")


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md; a step that has not run leaves its section as "not measured"."""
    facts = read_facts(recipe, run)
    scores = facts.scores
    context = frame(facts, run, {section: say(f"sections.{section}") for section in SECTIONS}) | {
        "scores": scores,
        "verdict": judge(facts),
        "rival": best_baseline(scores) if scores else None,
        "order": view.system_order(scores) if scores else [],
        "num_test": num_judged(scores.systems["tuned"]) if scores else 0,
        "inference_heading": "cost.inference_heading",
        "inference_caption": "cost.inference_caption",
    }
    more = {"d": view, "num_right": num_right, "num_judged": num_judged}
    return write_pages("dadeum.evaluation.decide", run, context, more)
