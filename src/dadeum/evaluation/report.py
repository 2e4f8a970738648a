"""The report of a run: report.html for a manager and an engineer, report.md for a pull request.

The page is one file that loads nothing: both languages, style, charts and script stand in it. Everything
that comes from data is escaped, and a content security policy keeps the page from running anything else.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from dadeum.core.pages import environment
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, write_text
from dadeum.core.words import Words
from dadeum.evaluation import charts, report_cost, report_view, report_words
from dadeum.evaluation.report_facts import Facts, best_baseline, num_judged, num_right, read_facts, read_scores
from dadeum.evaluation.report_words import say
from dadeum.evaluation.scores import Scores
from dadeum.evaluation.verdict import headline, judge, three_lines

SECTIONS = ("verdict", "data", "learning", "systems", "curves", "generation", "errors", "cost", "reproduce")


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md into the run folder; returns the path of the page.

    A step that has not run leaves its section as "not measured"; a damaged scores.json is a RunError.
    """
    context = _context(read_facts(recipe, run), run)
    path = run.folder / "report.html"
    write_text(path, _environment(autoescape=True).get_template("report.html.j2").render(context))
    write_text(run.folder / "report.md", _environment(autoescape=False).get_template("report.md.j2").render(context))
    return path


def summary_lines(run: Run, language: str) -> list[str]:
    """Three sentences anyone understands: before, after, baseline. RunError when `evaluate` has not run."""
    return [line.get(language) for line in three_lines(_required_scores(run))]


def verdict_line(run: Run, language: str) -> str:
    """The conclusion in one sentence. RunError when `evaluate` has not run."""
    return headline(_required_scores(run)).get(language)


def _required_scores(run: Run) -> Scores:
    run.require(run.scores_path, "evaluate")
    scores = read_scores(run)
    assert scores is not None
    return scores


# -- the page -------------------------------------------------------------------------------------
@cache
def _environment(autoescape: bool) -> Environment:
    made = environment("dadeum.evaluation", "report", "report", autoescape)
    made.globals |= {"r": report_words, "v": report_view, "cost": report_cost, "charts": charts}
    made.globals |= {"num_right": num_right, "num_judged": num_judged}
    made.filters["cell"] = _markdown_cell
    return made


def _context(facts: Facts, run: Run) -> dict[str, Any]:
    scores = facts.scores
    return {
        "name": facts.recipe.name,
        "kind": say("header.kind"),
        "sections": {section: say(f"sections.{section}") for section in SECTIONS},
        "facts": facts,
        "recipe": facts.recipe,
        "manifest": facts.manifest,
        "scores": scores,
        "verdict": judge(facts),
        "rival": best_baseline(scores) if scores else None,
        "order": report_view.system_order(scores) if scores else [],
        "run_folder": str(run.folder),
        "commands": report_view.commands(facts, run),
    }


_MARKDOWN = {"\\": "\\\\", "&": "&amp;", "<": "&lt;", ">": "&gt;"} | {mark: f"\\{mark}" for mark in "|`[*~"}


def _markdown_cell(value: object) -> str:
    """Text from data inside a Markdown table: no markup, no new cell, no new line."""
    said = value.ko if isinstance(value, Words) else str(value)
    for character, written in _MARKDOWN.items():
        said = said.replace(character, written)
    return " ".join(said.split())
