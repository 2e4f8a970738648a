"""The frame of a report: report.html for a manager and an engineer, report.md for a pull request.

The page is one file that loads nothing: both languages, style, charts and script stand in it. Everything
that comes from data is escaped, and a content security policy keeps the page from running anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadeum.core.pages import environment
from dadeum.core.run import Run, write_text
from dadeum.core.words import Words
from dadeum.evaluation import charts, report_cost, report_view, report_watch, report_words
from dadeum.evaluation.report_facts import Facts
from dadeum.evaluation.report_words import say

if TYPE_CHECKING:
    from jinja2 import Environment


def write_pages(package: str, run: Run, context: Mapping[str, Any], more: Mapping[str, Any]) -> Path:
    """Write report.html and report.md into the run folder; returns the path of the page.

    `package` holds the sections and the Markdown of its task over the shared templates; `more` are names for them.
    """
    path = run.folder / "report.html"
    write_text(path, _environment(package, more, True).get_template("report.html.j2").render(context))
    markdown = _environment(package, more, False).get_template("report.md.j2").render(context)
    write_text(run.folder / "report.md", markdown)
    return path


def _environment(package: str, more: Mapping[str, Any], autoescape: bool) -> Environment:
    from jinja2 import ChoiceLoader, PackageLoader

    made = environment("dadeum.evaluation", "report", "report", autoescape)
    assert made.loader is not None
    made.loader = ChoiceLoader([PackageLoader(package, "templates"), made.loader])
    made.globals |= {"r": report_words, "v": report_view, "cost": report_cost, "charts": charts, "watch": report_watch}
    made.globals |= dict(more)
    made.filters["cell"] = _markdown_cell
    return made


def frame(facts: Facts, run: Run, sections: Mapping[str, Words]) -> dict[str, Any]:
    """What every report shows around its own sections."""
    return {
        "name": facts.recipe.name,
        "kind": say("header.kind"),
        "sections": sections,
        "facts": facts,
        "recipe": facts.recipe,
        "manifest": facts.manifest,
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
