from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from dadeum.core.stats import mcnemar
from dadeum.evaluation.agreement import cohen_kappa, krippendorff_alpha, sign_test

NO = np.nan
# Krippendorff 2011, section C: four observers, twelve units. Published: ordinal alpha 0.815.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NO, NO, NO],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NO, 3],
        [NO, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NO],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NO],
    ]
)


def test_kappa_by_hand() -> None:
    first = ["yes"] * 20 + ["yes"] * 5 + ["no"] * 10 + ["no"] * 15
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_as_sklearn_has_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.choice(["first", "second", "tie"], 60)
    second = np.where(random.random(60) < 0.6, first, random.choice(["first", "second", "tie"], 60))
    assert cohen_kappa(first.tolist(), second.tolist()) == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_is_not_defined_without_variety() -> None:
    assert np.isnan(cohen_kappa([], []))
    assert np.isnan(cohen_kappa(["tie"] * 5, ["tie"] * 5))
    assert cohen_kappa(["first"] * 5, ["second"] * 5) == 0


def test_alpha_as_published() -> None:
    assert krippendorff_alpha(PUBLISHED) == pytest.approx(0.815, abs=5e-4)


def test_alpha_by_hand() -> None:
    """Items (1,1), (2,2), (1,2): coincidences [[2, 1], [1, 2]]; alpha = 1 − (6 − 1) · 2 / 18 = 4/9."""
    assert krippendorff_alpha(np.array([[1, 2, 1], [1, 2, 2]], dtype=float)) == pytest.approx(4 / 9)


def test_alpha_knows_that_far_apart_is_worse() -> None:
    near = np.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 4]], dtype=float)
    far = np.array([[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 0]], dtype=float)
    assert 1 > krippendorff_alpha(near) > krippendorff_alpha(far)


def test_alpha_of_nothing_to_compare_is_none() -> None:
    assert krippendorff_alpha(np.array([[3.0, 4.0], [3.0, 4.0]])) == 1
    assert np.isnan(krippendorff_alpha(np.full((2, 5), 3.0)))
    assert np.isnan(krippendorff_alpha(np.array([[1.0, NO], [NO, 2.0]])))
    assert np.isnan(krippendorff_alpha(np.zeros((2, 0))))


def test_the_sign_test_by_hand_and_as_mcnemar_has_it() -> None:
    assert sign_test(8, 2) == pytest.approx(0.109375)
    assert sign_test(0, 0) == 1
    assert sign_test(3, 3) == 1
    wins = np.array([True] * 9 + [False] * 3)
    assert sign_test(9, 3) == mcnemar(wins, ~wins).p_value
