"""Extractive fragments, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dadeum.evaluation.metrics import copied
from tests.evaluation.metrics.summarizing import DIALOGUE, summarized


def test_fragments_are_the_longest_runs_from_left_to_right() -> None:
    assert copied.fragments(list("abxcde"), list("cdeab")) == [2, 3]
    assert copied.fragments(list("aab"), list("ab")) == [1, 2]
    assert copied.fragments(list("xyz"), list("abc")) == []


def test_a_turn_taken_over_is_copied_whole() -> None:
    found = copied.per_row(summarized(["7시에 서울역에서 Jimmy를 만나자."]))
    assert found["copied"] == pytest.approx([1])
    assert found["coverage"] == pytest.approx([1])
    assert found["density"][0] >= copied.LONG


def test_short_runs_are_covered_but_not_copied() -> None:
    """Words 고양이 / 서울역 에서 / 자 / ㄴ다: of them 서울역 에서 is a run of two."""
    found = copied.per_row(summarized(["고양이 서울역에서"]))
    assert found["copied"] == pytest.approx([0])
    assert found["coverage"] == pytest.approx([2 / 3])
    assert found["density"] == pytest.approx([4 / 3])


def test_an_empty_answer_is_not_judged() -> None:
    assert all(np.isnan(values).all() for values in copied.per_row(summarized([""], dialogues=[DIALOGUE])).values())
