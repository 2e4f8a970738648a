"""The report of a run, by its kind of answer; `report_page.py` is the frame that all kinds share."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md into the run folder; returns the path of the page.

    A step that has not run leaves its section as "not measured"; a damaged scores.json is a RunError.
    """
    path: Path = _kind(recipe.task.type).write_report(recipe, run)
    return path


def summary_lines(run: Run, language: str) -> list[str]:
    """Three sentences anyone understands: before, after, baseline. RunError when `evaluate` has not run.

    After them a line for what else was looked at: beginnings of answers, what a repair cost, general ability.
    """
    kind, scores = _judged(run)
    more = kind.more_lines(scores) if hasattr(kind, "more_lines") else []
    return [line.get(language) for line in [*kind.three_lines(scores), *more]]


def verdict_line(run: Run, language: str) -> str:
    """The conclusion in one or two sentences. RunError when `evaluate` has not run."""
    kind, scores = _judged(run)
    line: str = kind.headline(scores).get(language)
    return line


def _judged(run: Run) -> tuple[ModuleType, Any]:
    """The report module of a run that was evaluated, and its scores."""
    run.require(run.scores_path, "evaluate")
    kind = _kind(read_json(run.scores_path).get("task", "decide"))
    return kind, kind.read_scores(run)


def _kind(task: str) -> ModuleType:
    return import_module(f"dadeum.evaluation.{task if task in ('decide', 'retrieve') else 'answers'}.report")
