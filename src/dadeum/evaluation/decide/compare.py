"""Two runs that decide, judged on exactly the same test rows: did the second get better?

Paired throughout: McNemar on the rows that only one of the two got right, and a bootstrap that judges both on the same
resample. Two unpaired intervals that overlap say far less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from dadeum.core.errors import RunError
from dadeum.core.measured import Measured
from dadeum.core.messages import text
from dadeum.core.run import Run, read_jsonl
from dadeum.core.stats import PairedTest, mcnemar
from dadeum.core.words import percent
from dadeum.evaluation.decide.facts import read_scores
from dadeum.evaluation.decide.scorers import Resampling, differences
from dadeum.evaluation.decide.scores import Comparison, Sample, Scores
from dadeum.evaluation.report_words import p_value, points, rate, signed

SIGNIFICANT = 0.05
Outcome = Literal["better", "as_good", "worse"]


@dataclass(frozen=True)
class Judgement:
    """Two systems on the same rows; differences are first − second."""

    test: PairedTest
    accuracy_difference: Measured
    macro_f1_difference: Measured

    @property
    def outcome(self) -> Outcome:
        """Of the first against the second: `as_good` unless McNemar's p is below 0.05."""
        if self.test.p_value >= SIGNIFICANT:
            return "as_good"
        return "better" if self.test.only_first > self.test.only_second else "worse"

    def as_comparison(self, baseline: str) -> Comparison:
        """As it stands in scores.json, the tuned model being the first."""
        return Comparison(
            baseline=baseline,
            only_tuned_right=self.test.only_first,
            only_baseline_right=self.test.only_second,
            p_value=self.test.p_value,
            accuracy_difference=self.accuracy_difference,
            macro_f1_difference=self.macro_f1_difference,
        )


@dataclass(frozen=True)
class RunComparison:
    """The second run against the first: positive differences mean that the second is better."""

    num_rows: int
    accuracy: tuple[Measured, Measured]
    macro_f1: tuple[Measured, Measured]
    accuracy_difference: Measured
    macro_f1_difference: Measured
    p_value: float
    """Exact two-sided McNemar."""
    outcome: Outcome
    fixed: list[str]
    """Ids of rows that only the second run got right, in file order."""
    broken: list[str]
    """Ids of rows that only the first run got right."""

    def sentences(self, language: str) -> list[str]:
        """The comparison in four sentences, the conclusion last."""
        accuracy, macro_f1 = self.accuracy_difference, self.macro_f1_difference
        return [
            text(
                "evaluate.compare.accuracy", language, num=self.num_rows,
                first=percent(self.accuracy[0].value), second=percent(self.accuracy[1].value),
                difference=points(accuracy.value).get(language),
                low=points(accuracy.low).get(language), high=points(accuracy.high).get(language),
            ),
            text(
                "evaluate.compare.macro_f1", language,
                first=rate(self.macro_f1[0].value), second=rate(self.macro_f1[1].value),
                difference=signed(macro_f1.value), low=signed(macro_f1.low), high=signed(macro_f1.high),
            ),
            text(
                "evaluate.compare.rows", language,
                fixed=len(self.fixed), broken=len(self.broken), p=p_value(self.p_value),
            ),
            text(f"evaluate.compare.{self.outcome}", language),
        ]  # fmt: skip


def judge_pair(
    gold: np.ndarray, first: np.ndarray, second: np.ndarray, num_labels: int, resampling: Resampling
) -> Judgement:
    """Paired test and differences of two systems' predicted label indices, each of shape (rows,)."""
    test = mcnemar(first == gold, second == gold)
    return Judgement(test, *differences(gold, first, second, num_labels, resampling))


def compare(first: Run, second: Run, seed: int = 42, samples: int = 2000) -> RunComparison:
    """Judge the second run against the first, row by row.

    RunError when one of them has not been evaluated, or when the two were judged on different rows or labels: their
    figures can then not be compared at all.
    """
    before, after = _scores(first), _scores(second)
    if before.test_hash != after.test_hash:
        sizes = {"num_first": before.num_rows["test"], "num_second": after.num_rows["test"]}
        raise RunError("evaluate.compare.different_rows", first=first.folder, second=second.folder, **sizes)
    if set(before.labels) != set(after.labels):
        found = {"labels_first": ", ".join(before.labels), "labels_second": ", ".join(after.labels)}
        raise RunError("evaluate.compare.different_labels", first=first.folder, second=second.folder, **found)
    rows = list(zip(_samples(first, before), _samples(second, after), strict=True))
    position = {label: index for index, label in enumerate(before.labels)}
    gold, old, new = (
        np.array([position[label] for label in column], dtype=np.int64)
        for column in zip(*((old.label, old.predicted, new.predicted) for old, new in rows), strict=True)
    )
    found_pair = judge_pair(gold, new, old, len(position), Resampling(seed, samples))
    return RunComparison(
        num_rows=len(rows),
        accuracy=(before.systems["tuned"].accuracy, after.systems["tuned"].accuracy),
        macro_f1=(before.systems["tuned"].macro_f1, after.systems["tuned"].macro_f1),
        accuracy_difference=found_pair.accuracy_difference,
        macro_f1_difference=found_pair.macro_f1_difference,
        p_value=found_pair.test.p_value,
        outcome=found_pair.outcome,
        fixed=[old.id for old, new in rows if new.predicted == new.label != old.predicted],
        broken=[old.id for old, new in rows if old.predicted == old.label != new.predicted],
    )


def read_judged(run: Run) -> tuple[Scores, list[Sample]]:
    """Scores and test rows of a run; RunError when it has not been evaluated, or only in part."""
    scores = _scores(run)
    return scores, _samples(run, scores)


def _scores(run: Run) -> Scores:
    run.require(run.scores_path, "evaluate")
    scores = read_scores(run)
    assert scores is not None
    return scores


def _samples(run: Run, scores: Scores) -> list[Sample]:
    """The samples of a run, as many as its scores speak of."""
    run.require(run.samples_path, "evaluate")
    samples = [Sample.model_validate(row) for row in read_jsonl(run.samples_path)]
    if len(samples) != scores.num_rows["test"]:
        values = {"found": len(samples), "expected": scores.num_rows["test"]}
        raise RunError("evaluate.compare.samples_incomplete", path=run.samples_path, **values)
    return samples
