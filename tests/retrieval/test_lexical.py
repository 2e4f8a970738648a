from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadeum.retrieval import lexical
from dadeum.retrieval.lexical import Lexical
from dadeum.retrieval.words import content_words, signature, spaced_words

WORDS = st.lists(st.sampled_from("가나다라마바사"), max_size=12)


def naive(corpus: list[list[str]], question: list[str], k: int) -> list[tuple[int, float]]:
    """The textbook, one chunk and one word at a time."""
    mean = sum(map(len, corpus)) / len(corpus) or 1
    found = []
    for position, chunk in enumerate(corpus):
        times, score = Counter(chunk), 0.0
        for word in question:
            df = sum(word in other for other in corpus)
            if times[word]:
                idf = math.log(1 + (len(corpus) - df + 0.5) / (df + 0.5))
                score += idf * times[word] / (times[word] + 1.5 * (0.25 + 0.75 * len(chunk) / mean))
        if score:
            found.append((position, score))
    return sorted(found, key=lambda one: (-np.float32(round(one[1], 5)), one[0]))[:k]


@given(corpus=st.lists(WORDS, min_size=1, max_size=15), questions=st.lists(WORDS, min_size=1, max_size=5))
@settings(max_examples=80)
def test_the_same_as_the_textbook(corpus: list[list[str]], questions: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical, "_BLOCK", 2)
        rows = Lexical(corpus).search(questions, len(corpus)).rows()
        few = Lexical(corpus).search(questions, 3).rows()
    assert few == [row[:3] for row in rows]
    for question, row in zip(questions, rows, strict=True):
        expected = dict(naive(corpus, question, len(corpus)))
        assert {position: pytest.approx(score, rel=1e-5) for position, score in row} == expected
        scores = [score for _, score in row]
        assert scores == sorted(scores, reverse=True)


def test_by_hand() -> None:
    # N 2, df 1: ln(1 + 1.5/1.5) = ln 2; length 2 of mean 1.5: 1.5 · (0.25 + 0.75 · 4/3) = 1.875; ln 2 / 2.875.
    [[(position, score)]] = Lexical([["나"], ["가", "다"]]).search([["가"]], 5).rows()
    assert position == 1
    assert score == pytest.approx(math.log(2) / 2.875)


def test_length_counts_repeated_words() -> None:
    # Both have 나 twice and 가 once or four times: the longer one gets less for 나.
    rows = Lexical([["나", "나", "가", "가", "가", "가"], ["나", "나", "가"]]).search([["나"]], 2).rows()
    assert [position for position, _ in rows[0]] == [1, 0]


def test_the_same_as_bm25s() -> None:
    bm25s = pytest.importorskip("bm25s", reason="bm25s is not installed")
    rng = np.random.default_rng(0)
    corpus = [[f"w{word}" for word in rng.zipf(1.5, size=rng.integers(1, 60)) % 500] for _ in range(200)]
    asked = [[f"w{word}" for word in rng.zipf(1.5, size=6) % 500] for _ in range(40)]
    peer = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    peer.index(corpus, show_progress=False)
    found = Lexical(corpus).search(asked, 200)
    ours = np.zeros((40, 200))
    for row, one in enumerate(found.rows()):
        for position, score in one:
            ours[row, position] = score
    theirs = np.stack([peer.get_scores(one) for one in asked])
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_equal_chunks_stand_by_position_also_where_the_list_ends() -> None:
    corpus = [["가", "나"]] * 3 + [["가", "가"]] + [["나", "가"]] * 3
    positions = Lexical(corpus).search([["나", "가"], ["가", "나"]], 4).positions
    assert positions.tolist() == [[0, 1, 2, 4]] * 2


def test_words_that_nobody_has_find_nothing() -> None:
    assert Lexical([["가"], []]).search([["없음"], [], ["가"]], 2).rows()[:2] == [[], []]
    assert Lexical([]).search([["가"]], 3).rows() == [[]]
    assert Lexical([[], []]).search([["가"]], 3).rows() == [[]]


def test_particles_and_endings_do_not_keep_words_apart() -> None:
    asked, chunk, spaced = "지원금을 신청하려면?", "지원금은 주민센터에서 신청합니다", spaced_words
    assert set(content_words([asked])[0]) & set(content_words([chunk])[0]) >= {"지원금", "신청"}
    assert not set(spaced([asked])[0]) & set(spaced([chunk])[0])
    assert content_words(["#Person1#: PDF 3쪽"]) == [["pdf", "3", "쪽"]]
    assert content_words([]) == []


def test_text_in_decomposed_hangul_is_the_same_text() -> None:
    import unicodedata

    assert content_words([unicodedata.normalize("NFD", "지원금")]) == content_words(["지원금"])


def test_a_large_corpus_is_read_in_blocks_and_its_progress_told() -> None:
    told: list[tuple[str, int, int]] = []
    found = content_words(["가방", "신발"] * 300, lambda *step: told.append(step))
    assert found == [["가방"], ["신발"]] * 300
    assert told == [("retrieval.words", 512, 600), ("retrieval.words", 600, 600)]
    assert "kiwi" in signature()
