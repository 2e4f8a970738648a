from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.stats import mcnemar
from dadeum.evaluation.comparison.significance import holm, p_of_swapping, paired_means, swaps


def names(num: int) -> list[str]:
    return [f"g{number}" for number in range(num)]


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_swapping_six_groups_that_all_point_one_way_by_hand() -> None:
    """2 of 2^6 ways are as far from 0: all as they are, all turned."""
    found = paired_means(np.full(6, 0.3), np.full(6, 0.1), names(6), seed=1, samples=200)
    assert found is not None
    assert found.p == pytest.approx(2 / 64)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))


def test_five_groups_decide_nothing() -> None:
    found = paired_means(np.ones(5), np.zeros(5), names(5), seed=1, samples=200)
    assert found is not None
    assert found.p is None


def test_rows_of_a_group_count_as_one() -> None:
    """60 rows in 6 groups say no more than 6 do; as strangers they would be sure."""
    first, second = np.tile([0.3, 0.1, 0.3, 0.3, 0.1, 0.3], 10), np.full(60, 0.2)
    together = paired_means(first, second, [f"g{number % 6}" for number in range(60)], seed=1, samples=500)
    alone = paired_means(first, second, names(60), seed=1, samples=500)
    assert together is not None
    assert alone is not None
    assert together.value == pytest.approx(alone.value)
    assert together.p > 0.3 > 0.05 > alone.p
    assert together.low < 0 < alone.low


def test_on_right_and_wrong_it_is_mcnemar() -> None:
    chance = np.random.default_rng(3)
    one, other = chance.random(300) < 0.9, chance.random(300) < 0.82
    found = paired_means(one.astype(float), other.astype(float), names(300), seed=1, samples=20_000)
    assert found is not None
    assert found.p == pytest.approx(mcnemar(one, other).p_value, abs=0.01)


def test_rows_that_one_could_not_be_judged_on_are_left_out() -> None:
    first, second = np.array([0.5, np.nan, 0.7, 0.2]), np.array([0.4, 0.9, 0.5, np.nan])
    found = paired_means(first, second, names(4), seed=1, samples=200)
    assert found is not None
    assert (found.num_rows, found.value) == (2, pytest.approx(0.15))
    assert paired_means(np.array([np.nan]), np.array([1.0]), ["a"], 1, 100) is None
    assert found.turned().value == pytest.approx(-0.15)
    assert (found.turned().low, found.turned().high) == (-found.high, -found.low)


def test_equal_runs_are_called_different_in_one_of_twenty() -> None:
    """What a p read off the bootstrap fails at with few groups."""
    chance = np.random.default_rng(0)
    called = 0
    for _ in range(400):
        difference = chance.normal(size=8)
        p = p_of_swapping(lambda swapped, found=difference: (1 - 2 * swapped) @ found, 8, 1, 500)
        called += p is not None and p < 0.05
    assert 0.02 < called / 400 < 0.08


def test_many_groups_are_drawn_in_blocks_and_the_first_changes_nothing() -> None:
    blocks = list(swaps(30, seed=1, samples=70))
    assert sum(len(block) for block in blocks) == 71
    assert not blocks[0].any()
