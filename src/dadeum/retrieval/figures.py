"""How good rankings are: precision, recall, F1, hit rate, MRR, nDCG and MAP at k, per question.

As trec_eval counts: precision divides by k even where fewer came back, MAP by all gold chunks, nDCG's gain is the
grade itself over log2(rank + 1). What cannot be (a gold chunk that is not in the corpus, MRR@k under recall@1) stops
with the question's name instead of becoming a figure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dadeum.core.errors import DataError
from dadeum.core.stats import Interval, bootstrap

Gold = Mapping[str, float]
"""chunk id → grade, above 0 where it answers the question."""
KS = (1, 3, 5, 10)
NAMES = ("precision", "recall", "f1", "hit", "mrr", "ndcg", "map")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Figures:
    """Arrays of shape (questions,) under names such as `recall@5`."""

    per_question: dict[str, np.ndarray]

    def means(self, rows: np.ndarray | slice = slice(None)) -> dict[str, float]:
        """Over all questions, or over some: of one domain, of one difficulty."""
        return {name: float(values[rows].mean()) for name, values in self.per_question.items()}

    def interval(self, name: str, seed: int) -> Interval:
        """The mean with its 95 % bootstrap interval."""
        values = self.per_question[name]
        return bootstrap(lambda rows: float(values[rows].mean()), len(values), seed)

    def difference(self, other: Figures, name: str, seed: int) -> Interval:
        """Mean of this minus mean of `other` on the same questions, paired; 0 outside says that they differ."""
        values = self.per_question[name] - other.per_question[name]
        return bootstrap(lambda rows: float(values[rows].mean()), len(values), seed)


def graded(relevant: Mapping[str, Sequence[str] | Gold]) -> dict[str, Gold]:
    """Question → gold chunks with grades; a list of ids gives each the grade 1."""
    return {
        question: dict(chunks) if isinstance(chunks, Mapping) else dict.fromkeys(chunks, 1.0)
        for question, chunks in relevant.items()
    }


def check_gold(gold: Mapping[str, Gold], corpus: Collection[str]) -> None:
    """DataError for the first question without a gold chunk, or with one that no search can find."""
    known = frozenset(corpus)
    for question, grades in gold.items():
        if not any(grade > 0 for grade in grades.values()):
            raise DataError("retrieval.no_gold", question=question)
        wrong = [chunk for chunk, grade in grades.items() if not (grade >= 0 and np.isfinite(grade))]
        if wrong:
            raise DataError("retrieval.bad_grade", question=question, chunk=wrong[0], found=grades[wrong[0]])
        missing = [chunk for chunk, grade in grades.items() if grade > 0 and chunk not in known]
        if missing:
            raise DataError("retrieval.gold_not_in_corpus", question=question, chunk=missing[0], num=len(known))


def figures(found: Mapping[str, Sequence[str]], gold: Mapping[str, Gold], ks: Sequence[int] = KS) -> Figures:
    """Of each question in `gold`, in its order. `found` has chunk ids, best first; at least max(ks) where there are."""
    if not gold or not ks or min(ks) < 1:
        raise DataError("retrieval.nothing_to_judge", questions=len(gold), ks=list(ks))
    depth = max(ks)
    grades, ideal = np.zeros((len(gold), depth)), np.zeros((len(gold), depth))
    num_gold = np.zeros(len(gold))
    for row, (question, wanted) in enumerate(gold.items()):
        if question not in found:
            raise DataError("retrieval.not_asked", question=question)
        ranked = found[question][:depth]
        _check_distinct(question, ranked)
        grades[row, : len(ranked)] = [max(0.0, wanted.get(chunk, 0.0)) for chunk in ranked]
        best = sorted((grade for grade in wanted.values() if grade > 0), reverse=True)
        num_gold[row] = len(best)
        ideal[row, : len(best[:depth])] = best[:depth]
    if not num_gold.all():
        raise DataError("retrieval.no_gold", question=list(gold)[int(np.argmin(num_gold))])
    judged = Figures(_all_figures(grades, ideal, num_gold, sorted(set(ks))))
    _assert_invariants(judged, num_gold, list(gold), sorted(set(ks)))
    return judged


def _check_distinct(question: str, ranked: Sequence[str]) -> None:
    seen: set[str] = set()
    for chunk in ranked:
        if chunk in seen:
            raise DataError("retrieval.found_twice", question=question, chunk=chunk)
        seen.add(chunk)


def _all_figures(
    grades: np.ndarray, ideal: np.ndarray, num_gold: np.ndarray, ks: Sequence[int]
) -> dict[str, np.ndarray]:
    """By hand: gold at ranks 2 and 3 of 2: P@3 2/3, R@3 1, MRR 1/2, MAP (1/2 + 2/3) / 2 = 7/12."""
    ranks = np.arange(1, grades.shape[1] + 1)
    right = (grades > 0).astype(float)
    hits = right.cumsum(axis=1)
    first = np.where(right.any(axis=1), right.argmax(axis=1) + 1, np.inf)
    precise = (right * hits / ranks).cumsum(axis=1)
    dcg, best = (grades / np.log2(ranks + 1)).cumsum(axis=1), (ideal / np.log2(ranks + 1)).cumsum(axis=1)
    found: dict[str, np.ndarray] = {}
    for k in ks:
        precision, recall = hits[:, k - 1] / k, hits[:, k - 1] / num_gold
        both = precision + recall
        found |= {
            f"precision@{k}": precision,
            f"recall@{k}": recall,
            f"f1@{k}": np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0),
            f"hit@{k}": (hits[:, k - 1] > 0).astype(float),
            f"mrr@{k}": np.where(first <= k, 1 / first, 0.0),
            f"ndcg@{k}": dcg[:, k - 1] / best[:, k - 1],
            f"map@{k}": precise[:, k - 1] / num_gold,
        }
    return found


def _assert_invariants(judged: Figures, num_gold: np.ndarray, questions: Sequence[str], ks: Sequence[int]) -> None:
    """Laws that no ranking can break: where one is broken, ranking or gold are not what they claim to be."""
    per = judged.per_question
    one_gold = num_gold == 1
    laws = [(f"{name}@{k} <= 1", per[f"{name}@{k}"] <= 1 + _TOLERANCE) for k in ks for name in NAMES]
    for k in ks:
        laws.append((f"hit@{k} = recall@{k}", ~one_gold | np.isclose(per[f"hit@{k}"], per[f"recall@{k}"])))
        if ks[0] == 1:
            laws.append((f"mrr@{k} >= recall@1", per[f"mrr@{k}"] >= per["recall@1"] - _TOLERANCE))
    for less, more in pairwise(ks):
        laws.append((f"recall@{less} <= recall@{more}", per[f"recall@{less}"] <= per[f"recall@{more}"] + _TOLERANCE))
        laws.append((f"mrr@{less} <= mrr@{more}", per[f"mrr@{less}"] <= per[f"mrr@{more}"] + _TOLERANCE))
    for law, holds in laws:
        if not holds.all():
            raise DataError("retrieval.broken_law", law=law, question=questions[int(np.argmin(holds))])
