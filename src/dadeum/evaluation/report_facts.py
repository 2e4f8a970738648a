"""What a run folder knows, read once for the report. A part that no step has written is None: "not measured".

Counts come from the files themselves where they can (splits, removed rows), so that the report checks the
manifest instead of repeating it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from dadeum.core.errors import RunError
from dadeum.core.examples import SPLITS
from dadeum.core.findings import Finding, read_findings
from dadeum.core.recipe import Recipe
from dadeum.core.run import Run, read_jsonl
from dadeum.evaluation.charts import Point

EXAMPLES_PER_REASON = 3


@dataclass(frozen=True)
class Removed:
    """Rows that one reason took out of the data."""

    reason: str
    count: int
    examples: list[dict[str, Any]]
    """Up to three, in file order: id, source, origin, text, label, reason, detail."""


@dataclass(frozen=True)
class Curve:
    """Losses of one stage over optimizer steps."""

    stage: str
    train: list[Point]
    validation: list[Point]
    best: Point | None
    num_not_finite: int
    """Logged losses that were NaN or infinite, and are not drawn."""


@dataclass(frozen=True)
class Facts:
    """Everything the report says, before it is said."""

    recipe: Recipe
    recipe_text: str
    manifest: dict[str, Any]
    splits: dict[str, int]
    """Rows per split; a split that was not built is absent."""
    labels: dict[str, dict[str, int]]
    """Rows per split and label, commonest label first; no label where the task has none."""
    rows_in: int | None
    removed: list[Removed] | None
    findings: list[Finding] | None
    curves: list[Curve]
    looks: dict[str, list[dict[str, Any]]]
    """Stage → rows of the log in which training looked at how answers begin."""

    @property
    def training(self) -> dict[str, dict[str, Any]]:
        """Result of each trained stage."""
        return _mapping(self.manifest.get("training"))

    @property
    def num_removed(self) -> int:
        return sum(item.count for item in self.removed or [])

    @property
    def num_used(self) -> int:
        return sum(self.splits.values())


def read_run(recipe: Recipe, run: Run) -> Facts:
    """Everything but what `evaluate` wrote; RunError when a file is damaged."""
    manifest = run.manifest()
    data = _mapping(manifest.get("data"))
    splits, labels = _splits(run)
    return Facts(
        recipe=recipe,
        recipe_text=run.recipe_path.read_text(encoding="utf-8"),
        manifest=manifest,
        splits=splits or {name: num for name, num in _mapping(data.get("used")).items() if isinstance(num, int)},
        labels=labels,
        rows_in=data.get("rows_in") if isinstance(data.get("rows_in"), int) else None,
        removed=_removed(run.split_path("removed")),
        findings=read_findings(run.findings_path) if run.findings_path.exists() else None,
        curves=read_curves(run.metrics_path, _mapping(manifest.get("training"))),
        looks=_looks(run.metrics_path),
    )


@contextmanager
def damaged_scores(run: Run) -> Iterator[None]:
    """A scores.json of another shape becomes a RunError that names the file and what to do."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise RunError("report.errors_read.damaged", path=run.scores_path, detail=detail) from error


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _splits(run: Run) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    sizes, labels = {}, {}
    for split in SPLITS:
        if run.split_path(split).exists():
            column = pq.read_table(run.split_path(split), columns=["label"])["label"].to_pylist()
            sizes[split] = len(column)
            labels[split] = dict(Counter(label for label in column if label).most_common())
    return sizes, labels if any(labels.values()) else {}


def _removed(path: Path) -> list[Removed] | None:
    """Reasons, the most frequent first; rows that are only changed are used, and not counted here."""
    if not path.exists():
        return None
    table = pq.read_table(path)
    if "kind" in table.column_names:
        table = table.filter(pc.equal(table["kind"], "removed"))
    reasons = [str(reason) for reason in table["reason"].to_pylist()]
    first: dict[str, list[int]] = defaultdict(list)
    for index, reason in enumerate(reasons):
        if len(first[reason]) < EXAMPLES_PER_REASON:
            first[reason].append(index)
    return [
        Removed(reason, count, table.take(first[reason]).to_pylist())
        for reason, count in Counter(reasons).most_common()
    ]


def _looks(path: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_jsonl(path):
        if "watch/state" in row and "step" in row:
            found[str(row.get("stage", ""))].append(row)
    return dict(found)


# -- learning curves ------------------------------------------------------------------------------
def read_curves(path: Path, training: dict[str, Any]) -> list[Curve]:
    """One curve per stage, in the order of the log; a log line without a loss (summary) is no point."""
    stages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_jsonl(path):
        stages[str(row.get("stage", ""))].append(row)
    return [_curve(stage, rows, _mapping(training.get(stage))) for stage, rows in stages.items()]


def _curve(stage: str, rows: list[dict[str, Any]], result: dict[str, Any]) -> Curve:
    train, not_finite = _points(rows, "loss")
    validation, not_finite_too = _points(rows, "eval_loss")
    return Curve(stage, train, validation, _best(validation, result), not_finite + not_finite_too)


def _points(rows: list[dict[str, Any]], key: str) -> tuple[list[Point], int]:
    logged = [(float(row["step"]), float(row[key])) for row in rows if key in row and "step" in row]
    finite = [point for point in logged if math.isfinite(point[1])]
    return finite, len(logged) - len(finite)


def _best(validation: list[Point], result: dict[str, Any]) -> Point | None:
    """The checkpoint that `train` says it kept, else the lowest validation loss."""
    step, loss = result.get("best_step"), result.get("best_eval_loss")
    if isinstance(step, int | float) and isinstance(loss, int | float):
        return float(step), float(loss)
    return min(validation, key=lambda point: point[1], default=None)
