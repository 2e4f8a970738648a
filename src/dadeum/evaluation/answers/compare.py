"""Two runs that answer freely, on exactly the same test rows: what did the second do better?

Every figure is paired row by row and drawn over groups of rows; two unpaired intervals that overlap say far less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dadeum.core.errors import RunError
from dadeum.core.messages import text
from dadeum.core.run import Run
from dadeum.evaluation.answers.facts import read_samples, read_scores
from dadeum.evaluation.answers.figures import Resampling, is_of_corpus
from dadeum.evaluation.answers.scores import AnswerSample, AnswerScores, Difference, Standing
from dadeum.evaluation.answers.standing import standing
from dadeum.evaluation.answers.words import compared, metric_name


@dataclass(frozen=True)
class AnswersComparison:
    """The second run against the first: positive differences mean that its figure is higher."""

    num_rows: int
    num_groups: int
    first: dict[str, float]
    """Figures of the first run's tuned model, of those that both runs measured."""
    second: dict[str, float]
    differences: dict[str, Difference]
    not_both: list[str]
    """Figures without a row that could be measured in both runs."""
    outcome: Standing
    """On closeness to what people wrote."""

    def sentences(self, language: str) -> list[str]:
        """What was compared, a line per figure, and the conclusion last."""
        lines = [text("evaluate.compare.answered", language, num=self.num_rows, groups=self.num_groups)]
        lines += compared(self.differences, self.first, self.second, metric_name, language)
        for metric in self.not_both:
            lines.append(text("evaluate.compare.not_both", language, name=metric_name(metric).get(language)))
        return [*lines, text(f"evaluate.compare.{self.outcome}", language)]


def compare(first: Run, second: Run, seed: int = 42, samples: int = 2000) -> AnswersComparison:
    """Judge the second run's tuned model against the first's.

    RunError when one of them has not been evaluated, or when the two answered different rows.
    """
    before, after = _scores(first), _scores(second)
    if before.compared_by != after.compared_by:
        sizes = {"num_first": before.num_rows["test"], "num_second": after.num_rows["test"]}
        raise RunError("evaluate.compare.different_rows", first=first.folder, second=second.folder, **sizes)
    old, new = _samples(first, before), _samples(second, after)
    if [row.id for row in old] != [row.id for row in new]:
        sizes = {"num_first": len(old), "num_second": len(new)}
        raise RunError("evaluate.compare.different_answers", first=first.folder, second=second.folder, **sizes)
    both = [metric for metric in before.metrics if metric in after.metrics and not is_of_corpus(metric)]
    resampling = Resampling([row.group for row in old], seed, samples)
    differences = {
        metric: found
        for metric in both
        if (found := resampling.difference(metric, before.metrics[metric], _column(new, metric), _column(old, metric)))
        is not None
    }
    return AnswersComparison(
        num_rows=len(old),
        num_groups=resampling.num_groups,
        first={metric: before.systems["tuned"].metrics[metric].value for metric in differences},
        second={metric: after.systems["tuned"].metrics[metric].value for metric in differences},
        differences=differences,
        not_both=[
            metric
            for metric in {**before.metrics, **after.metrics}
            if metric not in differences and not is_of_corpus(metric)
        ],
        outcome=standing(differences, [metric for metric in before.counted if metric in after.counted]),
    )


def read_judged(run: Run) -> tuple[AnswerScores, list[AnswerSample]]:
    """Scores and answered rows of a run; RunError when it has not been evaluated, or only in part."""
    scores = _scores(run)
    return scores, _samples(run, scores)


def _column(rows: list[AnswerSample], metric: str) -> np.ndarray:
    """One figure of the tuned model over all rows, NaN where it could not be judged."""
    name = "loss" if metric == "perplexity" else metric
    values = [row.metrics["tuned"].get(name) for row in rows]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _scores(run: Run) -> AnswerScores:
    run.require(run.scores_path, "evaluate")
    scores = read_scores(run)
    assert scores is not None
    return scores


def _samples(run: Run, scores: AnswerScores) -> list[AnswerSample]:
    """The samples of a run, as many as its scores speak of."""
    run.require(run.samples_path, "evaluate")
    samples = read_samples(run)
    if len(samples) != scores.num_answered:
        values = {"found": len(samples), "expected": scores.num_answered}
        raise RunError("evaluate.compare.samples_incomplete", path=run.samples_path, **values)
    return samples
