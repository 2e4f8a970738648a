"""Row by row, what several runs got: the figures that a pair of them can be told apart by.

Free answers have values per row in samples.jsonl, retrievers the places of what is right. Decisions have predicted
labels: accuracy is a mean over rows, macro F1 is made anew for every resample and swap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dadeum.core.examples import read_examples
from dadeum.core.run import Run
from dadeum.core.stats import bootstrap_counts
from dadeum.evaluation.answers.figures import is_of_corpus
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores, Better
from dadeum.evaluation.comparison.significance import Pair, p_of_swapping, paired_means
from dadeum.evaluation.decide.scorers import macro_f1_of_counts
from dadeum.evaluation.decide.scores import Sample, Scores
from dadeum.evaluation.retrieve.compare import columns
from dadeum.evaluation.retrieve.scores import RetrievalSample, RetrievalScores

DECISIONS: dict[str, Better] = {
    "accuracy": "higher", "macro_f1": "higher", "roc_auc": "higher", "average_precision": "higher",
    "ece": "lower", "brier": "lower",
}  # fmt: skip


class Judged(Protocol):
    """Several runs on the same rows."""

    @property
    def ids(self) -> list[str]: ...

    @property
    def groups(self) -> list[str]: ...

    @property
    def metrics(self) -> Mapping[str, Better]:
        """Every figure that some run has, in the order of the report."""

    @property
    def paired(self) -> list[str]:
        """Figures that have a value per row in all runs: two runs can be told apart by them. The main one first."""

    def pair(self, metric: str, first: int, second: int, seed: int, samples: int) -> Pair | None:
        """Run `first` − run `second`."""


@dataclass(frozen=True)
class JudgedAnswers:
    ids: list[str]
    groups: list[str]
    metrics: Mapping[str, Better]
    paired: list[str]
    values: list[dict[str, np.ndarray]]
    """Per run: figure → one value per row, NaN where it could not be judged."""

    def pair(self, metric: str, first: int, second: int, seed: int, samples: int) -> Pair | None:
        return paired_means(self.values[first][metric], self.values[second][metric], self.groups, seed, samples)


def judged_answers(scores: Sequence[AnswerScores], samples: Sequence[Sequence[AnswerSample]]) -> JudgedAnswers:
    """All runs answered the same rows in the same order; figures that only some have are shown, not paired."""
    metrics: dict[str, Better] = {}
    for found in scores:
        metrics |= {name: better for name, better in found.metrics.items() if name not in metrics}
    common = [name for name in metrics if all(name in found.systems["tuned"].metrics for found in scores)]
    paired = [name for name in common if name != "perplexity" and not is_of_corpus(name)]
    counted = [name for name in scores[0].counted if all(name in found.counted for found in scores)]
    paired.sort(key=lambda name: counted.index(name) if name in counted else len(counted))
    return JudgedAnswers(
        ids=[row.id for row in samples[0]],
        groups=[row.group for row in samples[0]],
        metrics=metrics,
        paired=paired,
        values=[{name: _column(rows, name) for name in paired} for rows in samples],
    )


def _column(rows: Sequence[AnswerSample], metric: str) -> np.ndarray:
    values = [row.metrics["tuned"].get(metric) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def judged_rankings(runs: Sequence[tuple[RetrievalScores, list[RetrievalSample]]]) -> JudgedAnswers:
    """Retrievers by what each serves, and by meaning alone; every question has every figure."""
    values = [columns(scores, rows) for scores, rows in runs]
    rows = runs[0][1]
    return JudgedAnswers(
        ids=[row.id for row in rows],
        groups=[row.group for row in rows],
        metrics=dict.fromkeys(values[0], "higher"),
        paired=list(values[0]),
        values=values,
    )


@dataclass(frozen=True)
class JudgedDecisions:
    ids: list[str]
    groups: list[str]
    metrics: Mapping[str, Better]
    paired: list[str]
    gold: np.ndarray
    """Label indices, shape (rows,)."""
    predicted: list[np.ndarray]
    num_labels: int

    def pair(self, metric: str, first: int, second: int, seed: int, samples: int) -> Pair | None:
        one, other = self.predicted[first], self.predicted[second]
        if metric == "accuracy":
            right, also = ((said == self.gold).astype(float) for said in (one, other))
            return paired_means(right, also, self.groups, seed, samples)
        return self._macro_f1(one, other, seed, samples)

    def _macro_f1(self, one: np.ndarray, other: np.ndarray, seed: int, samples: int) -> Pair:
        cell = np.unique(np.asarray(self.groups, dtype=object).astype(str), return_inverse=True)[1]
        num_groups = int(cell.max()) + 1

        def of(counts: np.ndarray, said: np.ndarray) -> np.ndarray:
            return macro_f1_of_counts(counts, self.gold, said, self.num_labels)

        def resampled(drawn: np.ndarray) -> np.ndarray:
            difference: np.ndarray = of(drawn[:, cell], one) - of(drawn[:, cell], other)
            return difference

        gold, said = np.concatenate([self.gold, self.gold]), np.concatenate([one, other])

        def swapped(sides: np.ndarray) -> np.ndarray:
            """Rows of swapped groups count for the other run: a run of weights 0 and 1 over both runs' rows."""
            stay, leave = (1 - sides)[:, cell], sides[:, cell]
            left = macro_f1_of_counts(np.hstack([stay, leave]), gold, said, self.num_labels)
            difference: np.ndarray = left - macro_f1_of_counts(np.hstack([leave, stay]), gold, said, self.num_labels)
            return difference

        interval = bootstrap_counts(resampled, np.ones(num_groups, dtype=int), seed, samples)
        p = p_of_swapping(swapped, num_groups, seed, samples)
        return Pair(interval.value, interval.low, interval.high, p, len(self.gold))


def judged_decisions(
    runs: Sequence[Run], scores: Sequence[Scores], samples: Sequence[Sequence[Sample]]
) -> JudgedDecisions:
    """Groups come from test.parquet; in a folder without it every row is a group of its own."""
    position = {label: index for index, label in enumerate(scores[0].labels)}
    path = runs[0].split_path("test")
    known = {row.id: row.group for row in read_examples(path)} if path.exists() else {}
    return JudgedDecisions(
        ids=[row.id for row in samples[0]],
        groups=[known.get(row.id) or row.id for row in samples[0]],
        metrics=DECISIONS,
        paired=["accuracy", "macro_f1"],
        gold=np.array([position[row.label] for row in samples[0]], dtype=np.int64),
        predicted=[np.array([position[row.predicted] for row in rows], dtype=np.int64) for rows in samples],
        num_labels=len(position),
    )
