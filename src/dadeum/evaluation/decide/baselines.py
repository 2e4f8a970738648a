"""Classical baselines that every tuned model must be held against: the commonest label, and TF-IDF.

A model that does not beat them is not worth its cost, and the verdict says so. Both learn from the train split only.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadeum.core.examples import Example
from dadeum.core.measured import Notice
from dadeum.core.task import Decide
from dadeum.evaluation.decide.calibration import calibrate
from dadeum.evaluation.decide.scorers import Answers

CLASSICAL = ("majority", "tfidf")
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Judged:
    """A baseline's answers on the test rows, and what must be said with them."""

    answers: Answers
    notices: list[Notice] = field(default_factory=list)


def majority(task: Decide, train: list[Example], test: list[Example]) -> Judged:
    """The commonest label of the train rows, for every row; the earlier label of a tie. It gives no probabilities."""
    counts = Counter(example.label for example in train)
    index = max(range(len(task.labels)), key=lambda i: (counts[task.labels[i]], -i))
    return Judged(Answers(np.full(len(test), index), seconds=0.0))


def tfidf(task: Decide, train: list[Example], validation: list[Example], test: list[Example], seed: int) -> Judged:
    """Character TF-IDF + logistic regression, its probabilities temperature-scaled on validation like the model's.

    When there is nothing to learn (one label, or no text) it answers like `majority`, and a notice says so.
    """
    present = {example.label for example in train}
    if len(present) < 2 or not any(example.text.strip() for example in train):
        notice = Notice(key="evaluate.notices.tfidf_constant", values={"num": len(train), "labels": len(present)})
        return Judged(majority(task, train, test).answers, [notice])
    pipeline = fit_tfidf(train, seed)
    started = time.perf_counter()
    test_scores = _log_probabilities(pipeline, task, test)
    seconds = time.perf_counter() - started
    calibrated = calibrate(
        task.labels,
        _log_probabilities(pipeline, task, validation),
        gold_of(task, validation),
        test_scores,
        gold_of(task, test),
    )
    return Judged(Answers(test_scores.argmax(1), calibrated.probabilities, seconds))


def fit_tfidf(train: list[Example], seed: int) -> Any:
    """The fitted scikit-learn pipeline; at least two labels.

    Settings chosen by measuring on the real block list and notices (docs/lab-log.md): `char_wb` beats `char`, balanced
    classes add up to six points of macro F1 on skewed rows, C=30 stands between clean and 5 % wrong labels.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True),
        LogisticRegression(C=30, class_weight="balanced", max_iter=1000, random_state=seed),
    )
    return pipeline.fit([example.text for example in train], [example.label for example in train])


def _log_probabilities(pipeline: Any, task: Decide, rows: list[Example]) -> np.ndarray:
    """Shape (rows, labels), columns in the order of `task.labels`; a label never seen in training gets almost 0."""
    scores = np.full((len(rows), len(task.labels)), _LEAST_PROBABILITY)
    if rows:
        columns = [task.labels.index(label) for label in pipeline.classes_]
        found = pipeline.predict_proba([example.text for example in rows])
        scores[:, columns] = np.maximum(found, _LEAST_PROBABILITY)
    log_scores: np.ndarray = np.log(scores)
    return log_scores


def gold_of(task: Decide, rows: list[Example]) -> np.ndarray:
    """Label indices of the rows, shape (rows,)."""
    position = {label: index for index, label in enumerate(task.labels)}
    return np.array([position[example.label] for example in rows], dtype=np.int64)
