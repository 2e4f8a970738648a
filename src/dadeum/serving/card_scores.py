"""Figures of a run as a card shows them, whatever the task: systems beside each other, each with its interval.

Reads evaluation/scores.json by shape, not by task: every `{"value", "low", "high"}` of a system is a figure of it.
"""

from __future__ import annotations

import math
from typing import Any

from dadeum.core.messages import catalogue, text
from dadeum.core.run import Run, read_json

Figure = dict[str, float]


def read_figures(run: Run) -> dict[str, dict[str, Figure]]:
    """system → metric → value with interval, but for what nobody could measure; empty where the run was not judged."""
    if not run.scores_path.exists():
        return {}
    systems = read_json(run.scores_path)["systems"]
    return {system: _figures_of(scores) for system, scores in systems.items()}


def _figures_of(scores: dict[str, Any]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for metric, value in scores.items():
        if not isinstance(value, dict):
            continue
        if {"value", "low", "high"} <= value.keys():
            if isinstance(value["value"], int | float) and math.isfinite(value["value"]):
                found[metric] = value
        elif metric == "metrics":
            found |= _figures_of(value)
    return found


def score_table(run: Run, language: str) -> str | None:
    """A row per figure and a column per system, `tuned` first; None where nothing was measured."""
    figures = read_figures(run)
    metrics = list(dict.fromkeys(metric for of_system in figures.values() for metric in of_system))
    if not metrics:
        return None
    systems = sorted(figures, key=lambda system: system != "tuned")
    lines = [f"| | {' | '.join(systems)} |", "|---|" + "---:|" * len(systems)]
    for metric in metrics:
        cells = [_cell(figures[system].get(metric)) for system in systems]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{text('export.card.systems', language)}"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    low, high = figure.get("low"), figure.get("high")
    interval = "" if low is None or high is None else f" ({low:.3f} – {high:.3f})"
    return f"{figure['value']:.3f}{interval}"


def warnings_of(run: Run, language: str) -> list[str]:
    """What limits the figures, in the words of the evaluation."""
    if not run.scores_path.exists():
        return []
    warnings = read_json(run.scores_path).get("warnings", [])
    known = catalogue(language)
    return [text(found["key"], language, **found.get("values", {})) for found in warnings if found["key"] in known]
