"""Facts made ready for the page, whatever the task: what the templates loop over, one function per section.

Templates lay out; here is decided what is shown, how much of it, and how it is drawn.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dadeum.core.examples import SPLITS
from dadeum.core.findings import Finding
from dadeum.core.run import Run
from dadeum.core.task import Decide
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
from dadeum.evaluation.report_facts import Curve, Facts
from dadeum.evaluation.report_words import say, say_or

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
    task = facts.recipe.task
    of_task = task.labels if isinstance(task, Decide) else ()
    names = dict.fromkeys([*of_task, *(name for split in facts.labels.values() for name in split)])
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


def hashes(facts: Facts, test_hash: str | None) -> list[tuple[str, str]]:
    """Every sha256 in the manifest outside `steps`, with the path of its key, and the hash of the test rows."""
    found = list(_hashes({key: value for key, value in facts.manifest.items() if key != "steps"}, ""))
    if test_hash:
        found.append(("data/test.parquet", test_hash))
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
