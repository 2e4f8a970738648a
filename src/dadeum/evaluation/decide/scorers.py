"""Classification scores: from gold and predicted labels (and probabilities) to SystemScores.

Everything is computed from counts per (gold, predicted) cell, so that 2000 bootstrap resamples cost milliseconds
however many rows there are. Labels are indices into `task.labels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dadeum.core.measured import Measured
from dadeum.core.stats import Interval, bootstrap_counts
from dadeum.evaluation.decide.calibration import brier, reliability
from dadeum.evaluation.decide.scores import ClassScores, SystemScores

CURVE_POINTS = 200


@dataclass(frozen=True)
class Answers:
    """What one system said on the rows it is judged on."""

    predicted: np.ndarray
    """Label indices, shape (rows,)."""
    probabilities: np.ndarray | None = None
    """Shape (rows, labels), each row sums to 1; None for a system that gives none."""
    seconds: float | None = None
    """Wall time to answer all rows."""


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn."""

    seed: int
    samples: int


def score_system(labels: tuple[str, ...], gold: np.ndarray, answers: Answers, resampling: Resampling) -> SystemScores:
    """All figures of one system; at least one row. The first label is the positive one of the curves.

    Macro F1 is the mean over labels that have gold rows; a label without any counts only through the rows that are
    wrongly given to it. Precision, recall and F1 with nothing to divide by are 0.
    """
    table = confusion(gold, answers.predicted, len(labels))
    accuracy, macro_f1 = _intervals(gold, answers.predicted, len(labels), resampling)
    figures = SystemScores(
        accuracy=accuracy,
        macro_f1=macro_f1,
        per_class=per_class(labels, table),
        confusion=table.tolist(),
        seconds=answers.seconds,
    )
    if answers.probabilities is None:
        return figures
    found = reliability(answers.probabilities, gold)
    update = {"ece": found.ece, "brier": brier(answers.probabilities, gold)}
    return figures.model_copy(update=update | _curves(gold == 0, answers.probabilities[:, 0]))


def confusion(gold: np.ndarray, predicted: np.ndarray, num_labels: int) -> np.ndarray:
    """Counts, shape (labels, labels): rows are gold labels, columns predicted ones."""
    cells = np.bincount(gold * num_labels + predicted, minlength=num_labels**2)
    return cells.reshape(num_labels, num_labels)


def per_class(labels: tuple[str, ...], table: np.ndarray) -> dict[str, ClassScores]:
    """Precision, recall, F1 and support of each label, from a confusion matrix."""
    hits, support, chosen = np.diagonal(table), table.sum(1), table.sum(0)
    return {
        label: ClassScores(
            precision=_ratio(hits[i], chosen[i]),
            recall=_ratio(hits[i], support[i]),
            f1=_ratio(2 * hits[i], support[i] + chosen[i]),
            support=int(support[i]),
        )
        for i, label in enumerate(labels)
    }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


# -- statistics over many resamples at once -------------------------------------------------------
def accuracy_of_counts(counts: np.ndarray, gold: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Accuracy of each resample, shape (samples,).

    `counts` (samples, cells) holds rows per cell; `gold` and `predicted` (cells,) are what the rows of a cell share.
    """
    right: np.ndarray = counts @ (gold == predicted) / counts.sum(1)
    return right


def macro_f1_of_counts(counts: np.ndarray, gold: np.ndarray, predicted: np.ndarray, num_labels: int) -> np.ndarray:
    """Macro F1 of each resample over the labels that have gold rows in it; arguments as in `accuracy_of_counts`."""
    one_hot = np.eye(num_labels)
    support = counts @ one_hot[gold]
    chosen = counts @ one_hot[predicted]
    hits = (counts * (gold == predicted)) @ one_hot[gold]
    f1 = 2 * hits / np.maximum(support + chosen, 1)
    present = support > 0
    macro: np.ndarray = (f1 * present).sum(1) / present.sum(1)
    return macro


def _intervals(
    gold: np.ndarray, predicted: np.ndarray, num_labels: int, resampling: Resampling
) -> tuple[Measured, Measured]:
    (cell_gold, cell_predicted), counts = _cells(gold, predicted)
    accuracy = bootstrap_counts(
        lambda drawn: accuracy_of_counts(drawn, cell_gold, cell_predicted), counts, resampling.seed, resampling.samples
    )
    macro_f1 = bootstrap_counts(
        lambda drawn: macro_f1_of_counts(drawn, cell_gold, cell_predicted, num_labels),
        counts, resampling.seed, resampling.samples,
    )  # fmt: skip
    return measured(accuracy), measured(macro_f1)


def differences(
    gold: np.ndarray, first: np.ndarray, second: np.ndarray, num_labels: int, resampling: Resampling
) -> tuple[Measured, Measured]:
    """Accuracy and macro F1 of `first` minus those of `second`, paired: both are judged on the same resample."""
    (cell_gold, cell_first, cell_second), counts = _cells(gold, first, second)
    accuracy = bootstrap_counts(
        lambda drawn: (
            accuracy_of_counts(drawn, cell_gold, cell_first) - accuracy_of_counts(drawn, cell_gold, cell_second)
        ),
        counts, resampling.seed, resampling.samples,
    )  # fmt: skip
    macro_f1 = bootstrap_counts(
        lambda drawn: (
            macro_f1_of_counts(drawn, cell_gold, cell_first, num_labels)
            - macro_f1_of_counts(drawn, cell_gold, cell_second, num_labels)
        ),
        counts, resampling.seed, resampling.samples,
    )  # fmt: skip
    return measured(accuracy), measured(macro_f1)


def _cells(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The combinations of values that occur, shape (columns, cells), and the rows of each, shape (cells,)."""
    return np.unique(np.stack(columns), axis=1, return_counts=True)


def measured(interval: Interval) -> Measured:
    return Measured(value=interval.value, low=interval.low, high=interval.high)


# -- curves ---------------------------------------------------------------------------------------
def _curves(positive: np.ndarray, scores: np.ndarray) -> dict[str, object]:
    """ROC and precision-recall fields of SystemScores; none of them without rows of both kinds."""
    if positive.all() or not positive.any():
        return {}
    from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

    false_rate, true_rate, _ = roc_curve(positive, scores)
    precision, recall, _ = precision_recall_curve(positive, scores)
    return {
        "roc_auc": float(roc_auc_score(positive, scores)),
        "average_precision": float(average_precision_score(positive, scores)),
        "roc": _thinned(false_rate, true_rate),
        "precision_recall": _thinned(recall[::-1], precision[::-1]),
    }


def _thinned(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """At most CURVE_POINTS points, first and last kept."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return [(float(x[i]), float(y[i])) for i in kept]
