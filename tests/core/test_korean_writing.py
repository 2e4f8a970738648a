"""Particles fit the word before them, and numbers in words are read back as the same numbers."""

from __future__ import annotations

import pytest

from dadeum.core.korean_quantities import quantities
from dadeum.core.korean_writing import Word, fitting, native, sino


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{0:은}", ("책은", "나무는", "서울은")),
        ("{0:이}", ("책이", "나무가", "서울이")),
        ("{0:으로}", ("책으로", "나무로", "서울로")),
        ("{0:이라}고", ("책이라고", "나무라고", "서울이라고")),
        ("‘{0:’을}", ("‘책’을", "‘나무’를", "‘서울’을")),
        ("{0}", ("책", "나무", "서울")),
    ],
)
def test_particles(template: str, written: tuple[str, ...]) -> None:
    assert tuple(template.format(Word(word)) for word in ("책", "나무", "서울")) == written


def test_digits_are_read_before_a_particle_is_chosen() -> None:
    read = {"2": "를", "3": "을", "10": "을", "100": "을", "1,000": "을", "20,000": "을", "105": "를", "0": "을"}
    assert {number: fitting(number, "을") for number in read} == read
    assert fitting("5월", "으로") == "로"
    with pytest.raises(KeyError):
        fitting("책", "마저")


def test_numbers_in_words() -> None:
    assert sino(35_700) == "삼만 오천칠백"
    assert sino(110_000) == "십일만"
    assert sino(10_000) == "만"
    assert sino(100_010_000) == "일억 일만"
    assert sino(0) == "영"
    assert [native(number) for number in (1, 3, 20, 21, 99)] == ["한", "세", "스무", "스물한", "아흔아홉"]
    with pytest.raises(ValueError, match="100"):
        native(100)


@pytest.mark.parametrize("number", [17, 305, 1_000, 48_016, 901_000, 25_540_000, 300_000_120])
def test_numbers_are_read_back(number: int) -> None:
    assert [quantity.value for quantity in quantities(f"{sino(number)} 원입니다.")] == [number]
