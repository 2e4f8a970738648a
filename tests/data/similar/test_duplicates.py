from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadeum.data.similar import candidates
from dadeum.data.similar.candidates import band_width, count_pairs, cross_pairs, crowded, find_buckets, rare_shingles
from dadeum.data.similar.duplicates import LEAK_SIMILARITY, near_copies, near_groups, nearest_known, template_groups
from dadeum.data.similar.fingerprints import NUM_HASHES, Memory, fingerprint
from dadeum.data.similar.shingles import MIN_CHARACTERS, shingle

SYLLABLES = "가나다라마바사아자차카타파하고노도로모보소오조초코토포호구누두루무부수우주추쿠투푸후"


def jaccard(first: str, second: str) -> float:
    """By the book, on Python sets; texts under the minimum are only like themselves."""
    if min(len(first), len(second)) < MIN_CHARACTERS:
        return float(first == second)
    a, b = ({text[i : i + 3] for i in range(len(text) - 2)} for text in (first, second))
    return len(a & b) / len(a | b)


def families(num: int, seed: int = 0) -> list[str]:
    """Random subjects with mistyped copies, shared beginnings and short texts."""
    chance = random.Random(seed)
    texts: list[str] = []
    while len(texts) < num:
        if texts and chance.random() < 0.6:
            letters = list(chance.choice(texts))
            for _ in range(chance.randint(0, 4)):
                letters[chance.randrange(len(letters))] = chance.choice(SYLLABLES)
            texts.append("".join(letters))
        else:
            body = "".join(chance.choices(SYLLABLES + " ", k=chance.choice((3, 5, 12, 30))))
            texts.append(chance.choice(("(광고) ", "")) + body)
    return texts


# -- shingles -------------------------------------------------------------------------------------
def test_a_worked_similarity() -> None:
    # abcde: abc bcd cde. abcdx: abc bcd cdx. 2 shared of 4.
    assert shingle(["abcde", "abcdx"]).similarity(np.array([0]), np.array([1])).tolist() == [0.5]


def test_short_texts_and_no_texts_have_no_shingles() -> None:
    assert shingle(["", "가", "가나다라", "가나다라마"]).sizes.tolist() == [0, 0, 0, 3]
    assert shingle([]).sizes.tolist() == []
    assert shingle(["가"]).similarity(np.array([0]), np.array([0])).tolist() == [0.0]


texts_strategy = st.lists(st.text("가나다 ab", max_size=14), min_size=1, max_size=8)


@given(texts_strategy, st.sampled_from([0.4, 0.7, 0.9, 1.0]))
def test_similarity_and_its_shortcut_agree_with_sets(texts: list[str], similarity: float) -> None:
    shingles = shingle(texts)
    left, right = (index.ravel() for index in np.indices((len(texts), len(texts))))
    expected = [
        jaccard(texts[i], texts[j]) if min(len(texts[i]), len(texts[j])) >= MIN_CHARACTERS else 0.0
        for i, j in zip(left, right, strict=True)
    ]
    np.testing.assert_allclose(shingles.similarity(left, right), expected)
    found = set(zip(*(side.tolist() for side in shingles.alike(left, right, similarity)), strict=True))
    assert found == {
        (i, j)
        for i, j, value in zip(left.tolist(), right.tolist(), expected, strict=True)
        if value >= similarity - 1e-9
    }


# -- candidates -----------------------------------------------------------------------------------
@pytest.mark.parametrize("similarity", [0.31, 0.5, 0.7, 0.9, 1.0])
def test_bands_miss_less_than_one_pair_in_a_million(similarity: float) -> None:
    width = band_width(similarity)
    assert (1 - similarity**width) ** (NUM_HASHES // width) <= 1e-6
    assert similarity == 1.0 or (1 - similarity ** (width + 1)) ** (NUM_HASHES // (width + 1)) > 1e-6


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.9])
@pytest.mark.parametrize("many", [0, 10**9])
def test_every_like_pair_meets_in_a_bucket(similarity: float, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MANY_PAIRS", many)
    texts = list(dict.fromkeys(families(300)))
    part = np.arange(len(texts))
    met = {
        tuple(sorted(pair))
        for bucket in find_buckets(fingerprint(texts), similarity, part)
        for left, right in cross_pairs(bucket, part)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    }
    like = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if texts[i] != texts[j] and jaccard(texts[i], texts[j]) >= similarity
    }
    assert like
    assert like <= met


def test_boilerplate_around_every_text_is_left_to_the_rarest_shingles(
    monkeypatch: pytest.MonkeyPatch, distinct: Callable[[int], list[str]]
) -> None:
    monkeypatch.setattr(candidates, "MANY_PAIRS", 1000)
    texts = [f"안녕하세요 고객센터입니다 {subject} 감사합니다" for subject in distinct(400)]
    prints = fingerprint(texts)
    part = np.arange(len(texts))
    bands = [crowded(keys, rows, part) for keys, rows in candidates.minhash_bands(prints, 0.7)]
    rare = crowded(*rare_shingles(prints.shingles, 0.7), part)
    assert count_pairs(rare, part) < sum(count_pairs(band, part) for band in bands) / 10
    assert sum(count_pairs(bucket, part) for bucket in find_buckets(prints, 0.7, part)) == count_pairs(rare, part)


