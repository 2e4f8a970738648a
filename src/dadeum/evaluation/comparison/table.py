"""The tables of a comparison, made ready once for terminal, page and Markdown: which run, at what cost, how good.

Runs stand in the order of the main figure, the best first; baselines that cost nothing stand below them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dadeum.core.measured import Measured
from dadeum.core.words import MISSING, Words, duration, number, percent, plain, wording, wording_or
from dadeum.evaluation.answers.words import change, figure, figure_interval, metric_name
from dadeum.evaluation.comparison.entrants import Cost
from dadeum.evaluation.comparison.several import AgainstBest, Baseline, Comparison
from dadeum.evaluation.report_words import interval, p_value, system_name
from dadeum.evaluation.retrieve.words import metric_name as of_rankings

Kind = Literal["chosen", "equal", "worse", "baseline"]


@dataclass(frozen=True)
class Cell:
    said: Words
    small: Words | None = None
    """What stands under it in smaller letters, such as an interval."""

    def __str__(self) -> str:
        return self.get("ko")

    def get(self, language: str) -> str:
        """In one line."""
        small = f" ({self.small.get(language)})" if self.small else ""
        return self.said.get(language) + small


@dataclass(frozen=True)
class Row:
    name: Words
    kind: Kind
    cells: list[Cell]


@dataclass(frozen=True)
class Grid:
    columns: list[Words]
    """Of the cells; the name of a row has no heading of its own."""
    rows: list[Row]


def name_of(metric: str) -> Words:
    """`macro_f1` → Macro F1: figures of decisions have their names here, those of free answers in `evaluate`."""
    if "@" in metric:
        return of_rankings(metric)
    own = wording_or(f"compare.figure.{metric}", "")
    return own if own.ko else metric_name(metric)


def order(found: Comparison) -> list[int]:
    """Places of the runs, the best main figure first."""
    sign = 1 if found.metrics[found.main] == "higher" else -1
    return sorted(range(len(found.entrants)), key=lambda place: -sign * found.entrants[place].figures[found.main].value)


def kind_of(found: Comparison, place: int) -> Kind:
    if place == found.choice.chosen:
        return "chosen"
    return "equal" if place in found.choice.equals else "worse"


# -- three tables ---------------------------------------------------------------------------------
def overview(found: Comparison) -> Grid:
    """Method, cost and the main figure of every run, and what the baselines get."""
    heads = ("main", "difference", "method", "adapter", "trained", "memory", "training", "answering", "model")
    columns = [wording(f"compare.column.{head}", name=name_of(found.main)) for head in heads]
    rows = [
        Row(plain(found.entrants[place].name), kind_of(found, place), _overview(found, place)) for place in order(found)
    ]
    for baseline in found.baselines:
        cells = [Cell(plain(MISSING))] * len(columns)
        cells[0] = measured(found.main, baseline.figures)
        rows.append(Row(baseline_name(found, baseline), "baseline", cells))
    return Grid(columns, rows)


def _overview(found: Comparison, place: int) -> list[Cell]:
    each = found.entrants[place]
    return [
        measured(found.main, each.figures),
        _difference(found.main, found.against_best[place]),
        Cell(plain(each.method)),
        Cell(plain(each.adapter)),
        *_costs(each.cost),
        Cell(plain(each.base)),
    ]


def figures(found: Comparison) -> Grid:
    """Every figure with its interval."""

    def cells(of: Mapping[str, Measured]) -> list[Cell]:
        return [measured(metric, of) for metric in found.metrics]

    rows = [
        Row(plain(found.entrants[place].name), kind_of(found, place), cells(found.entrants[place].figures))
        for place in order(found)
    ]
    rows += [Row(baseline_name(found, each), "baseline", cells(each.figures)) for each in found.baselines]
    arrows = {"higher": " ↑", "lower": " ↓", "neither": ""}
    heads = [(name_of(metric), arrows[better]) for metric, better in found.metrics.items()]
    return Grid([Words(name.ko + arrow, name.en + arrow) for name, arrow in heads], rows)


def writing(found: Comparison) -> Grid | None:
    """How each run wrote its answers, by the names of the recipe, or searched; None for decisions."""
    if not any(each.generation for each in found.entrants):
        return None
    settings = list(dict.fromkeys(name for each in found.entrants for name in each.generation))
    rows = [
        Row(
            plain(found.entrants[place].name),
            kind_of(found, place),
            [Cell(plain(found.entrants[place].generation.get(name, MISSING))) for name in settings],
        )
        for place in order(found)
    ]
    return Grid([plain(name) for name in settings], rows)


# -- cells ----------------------------------------------------------------------------------------
def baseline_name(found: Comparison, baseline: Baseline) -> Words:
    """An untuned model is named with its base; runs are named where a baseline was not the same for all."""
    name = system_name(baseline.system)
    notes = [baseline.entrants[0].base] if baseline.system.startswith("base_") else []
    alike = sum(one.system == baseline.system for one in found.baselines)
    if alike > 1 and not (
        notes and len({one.entrants[0].base for one in found.baselines if one.system == baseline.system}) == alike
    ):
        notes.append(", ".join(each.name for each in baseline.entrants))
    note = f" ({'; '.join(notes)})" if notes else ""
    return Words(name.ko + note, name.en + note)


def measured(metric: str, of: Mapping[str, Measured]) -> Cell:
    """0.312 with its interval under it; in words where nobody measured it."""
    if metric not in of:
        return unknown()
    ends = figure_interval(metric, of[metric])
    return Cell(plain(figure(metric, of[metric].value)), None if ends.ko == MISSING else ends)


def unknown() -> Cell:
    return Cell(wording("compare.not_measured"))


def _difference(metric: str, against: AgainstBest | None) -> Cell:
    if against is None:
        return Cell(wording("compare.best"))
    if math.isnan(against.pair.value):
        return unknown()
    ends = change_interval(metric, against)
    mark = "worse" if against.is_sure else "equal" if against.p_holm is not None else "undecided"
    p = plain(MISSING if against.p_holm is None else p_value(against.p_holm))
    value = change(metric, against.pair.value)
    return Cell(wording(f"compare.mark.{mark}", value=value), wording("compare.ends_and_p", ends=ends, p=p))


def change_interval(metric: str, against: AgainstBest) -> Words:
    pair = against.pair
    ends = Measured(value=pair.value, low=pair.low, high=pair.high)
    return interval(change(metric, pair.low), change(metric, pair.high), ends, "units.signed_interval")


def _costs(cost: Cost) -> list[Cell]:
    share: Any = cost.num_trainable / cost.num_parameters if cost.num_trainable and cost.num_parameters else None
    trained = unknown() if cost.num_trainable is None else Cell(plain(number(cost.num_trainable)))
    if share is not None:
        trained = Cell(
            trained.said, wording("compare.of_all", share=percent(share, 2), total=number(cost.num_parameters))
        )
    return [
        trained,
        unknown() if cost.peak_memory_mb is None else Cell(plain(f"{cost.peak_memory_mb / 1024:.2f} GiB")),
        unknown() if cost.training_seconds is None else Cell(duration(cost.training_seconds)),
        unknown() if cost.seconds_per_row is None else Cell(plain(seconds(cost.seconds_per_row))),
    ]


def seconds(value: float) -> str:
    """Of one answer: 0.0123 s, 1.2 s; three digits that count."""
    return f"{value:.3g} s"
