"""Facts made ready for the page: what the templates loop over, one function per section.

Templates lay out; here is decided what is shown, how much of it, and how it is drawn.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import SPLITS
from dadeum.core.findings import Finding
from dadeum.core.run import Run
from dadeum.core.words import (
    Html,
    Words,
    finding_title,
    finding_words,
    kinds,
    plain,
    told,
    wording,
    wording_or,
)
from dadeum.evaluation import charts
from dadeum.evaluation.report_facts import Curve, Facts, best_baseline, mistakes, num_judged
from dadeum.evaluation.report_words import say, say_or, short_name
from dadeum.evaluation.scores import Sample, Scores

WORST = 15
DISAGREEMENTS = 8
ORIGINS = 20
ORIGINS_LISTED = 200
LONGEST_TEXT = 400
_SHADES = 9
_KINDS = {"found", "problem", "how", "kind", "empty"}  # fields of a row that hold a kind of fault
_SHA256 = re.compile(r"[0-9a-f]{64}")


# -- findings and rows ------------------------------------------------------------------------------
@dataclass(frozen=True)
class FindingView:
    finding: Finding
    severity: Words
    title: Words
    effect: Words | None
    action: Words | None


def finding_views(facts: Facts) -> list[FindingView]:
    """Findings in the order of the file, which is worst first."""
    return [_finding_view(finding) for finding in facts.findings or []]


def _finding_view(finding: Finding) -> FindingView:
    effect, action = finding_words(finding, "effect"), finding_words(finding, "action")
    return FindingView(finding, wording(f"page.severity.{finding.severity}"), finding_title(finding), effect, action)


def row_fields(row: dict[str, Any]) -> list[tuple[Words, Words]]:
    """What an example row says beside its id and text, named and translated where the names are ours."""
    return [
        (
            say_or(f"fields.{key}", key),
            wording_or(f"page.splits.{value}", str(value)) if key == "split" else _field_value(key, value),
        )
        for key, value in row.items()
        if key not in ("id", "text", "reason", "mark", "part") and value not in (None, "", [])
    ]


def _field_value(key: str, value: Any) -> Words:
    """Kinds of faults have words; what comes from the data stays as it is."""
    return kinds(value) if key in _KINDS else plain(value)


def removal_reason(reason: str) -> Words:
    """The words `data` has for why a row was removed, else the reason as it is."""
    return told(f"data.reason.{reason}", {}) or plain(reason)


def label_rows(facts: Facts) -> list[tuple[str, list[int]]]:
    """Label → rows per built split, in the order of the task, then of appearance."""
    names = dict.fromkeys([*facts.recipe.task.labels, *(name for split in facts.labels.values() for name in split)])
    splits = [split for split in SPLITS if split in facts.labels]
    return [(name, [facts.labels[split].get(name, 0) for split in splits]) for name in names]


# -- charts -----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class CurveView:
    curve: Curve
    label: str
    chart: Html
    averaged: int
    """Logged losses behind one drawn point."""
    num_clipped: int
    """Logged training losses above the end of the axis."""
    result: dict[str, Any]


def curve_views(facts: Facts) -> list[CurveView]:
    titles = (say("learning.axis_steps"), say("learning.axis_loss"))
    views = []
    for index, curve in enumerate(facts.curves):
        label = f"curve-{index + 1}"
        chart = charts.learning_curve(label, curve.train, curve.validation, curve.best, titles)
        averaged = -(-len(curve.train) // max(1, len(charts.thinned(curve.train))))
        top = charts.loss_top(charts.thinned(curve.train), curve.validation)
        num_clipped = sum(loss > top for _, loss in curve.train)
        views.append(CurveView(curve, label, chart, averaged, num_clipped, facts.training.get(curve.stage, {})))
    return views


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


def sample_lists(facts: Facts) -> list[SampleList]:
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


def origin_rows(facts: Facts) -> list[OriginRow]:
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


# -- reproduce --------------------------------------------------------------------------------------
def commands(facts: Facts, run: Run) -> list[str]:
    """What to type, in order, to get this run again."""
    versions = facts.manifest.get("versions") or {}
    pins = [
        f"{name}=={str(installed).partition('+')[0]}"
        for name, installed in versions.items()
        if name not in ("python", "dadeum")
    ]
    revision = str(facts.manifest.get("git_revision") or "").removesuffix("+dirty")
    lines = [f"git checkout {revision}"] if revision else []
    if pins:
        lines.append("python -m pip install " + " ".join(pins))
    lines.append(f"dadeum run {shlex.quote(str(run.recipe_path))}")
    return lines


def hashes(facts: Facts) -> list[tuple[str, str]]:
    """Every sha256 in the manifest outside `steps`, with the path of its key, and the hash of the test rows."""
    found = list(_hashes({key: value for key, value in facts.manifest.items() if key != "steps"}, ""))
    if facts.scores:
        found.append(("data/test.parquet", facts.scores.test_hash))
    return list(dict.fromkeys(found))


def _hashes(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _hashes(item, f"{at} › {key}" if at else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _hashes(item, f"{at} {index + 1}")
    elif isinstance(value, str) and _SHA256.fullmatch(value):
        yield at, value
