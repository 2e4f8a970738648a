"""The shape of evaluation/scores.json and samples.jsonl of a decision: written by `evaluate`, read by `report`.

Systems are `tuned` (the model of this run) and each baseline (`majority`, `tfidf`, `base_model`).
All rates lie in 0..1; intervals are 95 % percentile bootstrap over test rows.
"""

from __future__ import annotations

from pydantic import Field

from dadeum.core.measured import Measured, Notice, Part
from dadeum.evaluation.scores import Bin, Gate


class ClassScores(Part):
    """One label against the rest."""

    precision: float
    recall: float
    f1: float
    support: int
    """Test rows whose gold label this is."""


class SystemScores(Part):
    """How one system did on the test rows."""

    accuracy: Measured
    macro_f1: Measured
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]
    """Rows: gold label, columns: predicted label, both in the order of `labels`."""
    roc_auc: float | None = None
    """For the positive label; None for a system without probabilities or a test set of one class."""
    average_precision: float | None = None
    roc: list[tuple[float, float]] = Field(default_factory=list)
    """(false positive rate, true positive rate), at most 200 points."""
    precision_recall: list[tuple[float, float]] = Field(default_factory=list)
    """(recall, precision), at most 200 points."""
    ece: float | None = None
    """Expected calibration error, 10 equal-width bins of the predicted label's probability (Guo et al. 2017).

    `tuned` and `tfidf` each with a temperature fitted on validation rows; `base_model` as it comes.
    """
    brier: float | None = None
    """Mean squared error of the probability vector: sum over labels, mean over rows (0..2)."""
    seconds: float | None = None
    """Wall time to score all test rows."""


class Reliability(Part):
    ece: float
    brier: float
    bins: list[Bin]


class Calibration(Part):
    """Temperature scaling, fitted on validation rows, shown on test rows."""

    temperature: float
    num_validation_rows: int
    before: Reliability
    after: Reliability


class Generation(Part):
    """What free generation gave on the first rows of a seeded sample."""

    num_rows: int
    json_valid: float
    schema_valid: float
    agreement: float
    """Share of rows whose generated label equals the scored label (invalid answers count as disagreement)."""
    accuracy: float
    """Share of rows whose generated label equals the gold label (invalid answers count as wrong)."""
    invalid_examples: list[str]
    """Up to three answers that could not be read."""


class Comparison(Part):
    """The tuned model against one baseline on the same rows."""

    baseline: str
    only_tuned_right: int
    only_baseline_right: int
    p_value: float
    """Exact two-sided McNemar."""
    accuracy_difference: Measured
    """tuned − baseline, paired bootstrap."""
    macro_f1_difference: Measured


class Scores(Part):
    task: str
    labels: list[str]
    positive: str
    num_rows: dict[str, int]
    """Rows per split: train, validation, test."""
    systems: dict[str, SystemScores]
    by_origin: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Accuracy of every system on the test rows of one origin, with `num_rows` beside it."""
    calibration: Calibration | None
    generation: Generation | None
    comparisons: list[Comparison]
    gates: list[Gate]
    verdict: str
    """better | as_good | worse than the best classical baseline (majority, tfidf), or no_baseline."""
    test_hash: str
    """sha256 of test.parquet: `compare` refuses runs that were judged on different rows."""
    warnings: list[Notice] = Field(default_factory=list)


class Sample(Part):
    """One test row in samples.jsonl."""

    id: str
    source: str
    origin: str
    text: str
    label: str
    predicted: str
    probabilities: dict[str, float]
    """Calibrated, over the labels."""
    confidence: float
    """Calibrated probability of the predicted label."""
    generated: str | None = None
    json_valid: bool | None = None
    baselines: dict[str, str]
    """Predicted label of each baseline."""
