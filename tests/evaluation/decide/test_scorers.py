from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from dadeum.core.stats import bootstrap
from dadeum.evaluation.decide.scorers import (
    CURVE_POINTS,
    Answers,
    Resampling,
    accuracy_of_counts,
    confusion,
    differences,
    macro_f1_of_counts,
    score_system,
)

LABELS = ("BLOCK", "ALLOW")
THREE = ("a", "b", "c")
FEW = Resampling(seed=1, samples=200)


def indices(text: str) -> np.ndarray:
    """`"0110"` → array of label indices."""
    return np.array([int(character) for character in text])


def random_answers(seed: int, num_rows: int, num_labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    gold = random.integers(0, num_labels, num_rows)
    logits = random.normal(0, 1, (num_rows, num_labels)) + 1.2 * np.eye(num_labels)[gold]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return gold, probabilities.argmax(1), probabilities


def test_scores_by_hand() -> None:
    # Gold 0: three rows, two found. Gold 1: two rows, one found.
    gold, predicted = indices("00011"), indices("00110")
    found = score_system(LABELS, gold, Answers(predicted, seconds=1.5), FEW)
    assert found.confusion == [[2, 1], [1, 1]]
    assert found.accuracy.value == pytest.approx(3 / 5)
    block, allow = found.per_class["BLOCK"], found.per_class["ALLOW"]
    assert (block.precision, block.recall, block.f1, block.support) == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert (allow.precision, allow.recall, allow.f1, allow.support) == pytest.approx((0.5, 0.5, 0.5, 2))
    assert found.macro_f1.value == pytest.approx((2 / 3 + 0.5) / 2)
    assert found.seconds == 1.5
    # Without probabilities there is nothing to draw or to calibrate.
    assert (found.roc_auc, found.average_precision, found.ece, found.brier) == (None, None, None, None)
    assert found.roc == found.precision_recall == []


def test_curves_by_hand() -> None:
    # Positive (label 0) scores 0.9, 0.6; negative 0.7, 0.2: three of four pairs are in order.
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    found = score_system(LABELS, indices("0011"), Answers(probabilities.argmax(1), probabilities), FEW)
    assert found.roc_auc == pytest.approx(3 / 4)
    # Precision 1 at recall 1/2, then 2/3 at recall 1: 1/2 · 1 + 1/2 · 2/3.
    assert found.average_precision == pytest.approx(5 / 6)
    assert found.roc == [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
    assert found.precision_recall[0] == (0.0, 1.0)
    assert found.precision_recall[-1] == (1.0, 0.5)
    # (0.01·2 + 0.16·2 + 0.49·2 + 0.04·2) / 4
    assert found.brier == pytest.approx(0.35)
    # One row a bin: (|1 − 0.9| + |1 − 0.6| + |0 − 0.7| + |1 − 0.8|) / 4
    assert found.ece == pytest.approx(0.35)


@pytest.mark.parametrize(("seed", "labels"), [(1, LABELS), (2, THREE), (3, ("a", "b", "c", "d", "e"))])
def test_same_as_scikit_learn(seed: int, labels: tuple[str, ...]) -> None:
    gold, predicted, probabilities = random_answers(seed, 500, len(labels))
    found = score_system(labels, gold, Answers(predicted, probabilities), FEW)
    every = list(range(len(labels)))
    assert found.confusion == confusion_matrix(gold, predicted, labels=every).tolist()
    assert found.accuracy.value == pytest.approx(accuracy_score(gold, predicted))
    assert found.macro_f1.value == pytest.approx(f1_score(gold, predicted, average="macro"))
    expected = precision_recall_fscore_support(gold, predicted, labels=every, zero_division=0)
    for index, label in enumerate(labels):
        part = found.per_class[label]
        assert (part.precision, part.recall, part.f1, part.support) == pytest.approx([row[index] for row in expected])
    assert found.roc_auc == pytest.approx(roc_auc_score(gold == 0, probabilities[:, 0]))
    assert found.average_precision == pytest.approx(average_precision_score(gold == 0, probabilities[:, 0]))


def test_macro_f1_leaves_out_a_label_without_gold_rows() -> None:
    gold, predicted = indices("001100"), indices("002100")
    found = score_system(THREE, gold, Answers(predicted), FEW)
    assert found.macro_f1.value == pytest.approx(f1_score(gold, predicted, labels=[0, 1], average="macro"))
    absent = found.per_class["c"]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (0, 0, 0, 0)


def test_one_label_in_the_test_gives_figures_but_no_curve() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
    found = score_system(LABELS, indices("00"), Answers(indices("01"), probabilities), FEW)
    assert found.accuracy.value == 0.5
    assert found.macro_f1.value == pytest.approx(2 / 3)
    assert (found.roc_auc, found.average_precision, found.roc, found.precision_recall) == (None, None, [], [])
    assert found.ece is not None
    assert found.brier is not None


def test_curves_are_thinned_and_keep_their_ends() -> None:
    gold, predicted, probabilities = random_answers(4, 5000, 2)
    found = score_system(LABELS, gold, Answers(predicted, probabilities), FEW)
    for curve in (found.roc, found.precision_recall):
        assert 100 < len(curve) <= CURVE_POINTS
        assert curve == sorted(curve, key=lambda point: point[0])
    assert (found.roc[0], found.roc[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert (found.precision_recall[0], found.precision_recall[-1][0]) == ((0.0, 1.0), 1.0)


rows_of_three = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


@given(rows_of_three)
def test_figures_hold_together(rows: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*rows, strict=True))
    found = score_system(THREE, gold, Answers(predicted), Resampling(2, 100))
    table = np.array(found.confusion)
    assert table.sum() == len(rows)
    assert table.sum(1).tolist() == [found.per_class[label].support for label in THREE]
    assert found.accuracy.value == pytest.approx(np.trace(table) / len(rows))
    for interval in (found.accuracy, found.macro_f1):
        assert np.isfinite([interval.value, interval.low, interval.high]).all()
        assert 0 <= interval.low <= interval.high <= 1


@given(rows_of_three)
def test_counts_give_the_same_as_rows(rows: list[tuple[int, int]]) -> None:
    gold, predicted = (np.array(column) for column in zip(*rows, strict=True))
    every_row = np.ones((1, len(rows)))
    present = sorted(set(gold.tolist()))
    macro_f1 = f1_score(gold, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1_of_counts(every_row, gold, predicted, 3)[0] == pytest.approx(macro_f1)
    assert accuracy_of_counts(every_row, gold, predicted)[0] == pytest.approx(accuracy_score(gold, predicted))
    assert confusion(gold, predicted, 3).tolist() == confusion_matrix(gold, predicted, labels=[0, 1, 2]).tolist()


def test_macro_f1_interval_is_that_of_resampled_rows() -> None:
    gold, predicted, _ = random_answers(5, 120, 3)

    def macro_f1(rows: np.ndarray) -> float:
        return float(f1_score(gold[rows], predicted[rows], average="macro"))

    by_rows = bootstrap(macro_f1, 120, seed=9, samples=300)
    by_counts = score_system(THREE, gold, Answers(predicted), Resampling(9, 4000)).macro_f1
    assert by_counts.value == pytest.approx(by_rows.value)
    assert by_counts.low == pytest.approx(by_rows.low, abs=0.02)
    assert by_counts.high == pytest.approx(by_rows.high, abs=0.02)


# -- differences ----------------------------------------------------------------------------------
def test_differences_by_hand() -> None:
    gold, first, second = indices("0011"), indices("0011"), indices("0000")
    accuracy, macro_f1 = differences(gold, first, second, 2, FEW)
    assert accuracy.value == pytest.approx(1 - 0.5)
    # F1 of the second: 2 · 2 / (2 + 4) for label 0, 0 for label 1.
    assert macro_f1.value == pytest.approx(1 - 1 / 3)


def test_a_system_does_not_differ_from_itself() -> None:
    gold, predicted, _ = random_answers(6, 300, 3)
    for found in differences(gold, predicted, predicted, 3, FEW):
        assert (found.value, found.low, found.high) == (0, 0, 0)


def test_differences_are_paired() -> None:
    # Two systems that are right on the same 240 of 300 rows but for three: paired, the difference is known closely.
    gold = np.zeros(300, dtype=int)
    first = np.array([0] * 243 + [1] * 57)
    second = np.array([0] * 240 + [1] * 60)
    accuracy, _ = differences(gold, first, second, 2, Resampling(1, 2000))
    assert accuracy.value == pytest.approx(0.01)
    assert accuracy.low >= 0
    assert accuracy.high < 0.03


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=40))
def test_differences_change_sign_with_the_order(rows: list[tuple[int, int, int]]) -> None:
    gold, first, second = (np.array(column) for column in zip(*rows, strict=True))
    forward = differences(gold, first, second, 3, Resampling(3, 400))
    backward = differences(gold, second, first, 3, Resampling(3, 400))
    for one, other in zip(forward, backward, strict=True):
        assert one.value == pytest.approx(-other.value)
        assert -1 <= one.low <= one.high <= 1


def test_two_thousand_resamples_of_two_thousand_rows_take_under_a_second() -> None:
    gold, predicted, probabilities = random_answers(7, 2000, 2)
    score_system(LABELS, gold, Answers(predicted, probabilities), FEW)  # imports scikit-learn
    started = time.perf_counter()
    score_system(LABELS, gold, Answers(predicted, probabilities), Resampling(1, 2000))
    differences(gold, predicted, 1 - predicted, 2, Resampling(1, 2000))
    assert time.perf_counter() - started < 1
