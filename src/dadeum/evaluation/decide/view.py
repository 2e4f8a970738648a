"""Facts about decisions made ready for the page: curves, matrices, errors, origins.

Templates lay out; here is decided what is shown, how much of it, and how it is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dadeum.core.words import Html, Words, plain
from dadeum.evaluation import charts
from dadeum.evaluation.decide.facts import DecideFacts, best_baseline, mistakes, num_judged
from dadeum.evaluation.decide.scores import Sample, Scores
from dadeum.evaluation.report_words import say, short_name

WORST = 15
DISAGREEMENTS = 8
ORIGINS = 20
ORIGINS_LISTED = 200
LONGEST_TEXT = 400
_SHADES = 9


def system_order(scores: Scores) -> list[str]:
    """The tuned model, then baselines from the strongest classical one down to the untuned model."""
    best = best_baseline(scores)
    rank = {"tuned": 0, best: 1}
    return sorted(scores.systems, key=lambda system: rank.get(system, 2))


def curves_of(scores: Scores, kind: str) -> Html | None:
    """ROC (`roc`) or precision-recall (`precision_recall`) lines of all systems that have one."""
    lines = [(system, getattr(scores.systems[system], kind)) for system in system_order(scores)]
    lines = [(system, points) for system, points in lines if points]
    if not lines:
        return None
    titles = (say(f"curves.{kind}_x"), say(f"curves.{kind}_y"))
    chance = "diagonal" if kind == "roc" else str(positive_share(scores))
    return charts.curve(f"chart-{kind}", lines, titles, chance)


def with_curve(scores: Scores) -> list[str]:
    """Systems that have probabilities, and so a curve."""
    return [system for system in system_order(scores) if scores.systems[system].roc]


def positive_share(scores: Scores) -> float:
    """Share of test rows whose gold label is the positive one: the precision of guessing."""
    tuned = scores.systems["tuned"]
    return sum(tuned.confusion[scores.labels.index(scores.positive)]) / max(1, num_judged(tuned))


def reliability_charts(scores: Scores) -> list[tuple[str, Html]]:
    """`before` and `after` temperature scaling; empty when the model was not calibrated."""
    if scores.calibration is None:
        return []
    titles = (say("curves.confidence"), say("curves.share_right"))
    parts = {"before": scores.calibration.before, "after": scores.calibration.after}
    return [(name, charts.reliability(f"chart-reliability-{name}", part.bins, titles)) for name, part in parts.items()]


def shade(count: int, total: int) -> int:
    """0 (no row) to 9 (all rows of this gold label): CSS class of a confusion matrix cell."""
    return 0 if not count or not total else max(1, round(_SHADES * count / total))


# -- errors -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SampleView:
    sample: Sample
    lead: str
    """First line of the text: the subject."""
    rest: str
    cut: int
    """Characters left out of `rest`."""
    said: list[tuple[Words, str, bool]]
    """Every baseline: name, predicted label, whether that was right."""


@dataclass(frozen=True)
class SampleList:
    key: str
    shown: list[SampleView]
    num_all: int


def sample_lists(facts: DecideFacts) -> list[SampleList]:
    """Confident mistakes, rows only the tuned model got right, rows only the best classical baseline got right."""
    if not facts.scores or not facts.samples:
        return []
    found = mistakes(facts.samples, best_baseline(facts.scores))
    lists = [SampleList("worst", _views(found.wrong[:WORST]), len(found.wrong))]
    if found.rival:
        lists.append(SampleList("only_tuned", _views(found.only_tuned[:DISAGREEMENTS]), len(found.only_tuned)))
        lists.append(SampleList("only_rival", _views(found.only_rival[:DISAGREEMENTS]), len(found.only_rival)))
    return lists


def _views(samples: list[Sample]) -> list[SampleView]:
    return [_sample_view(sample) for sample in samples]


def _sample_view(sample: Sample) -> SampleView:
    shown = sample.text[:LONGEST_TEXT]
    lead, _, rest = shown.partition("\n")
    said = [(short_name(system), label, label == sample.label) for system, label in sample.baselines.items()]
    return SampleView(sample, lead, rest, len(sample.text) - len(shown), said)


@dataclass(frozen=True)
class OriginRow:
    name: Words
    num_rows: int
    accuracy: dict[str, float]
    held_out: bool


def origin_rows(facts: DecideFacts) -> list[OriginRow]:
    """Accuracy per origin of the test rows: held-out origins first, then the largest; past 200 the rest as one."""
    held_out = set(facts.recipe.data.split.hold_out)
    found = [
        OriginRow(plain(name), int(values.get("num_rows", 0)), values, name in held_out)
        for name, values in (facts.scores.by_origin if facts.scores else {}).items()
    ]
    found.sort(key=lambda row: (not row.held_out, -row.num_rows, row.name.ko))
    listed, rest = found[:ORIGINS_LISTED], found[ORIGINS_LISTED:]
    return [*listed, _together(rest)] if rest else listed


def _together(rows: list[OriginRow]) -> OriginRow:
    """Many small origins as one row: mean accuracy, each origin weighted by its rows."""
    total = sum(row.num_rows for row in rows)
    systems = [name for name in rows[0].accuracy if name != "num_rows"]
    accuracy = {
        name: sum(row.accuracy.get(name, math.nan) * row.num_rows for row in rows) / max(1, total) for name in systems
    }
    return OriginRow(say("errors.other_origins", num=len(rows)), total, accuracy, False)
