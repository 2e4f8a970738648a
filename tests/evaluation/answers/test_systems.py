from __future__ import annotations

from dataclasses import replace
from typing import Any

from dadeum.core.examples import Example, answer_of
from dadeum.evaluation.answers.systems import constant, nearest


def rows(recipe_with: Any, row: Any, *pairs: tuple[str, str]) -> list[Example]:
    recipe = recipe_with()
    return [replace(row(recipe, number, answer), text=text) for number, (text, answer) in enumerate(pairs)]


def test_constant_says_the_commonest_answer_to_everyone(chat_world: Any) -> None:
    train = rows(chat_world.recipe_with, chat_world.row, ("a", "하나"), ("b", "둘"), ("c", "둘"))
    found = constant(train, train)
    assert found.answers == ["둘"] * 3
    assert found.notices == []


def test_constant_says_so_where_no_answer_is_common(chat_world: Any) -> None:
    train = rows(chat_world.recipe_with, chat_world.row, ("a", "하나"), ("b", "둘"))
    found = constant(train, train[:1])
    assert found.answers == ["하나"]
    assert [notice.key for notice in found.notices] == ["evaluate.answers.constant_is_one_of_many"]


def test_nearest_returns_the_answer_of_the_most_similar_question(chat_world: Any) -> None:
    train = rows(
        chat_world.recipe_with, chat_world.row,
        ("면접이 너무 떨려요", "숨을 고르세요"), ("전공을 바꾸고 싶어요", "상담을 받아 보세요"),
        ("면접이 너무 떨려요", "나중 답"),
    )  # fmt: skip
    asked = rows(
        chat_world.recipe_with, chat_world.row, ("면접만 보면 떨려요", "?"), ("전공 변경이 고민", "?"), ("zzz", "?")
    )
    found = nearest(train, asked)
    assert found.answers == ["숨을 고르세요", "상담을 받아 보세요", "숨을 고르세요"]
    assert found.seconds is not None


def test_nearest_without_any_text_answers_like_constant(chat_world: Any) -> None:
    train = rows(chat_world.recipe_with, chat_world.row, ("", "하나"), ("  ", "둘"), ("", "둘"))
    assert nearest(train, train).answers == ["둘"] * 3
    assert answer_of(train[0]) == "하나"
