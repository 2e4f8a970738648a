"""No field beside the text tells the label: where the hour, the source or the length alone does, scores mean nothing.

University notices as a stand-in for wanted mail have hour 00 in seven rows of ten; spam comes at any hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dadeum.core.findings import Finding, Hit
from dadeum.data.checks._fields import columns
from dadeum.data.context import Context
from dadeum.data.similar.shingles import Ints

CODE = "DA403"
NAME = "field_shortcut"

WARN_AUC = 0.9
INFO_AUC = 0.8
"""Area under the ROC curve of one field alone, mean over labels; 0.5 is chance."""
MIN_ROWS = 40
MIN_CLASS_ROWS = 10
"""Below these an area of 0.9 can be chance: its standard error is 0.1 at ten rows a label."""
MAX_ROWS = 10_000
"""Rows looked at unless all are asked for: the area is then right to within 0.01."""
_NUM_FOLDS = 5
_PLACES = {"source", "origin"}
_ABOUT_THE_ROW = _PLACES | {"hour", "weekday", "month", "year", "attachments", "characters"}


class Told(NamedTuple):
    """How well one field tells the label."""

    auc: float
    balanced_accuracy: float
    right: Ints
    """Positions of the rows whose label it tells."""


def check(context: Context) -> list[Finding]:
    if context.task != "decide":
        return []
    rows, num_rows = context.labelled(MAX_ROWS, MIN_CLASS_ROWS)
    names = sorted({context.placed[row][1].label for row in rows})
    if len(rows) < MIN_ROWS or len(names) < 2:
        return []
    examples = [context.placed[row][1] for row in rows]
    labels = np.searchsorted(names, [example.label for example in examples])
    order = np.random.default_rng(context.seed).permutation(len(rows))
    told, values = {}, columns(examples)
    for field, column in values.items():
        if field in _ABOUT_THE_ROW or not _names_the_label(column, labels):
            told[field] = tell(column, labels, order)
    if "source" in told and _is_pure(values["source"], labels):
        told = {field: told[field] for field in told if field not in _PLACES}  # source_shortcut's business
    found = sorted((field for field in told if told[field].auc >= INFO_AUC), key=lambda field: -told[field].auc)
    if not found:
        return []
    best = told[found[0]]
    shown = {
        "fields": ", ".join(f"{field} {told[field].auc:.3f}" for field in found),
        "best": found[0], "auc": best.auc, "accuracy": best.balanced_accuracy, "looked": len(rows), "rows": num_rows,
    }  # fmt: skip
    hits = [
        Hit(rows[place], found={"label": names[labels[place]], found[0]: values[found[0]][place]})
        for place in best.right.tolist()
    ]
    return context.finding(CODE, NAME, "warn" if best.auc >= WARN_AUC else "info", hits, shown, len(rows))


def _names_the_label(column: Sequence[str], labels: Ints) -> bool:
    """Every label has one value there: the label by another name, or the group that it belongs to."""
    return len(set(zip(column, labels.tolist(), strict=True))) == len(set(labels.tolist()))


def _is_pure(column: Sequence[str], labels: Ints) -> bool:
    """Every value has one label."""
    return len(set(zip(column, labels.tolist(), strict=True))) == len(set(column))


def tell(column: Sequence[str], labels: Ints, order: Ints) -> Told:
    """Label shares by value, learned on four fifths of the rows and tried on the last, in five rounds.

    Values that were not seen get the labels' overall shares, so that ids tell nothing.
    """
    _, numbers = np.unique(np.array(column), return_inverse=True)
    num_labels = int(labels.max()) + 1
    shares = np.zeros((len(labels), num_labels))
    overall = np.bincount(labels, minlength=num_labels) / len(labels)
    for fold in range(_NUM_FOLDS):
        held_out = np.zeros(len(labels), dtype=bool)
        held_out[order[fold::_NUM_FOLDS]] = True
        cell = numbers[~held_out] * num_labels + labels[~held_out]
        counts = np.bincount(cell, minlength=(int(numbers.max()) + 1) * num_labels).reshape(-1, num_labels)
        smoothed = (counts + overall) / (counts.sum(axis=1, keepdims=True) + 1)
        shares[held_out] = smoothed[numbers[held_out]]
    guess = (shares / np.maximum(overall, 1e-12)).argmax(axis=1)
    present = [label for label in range(num_labels) if overall[label] > 0]
    areas = [area_under_curve(shares[:, label], labels == label) for label in present]
    hits = [float((guess[labels == label] == label).mean()) for label in present]
    return Told(float(np.mean(areas)), float(np.mean(hits)), np.flatnonzero(guess == labels))


def area_under_curve(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Chance that a positive row scores above a negative one, ties counting half (Mann-Whitney)."""
    from scipy.stats import rankdata

    num_positive, num_negative = int(positive.sum()), int((~positive).sum())
    ranks = float(rankdata(scores)[positive].sum())
    return (ranks - num_positive * (num_positive + 1) / 2) / max(num_positive * num_negative, 1)