def test_pairs_come_in_windows_that_together_are_all_pairs() -> None:
    part = np.array([0, 0, 1, 1, 1, 0])
    buckets = crowded(np.array([7, 7, 7, 7, 7, 3]), np.array([0, 1, 2, 3, 4, 5]), part)

    def pairs(skip: int, most: int | None) -> list[tuple[int, int]]:
        return [
            pair
            for left, right in cross_pairs(buckets, part, skip, most)
            for pair in zip(left.tolist(), right.tolist(), strict=True)
        ]

    assert sorted(pairs(0, None)) == [(left, right) for left in (0, 1) for right in (2, 3, 4)]
    assert sorted(pairs(0, 1) + pairs(1, 2)) == sorted(pairs(0, None))
    assert count_pairs(buckets, part) == 6
    assert count_pairs(buckets, part, skip=2) == 2


# -- duplicates -----------------------------------------------------------------------------------
def greedy(texts: Sequence[str], similarity: float) -> dict[int, int]:
    """Near copies by comparing everything with everything."""
    kept: list[int] = []
    copies = {}
    for number, text in enumerate(texts):
        like = next((other for other in kept if jaccard(texts[other], text) >= similarity - 1e-9), None)
        if like is None:
            kept.append(number)
        else:
            copies[number] = like
    return copies


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.9])
def test_near_copies_are_those_of_a_comparison_of_all_with_all(similarity: float) -> None:
    texts = families(400, seed=3)
    found = near_copies(texts, similarity)
    assert {copy: kept for copy, (kept, _) in found.items()} == greedy(texts, similarity)
    for copy, (kept, value) in found.items():
        assert value == pytest.approx(jaccard(texts[kept], texts[copy]))


@settings(max_examples=30)
@given(st.lists(st.text("가나다라", max_size=9), max_size=12))
def test_near_copies_of_any_texts(texts: list[str]) -> None:
    assert {copy: kept for copy, (kept, _) in near_copies(texts, 0.7).items()} == greedy(texts, 0.7)


def components(texts: Sequence[str], like: Sequence[tuple[int, int]]) -> list[int]:
    """First member of every text's component, by repeated relabelling."""
    label = list(range(len(texts)))
    changed = True
    while changed:
        changed = False
        for i, j in like:
            low = min(label[i], label[j])
            changed = changed or label[i] != low or label[j] != low
            label[i] = label[j] = low
    return label


def test_groups_are_the_components_over_like_pairs() -> None:
    texts = families(300, seed=5)
    like = [(i, j) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= 0.7 - 1e-9]
    assert near_groups(texts, 0.7).tolist() == components(texts, like)


def test_template_groups_join_what_differs_in_names_and_numbers_only() -> None:
    texts = ["김민수님의 3월", "이영희님의 4월", "회의 일정 안내드립니다", "회의 일정 안내드립니다."]
    assert jaccard(texts[0], texts[1]) < LEAK_SIMILARITY
    assert template_groups(texts).tolist() == [0, 0, 2, 2]
    assert template_groups([]).tolist() == []


def test_nearest_known_finds_a_like_text_exactly_where_there_is_one() -> None:
    texts, known = families(200, seed=7), families(300, seed=7)[150:]
    found = nearest_known(texts, known, 0.7)
    for text, partner in zip(texts, found.tolist(), strict=True):
        best = max(jaccard(text, other) for other in known)
        assert (partner >= 0) == (best >= 0.7 - 1e-9)
        assert partner < 0 or jaccard(text, known[partner]) >= 0.7 - 1e-9
    assert nearest_known([], known, 0.7).tolist() == []
    assert nearest_known(["가나다라마"], [], 0.7).tolist() == [-1]


def test_the_same_texts_give_the_same_result_and_memory_changes_nothing() -> None:
    texts = families(300, seed=9)
    memory = Memory()
    first = near_copies(texts, 0.9, memory)
    assert near_copies(texts, 0.9) == near_copies(texts, 0.9, memory) == first
    half = texts[::2]
    assert near_groups(half, 0.7, memory).tolist() == near_groups(half, 0.7).tolist()
    assert nearest_known(half, texts[1::2], 0.7, memory).tolist() == nearest_known(half, texts[1::2], 0.7).tolist()


def test_a_family_of_thousands_costs_no_square() -> None:
    texts = [
        f"고객님의 주문번호 {number * 7919 % 100_003} 상품이 내일 도착 예정입니다 감사합니다"
        for number in range(20_000)
    ]
    started = time.process_time()
    assert len(set(near_groups(texts, 0.6).tolist())) == 1
    assert (nearest_known(texts[:2000], texts[2000:], 0.6) >= 0).all()
    assert time.process_time() - started < 30


def test_template_groups_join_texts_that_share_a_key() -> None:
    texts = ["가나다라마바사", "자차카타파하거", "노도로모보소오", "구누두루무부수", "기니디리미비시"]
    kin = [["a"], ["b", "c"], [], ["c"], ["d", "a"]]
    assert template_groups(texts, kin=kin).tolist() == [0, 1, 2, 1, 0]
    assert template_groups(texts, kin=[[]] * 5).tolist() == template_groups(texts).tolist() == [0, 1, 2, 3, 4]
    assert template_groups(texts, kin=[["a"], ["b"], ["a", "b"], [], []]).tolist() == [0, 0, 0, 3, 4]
