from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dadeum.core.stats import bootstrap, bootstrap_counts, mcnemar


def right(only_first: int, only_second: int, both: int = 5, neither: int = 3) -> tuple[np.ndarray, np.ndarray]:
    first = [True] * only_first + [False] * only_second + [True] * both + [False] * neither
    second = [False] * only_first + [True] * only_second + [True] * both + [False] * neither
    return np.array(first, dtype=bool), np.array(second, dtype=bool)


# -- McNemar --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        (8, 2, 0.109375),  # 2 · (C(10,0) + C(10,1) + C(10,2)) / 2^10 = 2 · 56 / 1024
        (2, 8, 0.109375),
        (6, 0, 0.03125),  # 2 / 2^6
        (5, 0, 0.0625),  # five rows can never be significant
        (1, 0, 1.0),
        (3, 3, 1.0),  # 2 · tail is above 1
        (0, 0, 1.0),
    ],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, p_value: float) -> None:
    found = mcnemar(*right(only_first, only_second))
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(p_value, abs=1e-15)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 9), st.integers(0, 9))
def test_mcnemar_is_the_binomial_test_of_the_rows_that_differ(first: int, second: int, both: int, neither: int) -> None:
    found = mcnemar(*right(first, second, both, neither))
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_rows_is_exact_and_quick() -> None:
    first, second = right(10_200, 9_800)
    started = time.perf_counter()
    found = mcnemar(first, second)
    assert time.perf_counter() - started < 1
    assert found.p_value == pytest.approx(binomtest(9_800, 20_000).pvalue, rel=1e-6)


# -- bootstrap ------------------------------------------------------------------------------------
def test_bootstrap_of_two_rows_by_hand() -> None:
    # Resamples of (0, 1) have mean 0, 1/2, 1 with probability 1/4, 1/2, 1/4: both 2.5 % tails lie in the outer ones.
    values = np.array([0.0, 1.0])
    found = bootstrap(lambda rows: float(values[rows].mean()), 2, seed=1)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_bootstrap_leaves_out_resamples_without_a_value_and_no_rows_give_a_point() -> None:
    found = bootstrap(lambda rows: float("nan") if rows[0] == 0 else float(rows[0]), 2, seed=3)
    assert (found.low, found.high) == (1.0, 1.0)
    empty = bootstrap(lambda rows: 0.0, 0, seed=3)
    assert (empty.value, empty.low, empty.high) == (0.0, 0.0, 0.0)
    nowhere = bootstrap(lambda rows: float("nan"), 3, seed=3)
    assert np.isnan([nowhere.value, nowhere.low, nowhere.high]).all()


def share(counts: np.ndarray) -> np.ndarray:
    """Share of rows in the first cell."""
    first: np.ndarray = counts[:, 0] / counts.sum(1)
    return first


def test_bootstrap_counts_by_hand() -> None:
    # 95 % of Binomial(100, 0.8) / 100 lie in 0.72..0.87 (its 2.5 % and 97.5 % quantiles).
    found = bootstrap_counts(share, np.array([80, 20]), seed=7, samples=20_000)
    assert found.value == 0.8
    assert found.low == pytest.approx(0.72, abs=0.011)
    assert found.high == pytest.approx(0.87, abs=0.011)


def test_bootstrap_counts_is_the_row_bootstrap_without_its_rows() -> None:
    values = np.array([1.0] * 37 + [0.0] * 23)
    by_rows = bootstrap(lambda rows: float(values[rows].mean()), 60, seed=5, samples=8000)
    by_counts = bootstrap_counts(share, np.array([37, 23]), seed=5, samples=8000)
    assert by_counts.value == pytest.approx(by_rows.value)
    # Two draws of one distribution, whose steps are 1/60.
    assert by_counts.low == pytest.approx(by_rows.low, abs=0.017)
    assert by_counts.high == pytest.approx(by_rows.high, abs=0.017)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.integers(0, 2**32 - 1))
def test_bootstrap_counts_encloses_a_mean_and_repeats_with_its_seed(counts: list[int], seed: int) -> None:
    found = bootstrap_counts(share, np.array(counts), seed, samples=200)
    assert 0 <= found.low <= found.high <= 1
    # A median-unbiased statistic lies inside its own percentile interval, give or take one row.
    slack = 1 / sum(counts) + 1e-12
    assert found.low - slack <= found.value <= found.high + slack
    assert bootstrap_counts(share, np.array(counts), seed, samples=200) == found


def test_bootstrap_counts_draws_the_asked_number_in_blocks() -> None:
    drawn: list[int] = []

    def statistic(counts: np.ndarray) -> np.ndarray:
        drawn.append(len(counts))
        assert (counts.sum(1) == 3000).all()
        return share(counts)

    bootstrap_counts(statistic, np.ones(3000, dtype=int), seed=1, samples=1000)
    value, *blocks = drawn
    assert value == 1
    assert sum(blocks) == 1000
    assert len(blocks) > 1


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(11)
    covered = 0
    for trial in range(400):
        hits = int(random.binomial(200, 0.8))
        found = bootstrap_counts(share, np.array([hits, 200 - hits]), seed=trial, samples=400)
        covered += found.low <= 0.8 <= found.high
    # 95 % of 400 is 380; the percentile bootstrap of 200 rows comes a little short of it.
    assert 0.91 <= covered / 400 <= 0.98
