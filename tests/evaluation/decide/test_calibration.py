from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import brier_score_loss, log_loss

from dadeum.evaluation.decide.calibration import (
    HIGHEST_TEMPERATURE,
    LOWEST_TEMPERATURE,
    NUM_BINS,
    brier,
    calibrate,
    fit_temperature,
    reliability,
    softmax,
)

LABELS = ("BLOCK", "ALLOW")


def two_labels(margins: list[float]) -> np.ndarray:
    """Log scores of two labels; the first is `margin` nats more probable."""
    return np.array([[margin, 0.0] for margin in margins])


# -- probabilities --------------------------------------------------------------------------------
def test_softmax_by_hand() -> None:
    assert softmax(two_labels([math.log(3)])) == pytest.approx(np.array([[0.75, 0.25]]))
    # Temperature 2 halves the log odds: ln 9 becomes ln 3.
    assert softmax(two_labels([math.log(9)]), 2) == pytest.approx(np.array([[0.75, 0.25]]))


def test_softmax_of_scores_far_from_zero_and_of_impossible_labels() -> None:
    found = softmax(np.array([[-5000.0, -5000.0 - math.log(3)], [-np.inf, -3.0]]))
    assert found == pytest.approx(np.array([[0.75, 0.25], [0.0, 1.0]]))


log_scores = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 30), st.integers(2, 5)),
    elements=st.floats(-100, 0, allow_subnormal=False),
)


@given(log_scores, st.floats(0.05, 100))
def test_softmax_sums_to_one_and_keeps_the_decision(scores: np.ndarray, temperature: float) -> None:
    found = softmax(scores, temperature)
    assert np.isfinite(found).all()
    assert found.sum(1) == pytest.approx(1)
    best = found[np.arange(len(scores)), scores.argmax(1)]
    assert (best == found.max(1)).all()


# -- temperature ----------------------------------------------------------------------------------
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_temperature_of_rows_that_are_all_right_by_hand(temperature: float) -> None:
    # Nine rows, each right by T · ln 37 nats: sigmoid(ln 37) = 37/38 = (9 + 1/4) / (9 + 1/2).
    margin = temperature * math.log(37)
    scores = two_labels([margin] * 5 + [-margin] * 4)
    assert fit_temperature(scores, np.array([0] * 5 + [1] * 4)) == pytest.approx(temperature, rel=1e-4)


def test_temperature_of_rows_that_are_partly_right_by_hand() -> None:
    # Eight rows of margin m, six right: the target share is (6 · 8.25 + 2 · 0.25) / (8 · 8.5) = 50/68, the odds 25 : 9.
    margin = 3 * math.log(25 / 9)
    scores = two_labels([margin] * 8)
    assert fit_temperature(scores, np.array([0] * 6 + [1] * 2)) == pytest.approx(3, rel=1e-4)


def test_temperature_finds_what_blurred_the_scores() -> None:
    random = np.random.default_rng(1)
    true = random.normal(0, 2, 4000)
    gold = (random.random(4000) > 1 / (1 + np.exp(-true))).astype(int)
    assert fit_temperature(two_labels(list(true)), gold) == pytest.approx(1, abs=0.06)
    assert fit_temperature(two_labels(list(4 * true)), gold) == pytest.approx(4, abs=0.24)


def test_temperature_is_close_to_the_plain_maximum_likelihood_one() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(0, 3, (500, 3))
    gold = np.where(random.random(500) < 0.6, scores.argmax(1), random.integers(0, 3, 500))
    found = fit_temperature(scores, gold)
    grid = np.exp(np.linspace(-0.5, 2.5, 151))
    best = min(grid, key=lambda t: log_loss(gold, softmax(scores, t), labels=[0, 1, 2]))
    assert found == pytest.approx(best, rel=0.03)


def test_temperature_stays_in_bounds() -> None:
    assert fit_temperature(two_labels([1e-4, -1e-4] * 50), np.array([0, 1] * 50)) == LOWEST_TEMPERATURE
    # Always sure and as often wrong as right: no finite temperature is high enough.
    assert fit_temperature(two_labels([9.0] * 10), np.array([0, 1] * 5)) == HIGHEST_TEMPERATURE
    assert fit_temperature(two_labels([0.0] * 10), np.array([0, 1] * 5)) == 1.0


