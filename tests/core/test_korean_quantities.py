"""Numbers by their value, however they are written."""

from __future__ import annotations

import pytest

from dadeum.core.korean_quantities import parsed, quantities, values


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3만5천", 35_000), ("이백오십만", 2_500_000), ("스물다섯", 25), ("열두", 12), ("일이삼", 123),
        ("350,000", 350_000), ("1억2천만", 120_000_000), ("3.5만", 35_000), ("만", 10_000), ("백이십", 120),
        ("수십", None),
        ("칠조", 7 * 10**12),
    ],
)  # fmt: skip
def test_one_number(written: str, value: float | None) -> None:
    assert parsed(written) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("표는 3만 5천 원, 회비는 1억 2천만 원이다.", [("3만 5천", 35_000), ("1억 2천만", 120_000_000)]),
        ("2023년 5월 21일 15:30", [("2023", 2023), ("5", 5), ("21", 21), ("15", 15), ("30", 30)]),
        ("두 사람과 스물다섯 명", [("두", 2), ("스물다섯", 25)]),
        ("이틀 뒤", [("이틀", 2)]),
        ("한 친구가 하나만 샀다", []),
        ("수십 명이 몇 천 원을 두세 번", []),
        ("#Person1#은 갔다", []),
    ],
)
def test_numbers_of_a_text(text: str, found: list[tuple[str, float]]) -> None:
    assert [(text[each.start : each.end], each.value) for each in quantities(text)] == found


def test_hours_are_equal_half_a_day_apart_and_nothing_else_is() -> None:
    (hour,) = quantities("15시에 본다")
    assert hour.is_among(frozenset({3.0}))
    (people,) = quantities("15명이 본다")
    assert not people.is_among(frozenset({3.0}))


def test_words_that_also_say_a_number_support_it() -> None:
    assert {30, 12, 2, 3} <= values("세 시 반에 두세 명이 정오에")
