from __future__ import annotations

import numpy as np
import pytest

from dadeum.core.errors import DataError
from dadeum.retrieval.hybrid import Fusion, best_fusion, combined, is_above
from dadeum.retrieval.ranking import NOTHING, Ranking


def ranking(*rows: list[tuple[int, float]], width: int = 3) -> Ranking:
    positions = np.full((len(rows), width), NOTHING, dtype=np.int64)
    scores = np.full((len(rows), width), -np.inf, dtype=np.float32)
    for at, row in enumerate(rows):
        for place, (position, score) in enumerate(row):
            positions[at, place], scores[at, place] = position, score
    return Ranking(positions, scores)


def test_scores_are_added_on_one_scale() -> None:
    """Words 8, 6, 2 of a full row: 0.75, 0.5, 0 above its last; cosines 0.8, 0.6: shares 1 and 1.6 / 1.8."""
    words = ranking([(0, 8.0), (1, 6.0), (2, 2.0)])
    meaning = ranking([(1, 0.8), (3, 0.6)])
    found = combined(words, meaning, 4, Fusion("scores", 0.5))
    assert found.names(["a", "b", "c", "d"]) == [["b", "a", "d", "c"]]
    assert found.scores[0] == pytest.approx([0.5 + 0.5, 0.75, 0.5 * 1.6 / 1.8, 0.0])


def test_weight_zero_is_words_alone_by_either_method() -> None:
    words, meaning = ranking([(2, 5.0), (0, 1.0)]), ranking([(1, 0.9), (2, 0.5), (0, 0.4)])
    for method in ("ranks", "scores"):
        assert combined(words, meaning, 3, Fusion(method, 0.0)).names(["a", "b", "c"]) == [["c", "a"]]


def test_a_row_without_words_is_searched_by_meaning() -> None:
    found = combined(ranking([]), ranking([(1, 0.9), (0, -1.0)]), 3, Fusion("scores", 1.0))
    assert found.names(["a", "b"]) == [["b", "a"]]


def test_negative_weights_are_refused() -> None:
    with pytest.raises(DataError):
        combined(ranking([]), ranking([]), 3, Fusion("scores", -1.0))


def test_meaning_has_to_earn_its_place() -> None:
    """Of 20 questions words find none first. Meaning that finds all is taken; one that finds a single one is not."""
    words = ranking(*[[(0, 2.0), (1, 1.0)] for _ in range(20)])
    good = ranking(*[[(1, 0.9), (0, 0.1)] for _ in range(20)])
    lucky = ranking(*[[(1, 0.9), (0, 0.1)] if row == 0 else [(0, 0.9), (1, 0.1)] for row in range(20)])

    def judge(found: Ranking) -> list[float]:
        return [float(row[0] == 1) for row in found.positions]

    chosen, tried = best_fusion(words, good, judge)
    assert chosen.weight > 1
    assert max(one.figure for one in tried) == 1.0
    chosen, tried = best_fusion(words, lucky, judge)
    assert max(one.figure for one in tried) == 0.05
    assert chosen == Fusion("ranks", 0.0)


def test_one_standard_error() -> None:
    assert not is_above([1, 0, 0, 0], [0, 0, 0, 0])
    assert is_above([1, 1, 0, 0], [0, 0, 0, 0])
    assert not is_above([1.0], [0.0])
