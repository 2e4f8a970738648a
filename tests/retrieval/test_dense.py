from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadeum.retrieval import dense
from dadeum.retrieval.dense import nearest
from dadeum.retrieval.ranking import NOTHING


def unit(rows: int, dimensions: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(rows, dimensions)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def brute(questions: np.ndarray, chunks: np.ndarray, k: int) -> np.ndarray:
    scores = np.round(questions.astype(np.float64) @ chunks.astype(np.float64).T, 6)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


@given(
    num_questions=st.integers(1, 9), num_chunks=st.integers(1, 60), k=st.integers(1, 20), seed=st.integers(0, 999),
    copies=st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=60)
def test_the_same_as_sorting_everything(num_questions: int, num_chunks: int, k: int, seed: int, copies: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dense, "_QUESTIONS_AT_ONCE", 4)
        patch.setattr(dense, "_CHUNKS_AT_ONCE", 7)
        questions = unit(num_questions, 8, seed)
        chunks = np.repeat(unit(num_chunks, 8, seed + 1), copies, axis=0)
        found = nearest(questions, chunks, k)
    np.testing.assert_array_equal(found.positions, brute(questions, chunks, k))
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_among_equals_the_lower_position_wins_in_every_block() -> None:
    vector = unit(1, 384, 0)
    found = nearest(vector, np.repeat(vector, 9000, axis=0), 20)
    assert found.positions[0].tolist() == list(range(20))
    assert found.scores[0] == pytest.approx(1)


def test_a_question_alone_is_answered_as_among_others() -> None:
    questions, chunks = unit(600, 384, 1), np.vstack([unit(3000, 384, 2), unit(3000, 384, 2)])
    together = nearest(questions, chunks, 10)
    for row in (0, 511, 512, 599):
        alone = nearest(questions[row : row + 1], chunks, 10)
        np.testing.assert_array_equal(alone.positions[0], together.positions[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_few_or_no_chunks() -> None:
    assert nearest(unit(2, 8, 0), unit(3, 8, 1), 10).positions.shape == (2, 3)
    assert nearest(unit(2, 8, 0), np.zeros((0, 8), dtype=np.float32), 10).rows() == [[], []]
    assert nearest(np.zeros((0, 8), dtype=np.float32), unit(3, 8, 1), 2).rows() == []
    assert NOTHING not in nearest(unit(2, 8, 0), unit(3, 8, 1), 10).positions


def test_no_table_of_all_scores_is_held_and_chunks_may_lie_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "chunks.npy", unit(40_000, 16, 1))
    chunks = np.load(tmp_path / "chunks.npy", mmap_mode="r")
    questions = unit(1024, 16, 2)
    tracemalloc.start()
    found = nearest(questions, chunks, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found.positions[:5], brute(questions[:5], chunks, 10))
    # All scores would be 164 MB; a block of 512 by 4,096 is 8, its partition another 8, its comparison 2.
    assert peak < 40e6
