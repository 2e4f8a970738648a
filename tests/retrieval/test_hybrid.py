from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadeum.core.errors import DataError
from dadeum.retrieval.hybrid import best_weight, fused
from dadeum.retrieval.ranking import NOTHING, Ranking


def ranking(*rows: list[int]) -> Ranking:
    width = max(map(len, rows), default=0)
    positions = np.array([row + [NOTHING] * (width - len(row)) for row in rows], dtype=np.int64)
    return Ranking(positions, np.where(positions == NOTHING, -np.inf, -np.arange(width)).astype(np.float32))


def test_by_hand() -> None:
    found = fused([ranking([7, 3, 5], [1]), ranking([5, 7], [])], 10).rows()
    assert [position for position, _ in found[0]] == [7, 5, 3]
    assert [score for _, score in found[0]] == pytest.approx([1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62])
    assert found[1] == [(1, pytest.approx(1 / 61))]


def test_weights_and_smoothing() -> None:
    words, meaning = ranking([0, 1]), ranking([1, 0])
    assert fused([words, meaning], 2).positions.tolist() == [[0, 1]]  # equal: by position
    assert fused([words, meaning], 2, [1, 2]).positions.tolist() == [[1, 0]]
    assert fused([words, ranking([2])], 3, [1, 0]).rows()[0] == [
        (0, pytest.approx(1 / 61)), (1, pytest.approx(1 / 62))
    ]  # fmt: skip
    assert fused([words], 1, smoothing=0).rows() == [[(0, 1.0)]]


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_cannot_be(weights: list[float]) -> None:
    with pytest.raises(DataError) as caught:
        fused([ranking([0]), ranking([1])], 1, weights)
    assert str(weights) in str(caught.value)


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), min_size=2, max_size=4), st.integers(1, 8))
def test_the_same_as_a_dictionary(rows: list[list[int]], k: int) -> None:
    expected: dict[int, float] = {}
    for row in rows:
        for rank, position in enumerate(row, 1):
            expected[position] = expected.get(position, 0) + 1 / (60 + rank)
    found = fused([ranking(row) for row in rows], k).rows()[0]
    assert dict(found) == {position: pytest.approx(expected[position]) for position, _ in found}
    assert len(found) == min(k, len(expected))
    scores = [score for _, score in found]
    assert scores == pytest.approx(sorted(expected.values(), reverse=True)[:k])


def test_the_weight_follows_who_is_right() -> None:
    right, wrong = ranking(*[[row, 50, 60] for row in range(9)]), ranking(*[[70, 80, 90] for _ in range(9)])
    gold = [{row} for row in range(9)]
    assert best_weight(right, wrong, gold) == 0
    assert best_weight(wrong, right, gold) >= 1
    # Words know the first half, meaning the second: together they know all.
    halves = [[row, 99] if row < 5 else [99, row] for row in range(9)]
    others = [[row + 30, row] if row < 5 else [row, 98] for row in range(9)]
    chosen = best_weight(ranking(*halves), ranking(*others), gold)
    assert [row[0] for row in fused([ranking(*halves), ranking(*others)], 1, [1, chosen]).positions] == list(range(9))
