"""The report of retrieval: figures beside BM25, how words and meaning were joined, and the questions themselves."""

from __future__ import annotations

from pathlib import Path

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run
from dadeum.evaluation.report_page import frame, write_pages
from dadeum.evaluation.report_words import say
from dadeum.evaluation.retrieve import view, words
from dadeum.evaluation.retrieve.facts import read_facts, read_scores
from dadeum.evaluation.retrieve.scores import MAIN
from dadeum.evaluation.retrieve.verdict import BESIDE, headline, judge, three_lines

__all__ = ["headline", "read_scores", "three_lines", "write_report"]

SECTIONS = ("verdict", "data", "learning", "systems", "hybrid", "parts", "questions", "cost", "reproduce")


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md; a step that has not run leaves its section as "not measured"."""
    facts = read_facts(recipe, run)
    scores = facts.scores
    context = frame(facts, run, {section: say(f"sections.{section}") for section in SECTIONS}) | {
        "scores": scores,
        "verdict": judge(facts),
        "order": view.system_order(scores) if scores else [],
        "num_test": sum(scores.judged_by.values()) if scores else 0,
        "main": words.metric_name(MAIN),
        "beside": words.metric_name(BESIDE),
        "inference_heading": "retrieve.cost_heading",
        "inference_caption": "retrieve.cost_caption",
    }
    return write_pages("dadeum.evaluation.retrieve", run, context, {"a": view, "f": words})
