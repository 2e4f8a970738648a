"""KorQuAD's character F1 and its known weaknesses, which are figures of the rule and not of this program."""

from __future__ import annotations

import pytest

from dadeum.evaluation.metrics import char_f1
from tests.evaluation.metrics.summarizing import summarized


@pytest.mark.parametrize(
    ("answer", "reference", "wanted"),
    [
        ("15일에", "15일", 6 / 7),
        ("1998년 5월 21일", "1989년 2월 15일", 1.0),  # a wrong date
        ("35만원", "350,000원", 6 / 11),  # the same amount; 4 and 7 characters, 3 shared
        ("<서울> 《특별시》!", "서울특별시", 1.0),
        ("", "서울", 0.0),
    ],
)
def test_the_rule_of_korquad(answer: str, reference: str, wanted: float) -> None:
    assert char_f1.char_f1(answer, reference) == pytest.approx(wanted)


def test_the_best_of_several_references() -> None:
    assert char_f1.per_row(summarized(["서울"], [["부산", "서울"]])) == pytest.approx([1.0])
