"""Numbers and names that are not in the dialogue."""

from __future__ import annotations

import pytest

from dadeum.core.messages import LANGUAGES, catalogue
from dadeum.evaluation.metrics import unsupported
from tests.evaluation.metrics.summarizing import DIALOGUE, summarized


def shown(answer: str, kind: str, source: str = DIALOGUE) -> list[str]:
    return [answer[span.start : span.end] for span in getattr(unsupported, kind)(answer, source)]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("일곱 시에 만난다.", []),
        ("오후 7시, 곧 19시에 만난다.", []),
        ("8시에 만난다.", ["8"]),
        ("표는 35,000원이다.", []),
        ("표는 삼만오천 원이다.", []),
        ("표는 3만 원이다.", ["3만"]),
        ("두 사람이 만난다.", []),  # two speak
        ("세 사람이 만난다.", ["세"]),
        ("한 친구를 만난다.", []),
        ("#Person2#가 표를 산다.", []),
        ("사흘 뒤에 만난다.", ["사흘"]),
    ],
)
def test_numbers_are_compared_by_value(answer: str, wanted: list[str]) -> None:
    assert shown(answer, "numbers") == wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("Jimmy를 서울역에서 만난다.", []),
        ("jimmy를 만난다.", []),
        ("Tommy를 만난다.", ["Tommy"]),
        ("부산역에서 만난다.", ["부산역"]),
        ("#Person3#이 온다.", ["#Person3#"]),
        ("김민수 씨를 만난다.", ["김민수"]),
    ],
)
def test_names_have_to_stand_in_the_dialogue(answer: str, wanted: list[str]) -> None:
    assert shown(answer, "names") == wanted


def test_the_figure_is_a_share_of_summaries_and_the_notice_shows_them() -> None:
    asked = summarized(["Tommy가 8시에 9시에 온다.", "Jimmy를 만난다.", ""])
    found = unsupported.per_row(asked)
    assert found["unsupported_numbers"].tolist() == [1, 0, 0]
    assert found["unsupported_names"].tolist() == [1, 0, 0]
    numbers, names = unsupported.notices(asked)
    assert numbers.values == {"num": 1, "total": 3, "found": "talk:0 8, 9"}
    assert names.values["found"] == "talk:0 Tommy"
    for language in LANGUAGES:
        assert "talk:0 8, 9" in catalogue(language)[numbers.key].format(**numbers.values)
    assert unsupported.notices(summarized(["Jimmy를 만난다."])) == []
