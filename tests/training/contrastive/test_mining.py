from __future__ import annotations

from typing import Any

import numpy as np

from dadeum.core.stages import Negatives
from dadeum.documents.chunks import Chunk
from dadeum.training.contrastive.alike import alike
from dadeum.training.contrastive.found import Searched
from dadeum.training.contrastive.lessons import Asked, Lessons
from dadeum.training.contrastive.mining import Vectors, mine


def chunk(document: str, text: str, repeated: int = 0) -> Chunk:
    return Chunk(f"{document}#{text[:4]}", document, text, 1, 1, len(text), repeated)


CHUNKS = [
    chunk("a", "도서관 입장료는 천 원입니다"),
    chunk("b", "도서관 입장료는 무료입니다"),
    chunk("c", "도서관 주차장은 넓습니다"),
    chunk("d", "수영장 물은 차갑습니다"),
]
ASKED = Asked("q", "도서관 입장료는 얼마인가요?", (0,), frozenset({0}))


def vectors(question: list[float], *chunks: list[float]) -> Vectors:
    def unit(rows: list[list[float]]) -> np.ndarray:
        found = np.array(rows, dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return Vectors(unit([question]), unit(list(chunks)))


FAR = vectors([1, 0], [1, 0], [0.5, 1], [0.3, 1], [0.2, 1])
"""The model finds the gold chunk right and all others far away."""


def mined(given: Vectors = FAR, barred: set[int] | None = None, asked: Asked = ASKED, **settings: Any) -> Any:
    return mine([asked], CHUNKS, barred or set(), given, Negatives(**settings))


def test_words_find_what_shares_most_of_them() -> None:
    found = mined(number=2)
    assert found.rows[0].negatives == (1, 2)
    assert found.counts["by_words"] == 2
    assert found.counts["short"] == 0


def test_the_model_finds_what_is_near_to_it() -> None:
    near = vectors([1, 0], [1, 0], [0.1, 1], [0.2, 1], [0.8, 1])
    assert mined(near, by=("model",)).rows[0].negatives == (3,)


def test_both_find_in_turn() -> None:
    near = vectors([1, 0], [1, 0], [0.1, 1], [0.2, 1], [0.8, 1])
    found = mined(near, by=("words", "model"), number=3)
    assert found.rows[0].negatives == (1, 3, 2)
    second = mine([ASKED, ASKED], CHUNKS, set(), Vectors(near.questions[[0, 0]], near.chunks),
                  Negatives(by=("words", "model")))  # fmt: skip
    assert [row.negatives for row in second.rows] == [(1,), (3,)]


def test_what_the_model_finds_nearly_as_similar_is_left_out() -> None:
    close = vectors([1, 0], [1, 0.5], [1, 0.55], [0.3, 1], [0.2, 1])
    found = mined(close, number=1)
    assert found.rows[0].negatives == (2,)
    assert found.counts["similar"] == 1
    assert mined(close, number=1, margin=0).rows[0].negatives == (1,)
    opposite = vectors([-1, 0], [1, 0.5], [1, 0.45], [0.3, -1], [-1, 0])
    assert mined(opposite, number=3, margin=0).rows[0].negatives == (1,)


def test_what_answers_too_is_left_out() -> None:
    found = mined(asked=Asked("q", ASKED.text, (0,), frozenset({0, 1})), number=3)
    assert found.rows[0].negatives == (2,)
    assert found.counts["alike"] == 1
    assert found.counts["short"] == 1


def test_held_out_chunks_are_not_taught_as_wrong() -> None:
    assert mined(barred={1}).rows[0].negatives == (2,)
    nothing = mined(barred={0, 1, 2, 3})
    assert nothing.rows[0].negatives == ()
    assert nothing.counts["short"] == 1


def test_depth_counts_what_is_not_gold() -> None:
    assert mined(number=2, depth=1).rows[0].negatives == (1,)


def test_each_gold_chunk_is_a_row() -> None:
    both = Asked("q", ASKED.text, (0, 1), frozenset({0, 1}))
    found = mined(asked=both)
    assert [(row.gold, row.negatives) for row in found.rows] == [(0, (2,)), (1, (2,))]
    assert [row.gold for row in mined(asked=both, number=0).rows] == [0, 1]


def test_documents_of_other_splits_are_barred() -> None:
    rows = {"train": [0], "validation": [1], "test": [2]}
    splits = {split: [Asked(split, split, (at,), frozenset({at})) for at in ats] for split, ats in rows.items()}
    lessons = Lessons(CHUNKS, splits)
    assert lessons.barred("train") == {1, 2}
    assert lessons.barred("validation") == {0, 2}


def test_what_says_the_same_is_known() -> None:
    long = "이 사업은 만 육십오 세 이상 어르신에게 매월 이십만 원을 드립니다"
    texts = [
        chunk("a", long),
        chunk("b", f"{long} 신청은 주민센터에서 합니다"),
        chunk("c", "전혀 다른 이야기를 하는 조각입니다 정말로 그렇습니다"),
        chunk("c", "정말로 그렇습니다 이어지는 다음 조각입니다 끝", repeated=9),
        chunk("d", long),
        chunk("e", "이 사업은 만 육십오 세 이하 어린이와 그 부모에게 드리는 안내입니다"),
    ]
    assert alike(texts, [0, 2]) == {0: {0, 1, 4}, 2: {2, 3}}
    assert alike(texts, [3]) == {3: {2, 3}}


def test_mrr_counts_the_first_right_chunk() -> None:
    """Ranks 1 and 3 of the corpus: (1 + 1/3) / 2."""
    asked = [Asked("a", "a", (0,), frozenset({0})), Asked("b", "b", (2,), frozenset({2, 9}))]
    searched = Searched.of(asked, 10, seed=0)
    chunks = np.eye(10, dtype=np.float32)
    questions = np.zeros((2, 10), dtype=np.float32)
    questions[0, 0] = 1
    questions[1, [3, 4, 9]] = [0.8, 0.5, 0.3]
    assert searched.mrr(questions, chunks[searched.places]) == (1 + 1 / 3) / 2
