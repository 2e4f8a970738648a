"""The report of a run, by its kind of answer; `report_page.py` is the frame that all kinds share."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_json


def write_report(recipe: Recipe, run: Run) -> Path:
    """Write report.html and report.md into the run folder; returns the path of the page.

    A step that has not run leaves its section as "not measured"; a damaged scores.json is a RunError.
    """
    path: Path = _kind(recipe.task.type).write_report(recipe, run)
    return path


def summary_lines(run: Run, language: str) -> list[str]:
    """Three sentences anyone understands: before, after, baseline. RunError when `evaluate` has not run."""
    lines: list[str] = _judged(run).summary_lines(run, language)
    return lines


def verdict_line(run: Run, language: str) -> str:
    """The conclusion in one sentence. RunError when `evaluate` has not run."""
    line: str = _judged(run).verdict_line(run, language)
    return line


def _judged(run: Run) -> ModuleType:
    run.require(run.scores_path, "evaluate")
    return _kind(read_json(run.scores_path).get("task", "decide"))


def _kind(task: str) -> ModuleType:
    return import_module(f"dadeum.evaluation.{'decide' if task == 'decide' else 'answers'}.report")
