"""A check of general ability in sentences."""

from __future__ import annotations

import pytest

from dadeum.evaluation.ability.measure import compared
from dadeum.evaluation.ability.questions import SUBJECTS
from dadeum.evaluation.ability.words import change_sentences, sentences, subject_name
from tests.evaluation.ability.test_measure import with_right


@pytest.mark.parametrize("language", ["ko", "en"])
def test_one_model(language: str) -> None:
    first, subjects, *rest = sentences(with_right(80), "tuned", language)
    assert "160" in first and "50.0%" in first and "25%" in first
    assert all(subject_name(name, language) in subjects for name in SUBJECTS)
    assert rest == []


@pytest.mark.parametrize(("language", "word"), [("ko", "찍은 것과"), ("en", "guessing")])
def test_guessing_is_called_guessing(language: str, word: str) -> None:
    assert word in sentences(with_right(40), "base_model", language)[-1]


@pytest.mark.parametrize(
    ("num_right", "korean", "english"),
    [(100, "나빠지지 않았습니다", "not worse"), (70, "분명히 나빠졌습니다", "clearly worse")],
)
def test_the_verdict_comes_first(num_right: int, korean: str, english: str) -> None:
    change = compared(with_right(num_right), with_right(100))
    said = change_sentences(change, "before", "ko")
    assert korean in said[0]
    assert f"새로 틀린 문제 {100 - num_right}개" in said[1]
    assert english in change_sentences(change, "before", "en")[0]


def test_nothing_to_lose_is_said_in_place_of_a_verdict() -> None:
    change = compared(with_right(10), with_right(42))
    assert "잃을 것이 없었으므로" in change_sentences(change, "base_model", "ko")[0]
    assert "nothing to lose" in change_sentences(change, "base_model", "en")[0]


def test_undecided_is_said() -> None:
    change = compared(with_right(100, start=40), with_right(103))
    assert "알 수 없습니다" in change_sentences(change, "before", "ko")[0]


def test_a_shrinking_gap_is_told_before_answers_are_lost() -> None:
    kept = compared(with_right(140, gap=0.1), with_right(140, gap=0.5))
    assert kept.verdict == "no_worse"
    assert "조짐" in change_sentences(kept, "before", "ko")[-1]
    assert "조짐" not in change_sentences(compared(with_right(140), with_right(140)), "before", "ko")[-1]