def test_temperature_survives_impossible_labels() -> None:
    scores = np.array([[0.0, -np.inf], [-np.inf, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    assert math.isfinite(fit_temperature(scores, np.array([0, 0, 0, 1])))


@given(log_scores, st.data())
def test_temperature_never_fits_worse_than_none(scores: np.ndarray, data: st.DataObject) -> None:
    num_rows, num_labels = scores.shape
    gold = np.array(data.draw(st.lists(st.integers(0, num_labels - 1), min_size=num_rows, max_size=num_rows)))
    targets = np.full(scores.shape, 0.5 / num_labels)
    targets[np.arange(num_rows), gold] += num_rows
    targets /= num_rows + 0.5

    def loss(temperature: float) -> float:
        return -float((targets * np.log(np.maximum(softmax(scores, temperature), 1e-300))).sum(1).mean())

    temperature = fit_temperature(scores, gold)
    assert LOWEST_TEMPERATURE <= temperature <= HIGHEST_TEMPERATURE
    assert loss(temperature) <= loss(1.0) + 1e-6


# -- calibrate ------------------------------------------------------------------------------------
def test_calibrate_fits_on_validation_and_shows_test() -> None:
    random = np.random.default_rng(3)
    true = random.normal(0, 2, 2000)
    gold = (random.random(2000) > 1 / (1 + np.exp(-true))).astype(int)
    scores = two_labels(list(5 * true))
    found = calibrate(LABELS, scores[:1000], gold[:1000], scores[1000:], gold[1000:])
    assert found.calibration is not None
    assert found.calibration.num_validation_rows == 1000
    assert found.calibration.temperature == fit_temperature(scores[:1000], gold[:1000])
    assert found.probabilities == pytest.approx(softmax(scores[1000:], found.calibration.temperature))
    assert found.calibration.before == reliability(softmax(scores[1000:]), gold[1000:])
    assert found.calibration.after == reliability(found.probabilities, gold[1000:])
    assert found.calibration.after.ece < 0.05 < found.calibration.before.ece
    assert found.calibration.after.brier < found.calibration.before.brier
    assert found.notices == []


def test_calibrate_without_validation_rows_says_so() -> None:
    test = two_labels([2.0, -1.0])
    found = calibrate(LABELS, np.zeros((0, 2)), np.zeros(0, dtype=int), test, np.array([0, 1]))
    assert found.calibration is None
    assert found.probabilities == pytest.approx(softmax(test))
    assert [notice.key for notice in found.notices] == ["evaluate.notices.no_validation"]


def test_calibrate_on_one_label_says_so() -> None:
    found = calibrate(LABELS, two_labels([1.0, 3.0]), np.array([1, 1]), two_labels([2.0]), np.array([0]))
    assert found.calibration is None
    assert [notice.key for notice in found.notices] == ["evaluate.notices.validation_one_label"]
    assert found.notices[0].values == {"label": "ALLOW", "num": 2}


def test_calibrate_on_rows_without_errors_is_not_surer_than_the_rows_allow() -> None:
    # Twenty rows without an error: (20 + 1/4) / (20 + 1/2) = 81/82.
    found = calibrate(LABELS, two_labels([8.0, -8.0] * 10), np.array([0, 1] * 10), two_labels([8.0]), np.array([0]))
    assert found.probabilities[0, 0] == pytest.approx(81 / 82, abs=1e-4)
    assert [notice.key for notice in found.notices] == ["evaluate.notices.validation_without_errors"]


def test_calibrate_says_when_the_temperature_hits_its_bound() -> None:
    found = calibrate(LABELS, two_labels([9.0] * 10), np.array([0, 1] * 5), two_labels([9.0]), np.array([0]))
    assert found.calibration is not None
    assert [notice.key for notice in found.notices] == ["evaluate.notices.temperature_at_bound"]
    assert found.notices[0].values == {"temperature": HIGHEST_TEMPERATURE, "num": 10}


# -- how far off ----------------------------------------------------------------------------------
def test_brier_by_hand() -> None:
    # (0.2² + 0.2²) for the first row, (0.7² + 0.7²) for the second; mean 0.53.
    assert brier(np.array([[0.8, 0.2], [0.7, 0.3]]), np.array([0, 1])) == pytest.approx(0.53)
    assert brier(np.array([[0.0, 1.0]]), np.array([0])) == 2.0


def test_brier_is_twice_scikit_learns_for_two_labels() -> None:
    random = np.random.default_rng(4)
    positive = random.random(300)
    gold = (random.random(300) < 0.5).astype(int)
    probabilities = np.stack([1 - positive, positive], axis=1)
    assert brier(probabilities, gold) == pytest.approx(2 * brier_score_loss(gold, positive))


def test_reliability_by_hand() -> None:
    # Bin (0.7, 0.8]: confidence 0.8, one of two right. Bin (0.9, 1]: confidence 0.95, both right.
    probabilities = np.array([[0.8, 0.2], [0.2, 0.8], [0.95, 0.05], [0.05, 0.95]])
    found = reliability(probabilities, np.array([0, 0, 0, 1]))
    # 2/4 · |0.5 − 0.8| + 2/4 · |1 − 0.95| = 0.175
    assert found.ece == pytest.approx(0.175)
    assert [(index, part.count) for index, part in enumerate(found.bins) if part.count] == [(7, 2), (9, 2)]
    assert found.bins[7].confidence == pytest.approx(0.8)
    assert found.bins[7].accuracy == 0.5
    assert (found.bins[7].low, found.bins[7].high) == pytest.approx((0.7, 0.8))
    assert found.bins[9].accuracy == 1.0


def test_full_and_even_confidence_have_a_bin() -> None:
    found = reliability(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 0]))
    assert [part.count for part in found.bins] == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


@given(log_scores, st.data())
def test_reliability_counts_every_row_once(scores: np.ndarray, data: st.DataObject) -> None:
    num_rows, num_labels = scores.shape
    gold = np.array(data.draw(st.lists(st.integers(0, num_labels - 1), min_size=num_rows, max_size=num_rows)))
    probabilities = softmax(scores)
    found = reliability(probabilities, gold)
    assert len(found.bins) == NUM_BINS
    assert sum(part.count for part in found.bins) == num_rows
    right = sum(part.count * part.accuracy for part in found.bins) / num_rows
    assert right == pytest.approx((probabilities.argmax(1) == gold).mean())
    # No grouping of rows can be further off than the rows themselves, or closer than their overall gap.
    assert abs(right - probabilities.max(1).mean()) - 1e-9 <= found.ece <= 1
    assert 0 <= found.brier <= 2
