"""Figures of a run as a card shows them, whatever the task: systems beside each other, each with its interval.

Reads evaluation/scores.json by shape, not by task: every `{"value", "low", "high"}` of a system is a figure of it.
"""

from __future__ import annotations

import math
from typing import Any

from dadeum.core.messages import catalogue, text
from dadeum.core.run import Run, read_json

Figure = dict[str, float]
_OF_RETRIEVAL = ("mrr@10", "recall@1", "recall@3", "recall@5", "recall@10", "ndcg@10", "map@10")
"""The first table of the report; the others say the same of questions with one right chunk."""


def read_figures(run: Run) -> dict[str, dict[str, Figure]]:
    """system → metric → value with interval, but for what nobody could measure; empty where the run was not judged."""
    if not run.scores_path.exists():
        return {}
    scores = read_json(run.scores_path)
    found = {system: _figures_of(of_system) for system, of_system in scores["systems"].items()}
    if scores.get("task") != "retrieve":
        return found
    return {name: {each: of[each] for each in _OF_RETRIEVAL if each in of} for name, of in found.items()}


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
    said = [text("export.card.systems", language)]
    if "before" in systems:
        said.append(text("export.card.before", language))
    scores = read_json(run.scores_path)
    if "served" in scores:
        values = {"served": scores["served"], "weight": f"{scores['hybrid_weight']:g}"}
        said.append(text("export.retrieve.systems", language, **values))
        said.append(text(f"export.retrieve.verdict_{scores['verdict']}", language))
    if kinds := (scores.get("grounded") or {}).get("num_kinds"):
        counted = {kind: kinds.get(kind, 0) for kind in ("answerable", "missed", "unanswerable")}
        said.append(text("export.retrieve.kinds", language, **counted))
    return "\n".join(lines) + "\n\n" + "\n".join(said)


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
